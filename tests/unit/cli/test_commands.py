"""The commands against a server that answers as written here: what they ask for, print and refuse."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from goliat_monitoring.agent.settings import AgentSettings
from goliat_monitoring.cli import show
from goliat_monitoring.cli.main import app

STUDY_ID = "0199f1b0-0000-7000-8000-000000000001"
CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["duke", "ella"],
    "frequencies_mhz": [700],
    "far_field_setup": {"environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta"]}},
}


class Server:
    """Answers from a table of (method, path); remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str, Any, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                sent = json.loads(body) if body else None
                server.asked.append((self.command, self.path, sent, self.headers.get("Authorization", "")))
                status, answer = server.answers.get((self.command, self.path), (404, b'{"error": "not found"}'))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = answer  # noqa: N815 -- the base class's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
                """Be quiet."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,))
        self.thread.start()

    def say(self, method: str, path: str, answer: object, status: int = 200) -> None:
        """Answer one call."""
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.answers[method, path] = status, body

    def close(self) -> None:
        """Stop listening."""
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server to talk to."""
    server = Server()
    yield server
    server.close()


def call(server: Server, *arguments: str) -> Result:
    """Run a command against `server`."""
    return CliRunner().invoke(app, list(arguments), env={"GOLIAT_MONITORING_URL": server.url, "COLUMNS": "200"})


def test_create_sends_one_assignment_with_the_whole_resolved_config(server: Server, tmp_path: Path) -> None:
    (tmp_path / "parent.json").write_text(json.dumps(CONFIG))
    child = tmp_path / "child.json"
    child.write_text(json.dumps({"extends": "parent", "phantoms": ["duke"]}))
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial"})
    result = call(server, "study", "create", str(child), "--name", "trial", "--token", "s3cret")
    assert result.exit_code == 0
    assert "1 assignments, 1 simulations" in result.stdout
    _, _, sent, authorization = server.asked[0]
    assert authorization == "Bearer s3cret"
    assert sent["name"] == "trial"
    assert sent["baseConfig"] == CONFIG | {"phantoms": ["duke"]}
    assert sent["assignments"] == [{"splitConfig": sent["baseConfig"], "status": "PENDING"}]


def test_create_takes_ready_made_assignments(server: Server, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    parts = [CONFIG | {"phantoms": [name]} for name in CONFIG["phantoms"]]
    (tmp_path / "parts.json").write_text(json.dumps([parts[0], {"splitConfig": parts[1]}]))
    server.say("POST", "/api/super-studies", {"id": STUDY_ID, "name": "trial"})
    options = ["--name", "trial", "--assignments", str(tmp_path / "parts.json")]
    result = call(server, "study", "create", str(tmp_path / "config.json"), *options)
    assert "2 assignments, 2 simulations" in result.stdout
    assert [it["splitConfig"] for it in server.asked[0][2]["assignments"]] == parts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("[]", "A JSON object"),
        ("{}", "study_type"),
        (json.dumps(CONFIG), "refused"),
    ],
)
def test_a_problem_is_one_line(server: Server, tmp_path: Path, content: str | None, said: str) -> None:
    config = tmp_path / "config.json"
    if content is not None:
        config.write_text(content)
    server.say("POST", "/api/super-studies", {"error": "refused", "details": "the name is taken"}, 409)
    result = call(server, "study", "create", str(config), "--name", "trial")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_no_server_and_no_token_are_explained(server: Server) -> None:
    server.say("GET", "/api/super-studies", {"error": "no token"}, 401)
    assert "GOLIAT_MONITORING_TOKEN" in call(server, "study", "list").stderr
    result = call(server, "study", "list", "--server", "http://127.0.0.1:9")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "http://127.0.0.1:9 cannot be reached" in result.stderr


def test_studies_are_found_by_name(server: Server, tmp_path: Path) -> None:
    summary = {
        "id": STUDY_ID,
        "name": "trial",
        "status": "RUNNING",
        "masterProgress": 41.7,
        "createdAt": "2026-11-24T00:00:00.000Z",
    }
    worker = {"id": "w", "machineLabel": "gpu-1", "hostname": "h"}
    assignments = [{"index": 0, "status": "RUNNING", "progress": 83.4, "worker": worker, "id": "a0"}]
    server.say("GET", "/api/super-studies", [summary | {"completedAssignments": 0, "totalAssignments": 1}])
    server.say("GET", "/api/super-studies?name=trial", [summary])
    server.say("GET", f"/api/super-studies/{STUDY_ID}", summary | {"assignments": assignments})
    server.say("GET", f"/api/super-studies/{STUDY_ID}/results/download", b"a zip")
    assert "trial" in call(server, "study", "list").stdout
    shown = call(server, "study", "show", "trial").stdout
    assert "42 %" in shown
    assert "gpu-1" in shown
    # The server tells none of this yet.
    assert not {"Done at ", "GPU hours", "Cost"} & {line[:9] for line in shown.splitlines()}
    target = tmp_path / "results.zip"
    assert call(server, "study", "download", "trial", "-o", str(target)).exit_code == 0
    assert target.read_bytes() == b"a zip"
    server.say("GET", "/api/super-studies?name=other", [])
    assert "no super study named other" in call(server, "study", "show", "other").stderr


def test_a_study_tells_when_it_is_done_and_what_it_costs(server: Server) -> None:
    study = {
        "id": STUDY_ID,
        "name": "trial",
        "finishAt": {
            "p10": "2026-11-24T12:10:00.000Z",
            "p50": "2026-11-24T12:20:00.000Z",
            "p90": "2026-11-27T12:00:00.000Z",
        },
        "etaNote": "without 2 failed assignments",
        "gpuHours": {"spent": 1.5, "forecast": 4.0, "idle": 0.25},
        "cost": {"spent": 0.7, "forecast": 1.8, "idle": 0.1, "currency": "USD", "unpricedHours": 0.5},
        "assignments": [],
    }
    server.say("GET", "/api/super-studies?name=trial", [study])
    server.say("GET", f"/api/super-studies/{STUDY_ID}", study)
    shown = call(server, "study", "show", "trial").stdout
    p10, p50, p90 = (show.when(study["finishAt"][key]) for key in ("p10", "p50", "p90"))  # type: ignore[index]
    assert f"{p50}, likely {p10} to {p90}, without 2 failed assignments" in shown
    assert "1.50 of 4.00 h, 0.25 h idle" in shown
    assert "0.70 of 1.80 USD, 0.10 USD idle; 0.50 h have no price" in shown
    server.say("GET", f"/api/super-studies/{STUDY_ID}", study | {"finishAt": None, "etaNote": "after first simulation"})
    assert "after first simulation" in call(server, "study", "show", "trial").stdout


def test_an_unfinished_download_leaves_nothing(server: Server, tmp_path: Path) -> None:
    server.say("GET", f"/api/super-studies/{STUDY_ID}", {"id": STUDY_ID, "name": "trial"})
    result = call(server, "study", "download", STUDY_ID, "-o", str(tmp_path / "results.zip"))
    assert result.exit_code == 1
    assert not list(tmp_path.iterdir())


def test_workers_are_listed_and_renamed(server: Server) -> None:
    worker = {"id": "w", "hostname": "h", "status": "IDLE", "guiState": None, "gpuName": "RTX 4090"}
    server.say("GET", "/api/workers", [worker])
    server.say("PATCH", "/api/workers/w", worker | {"machineLabel": "gpu-1"})
    assert "RTX 4090" in call(server, "workers", "list").stdout
    assert json.loads(call(server, "worker", "list", "--json").stdout) == [worker]
    assert call(server, "worker", "rename", "w", "gpu-1").exit_code == 0
    assert server.asked[-1][2] == {"label": "gpu-1"}


def test_a_log_is_read_page_by_page_and_followed_to_its_end(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goliat_monitoring.cli.run.PAGE", 2)
    line = {"time": "2026-11-24T00:00:00.000Z", "level": "info", "source": "status"}
    pages = {0: [1, 2], 2: [3]}
    for after, numbers in pages.items():
        lines = [line | {"n": n, "text": f"line {n}"} for n in numbers]
        answer = {"lines": lines, "total": 3, "more": after == 0}
        server.say("GET", f"/api/runs/r/log?after={after}&limit=2", answer)
    server.say("GET", "/api/runs/r", {"run": {"id": "r", "live": False}})
    for option in ("--after=0", "--follow"):
        result = call(server, "run", "log", "r", option)
        assert [words.split("  ")[-1] for words in result.stdout.splitlines()] == ["line 1", "line 2", "line 3"]
    found = [json.loads(text) for text in call(server, "run", "log", "r", "--after", "2", "--json").stdout.splitlines()]
    assert [it["n"] for it in found] == [3]


LINE = {"n": 7, "time": "2026-11-24T00:00:00.000Z", "level": "error", "source": "status", "text": "gone"}


def test_a_log_is_searched_filtered_and_summed_up(server: Server) -> None:
    repeated = LINE | {"count": 11_873, "lastTime": "2026-11-24T00:01:00.000Z"}
    found = {"lines": [repeated], "total": 3, "searched": 9, "ofLines": 12, "complete": False}
    server.say("GET", "/api/runs/r/log/search?q=g.n&after=0&limit=10000&regex=true", found)
    result = call(server, "run", "log", "r", "--search", "g.n", "--regex")
    assert "gone  repeated 11,873 times, last at" in result.stdout
    assert "1 of 3 matching lines; the time was over after 9 of 12" in result.stderr
    only = {"lines": [LINE | {"text": "\x1b[1mgone"}], "total": 9, "more": False}
    server.say("GET", "/api/runs/r/log?after=0&limit=1000&level=error&raw=true", only)
    assert call(server, "run", "log", "r", "--level", "error", "--raw").stdout == "\x1b[1mgone\n"
    problem = {"level": "error", "text": "gone", "count": 41, "firstLine": 7, "lastLine": 9, "lastTime": LINE["time"]}
    server.say("GET", "/api/runs/r/log/problems", {"problems": [problem], "groups": 1, "firstError": 7})
    assert "41" in call(server, "run", "log", "r", "--problems").stdout
    assert call(server, "run", "log", "r", "--problems", "--follow").exit_code == 2
    assert call(server, "run", "log", "r", "--regex").exit_code == 2


def test_a_study_is_searched_to_its_end(server: Server) -> None:
    path = f"/api/super-studies/{STUDY_ID}"
    server.say("GET", path, {"id": STUDY_ID, "name": "trial"})
    run = {"runId": "r2", "index": 1, "attempt": 1, "state": "failed", "total": 1, "lines": [LINE], "complete": True}
    server.say("GET", f"{path}/log/search?q=gone", {"runs": [run], "nextRun": "r1"})
    server.say("GET", f"{path}/log/search?q=gone&fromRun=r1", {"runs": [run | {"runId": "r1"}], "nextRun": None})
    shown = call(server, "study", "search", STUDY_ID, "gone").stdout.splitlines()
    assert [text for text in shown if text.startswith("#")] == [
        "#1, try 1, run r2: 1 line", "#1, try 1, run r1: 1 line",
    ]  # fmt: skip
    found = call(server, "study", "search", STUDY_ID, "gone", "--json").stdout.splitlines()
    assert [json.loads(text)["runId"] for text in found] == ["r2", "r1"]


def test_a_run_is_stopped(server: Server) -> None:
    server.say("POST", "/api/runs/r/stop", {"success": True})
    assert call(server, "run", "stop", "r").exit_code == 0


@pytest.mark.parametrize("by", ["options", "environment"])
def test_an_agent_is_told_by_options_or_by_the_environment(
    by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "URL": "https://monitor.example/x/", "TOKEN": "t", "STATE_DIR": str(tmp_path), "WORKDIR": str(tmp_path / "w"),
        "GOLIAT_COMMAND": "py -m cli", "LABEL": "gpu-7",
    }  # fmt: skip
    heard: list[AgentSettings] = []

    def run(settings: AgentSettings) -> int:
        heard.append(settings)
        return 0

    monkeypatch.setattr("goliat_monitoring.agent.main.run_agent", run)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    arguments, environment = ["agent", "--once"], {}
    for name, value in told.items():
        if by == "options":
            arguments += ["--" + name.replace("URL", "server").lower().replace("_", "-"), value]
        else:
            environment[f"GOLIAT_MONITORING_{name}"] = value
    assert CliRunner().invoke(app, arguments, env=environment).exit_code == 0
    assert heard == [
        AgentSettings(
            server="https://monitor.example/x", token="t", state_dir=tmp_path, workdir=tmp_path / "w",
            goliat_command=["py", "-m", "cli"], label="gpu-7", once=True,
        )
    ]  # fmt: skip


@pytest.mark.parametrize("terminal", [True, False])
def test_an_id_can_be_copied_from_a_narrow_table(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(show, "console", Console(file=output, width=60, force_terminal=terminal))
    show.table(("Name", "State", "Stage", "Id"), [("a long name of a study", "RUNNING", "Extracting", STUDY_ID)], "")
    assert STUDY_ID in output.getvalue()
    assert terminal or output.getvalue().count("\n") == 2


@pytest.mark.parametrize(("command", "said"), [("agent", "its host name"), ("serve", "8000"), ("study create", "one")])
def test_help_tells_what_is_taken_where_nothing_is_said(command: str, said: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})
    assert f"[default: ({said}" in result.stdout or f"[default: {said}" in result.stdout


def test_hostile_text_cannot_steer_the_terminal() -> None:
    assert show.safe("\x1b[2Jred\x07 \x9b31m\u202eabc\r[b]") == "red\ufffd \ufffd31m\ufffdabc\ufffd[b]"
    assert show.log_line({"n": 1, "text": "[bold]x[/bold]", "level": "error"}).plain.endswith("[bold]x[/bold]")


def test_a_silent_claim_is_offered_and_joined_by_its_id(server: Server) -> None:
    offer = {
        "runId": "r1",
        "superStudyName": "trial",
        "index": 4,
        "workerName": "10.0.0.4",
        "strangerRunId": "r2",
        "strangerName": "10.8.0.9",
        "hints": ["its hostname is the same"],
    }
    server.say("GET", "/api/strangers", [offer])
    listed = call(server, "run", "strangers").stdout
    assert all(text in listed for text in ("trial", "10.0.0.4", "10.8.0.9", "its hostname is the same", "r1", "r2"))
    server.say("POST", "/api/runs/r1/belongs-to", {"id": "r2", "superStudyName": "trial", "index": 4})
    result = call(server, "run", "belongs-to", "r1", "r2")
    assert result.stdout.strip() == "r2 is trial #4 now; r1 is lost."
    assert server.asked[-1][2] == {"runId": "r2"}

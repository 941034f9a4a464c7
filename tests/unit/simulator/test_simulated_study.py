"""The simulator speaks GOLIAT's traffic, writes GOLIAT's files and fails in GOLIAT's ways."""

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from goliat_monitoring.simulator.jpeg import jpeg
from goliat_monitoring.simulator.post import post_json
from goliat_monitoring.simulator.study import Study
from goliat_monitoring.simulator.surroundings import Mishaps, Surroundings
from goliat_monitoring.wire.lines import plain

CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["duke"],
    "frequencies_mhz": [700],
    "far_field_setup": {"environmental": {"incident_directions": ["x_pos", "z_neg"], "polarizations": ["theta"]}},
}


class Request(NamedTuple):
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        """The GUI message in it."""
        message: dict[str, Any] = json.loads(self.body)["message"]
        return message


class Relay:
    """Takes everything and says 200."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                relay.requests.append(Request(self.path, dict(self.headers.items()), body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/relay"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self) -> None:
        """Stop listening."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def messages(self, kind: str) -> list[dict[str, Any]]:
        """The GUI messages of one type, in order of arrival."""
        found = [request.message for request in self.requests if request.path.endswith("/gui-update")]
        return [message for message in found if message["type"] == kind]

    def lines(self) -> list[tuple[str, str]]:
        """(level, text) of all log lines, by their own time."""
        items = [item for batch in self.messages("log_batch") for item in batch["logs"]]
        items += self.messages("terminal_only")
        return [
            (item["log_type"], plain(item["message"])) for item in sorted(items, key=lambda item: item["timestamp"])
        ]


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A server that stands for the agent's relay."""
    relay = Relay()
    yield relay
    relay.close()


def play(tmp_path: Path, relay: Relay, *, config: dict[str, Any] = CONFIG, problem: str = "", **mishaps: str) -> int:
    """Run a study quickly in `tmp_path`; its exit code."""
    to = Surroundings(
        relay=relay.url,
        token="secret",
        machine_id="m1",
        assignment_id="a1",
        control=tmp_path / "control",
        speed=100.0,
        mishaps=Mishaps(**mishaps),
    )
    return Study("study.json", config, problem, to, tmp_path).run(auto_close=True)


def test_a_study_reports_like_goliat(tmp_path: Path, relay: Relay) -> None:
    assert play(tmp_path, relay) == 0

    assert {request.headers["Authorization"] for request in relay.requests} == {"Bearer secret"}
    assert all(request.path.startswith("/relay/api/") for request in relay.requests)
    beats = [json.loads(request.body) for request in relay.requests if request.path.endswith("/heartbeat")]
    assert len(beats) == 2
    assert beats[0]["machineId"] == "m1"
    announced = [(message["count"], message["total"], message["details"]) for message in relay.messages("sim_details")]
    assert sorted(announced) == [(1, 2, "duke, 700MHz, x_pos, theta"), (2, 2, "duke, 700MHz, z_neg, theta")]
    assert len(relay.messages("simulation_details")) == 2
    assert sorted(batch["sequence"] for batch in relay.messages("log_batch")) == list(
        range(len(relay.messages("log_batch")))
    )
    assert [message["message"] for message in relay.messages("finished")] == ["Study finished successfully"]
    closing = [message for message in relay.messages("overall_progress") if message == hundred_percent()]
    assert len(closing) >= 5
    evidence = [message for message in relay.messages("stage_progress") if message["name"] == "Extracting Results"]
    assert [(message["current"], message["total"]) for message in evidence] == [(1, 1), (1, 1)]
    assert any("34% [17000/50000]" in text and "MCells/s" in text for _, text in relay.lines())
    assert relay.lines()[0][1].startswith("This is the simulator")


def hundred_percent() -> dict[str, object]:
    """What GOLIAT repeats five times at the end."""
    return {"type": "overall_progress", "current": 100, "total": 100}


def test_pictures_of_every_tab_are_jpeg(tmp_path: Path, relay: Relay) -> None:
    play(tmp_path, relay)
    bodies = [request.body for request in relay.requests if request.path.endswith("/gui-screenshots")]
    assert bodies
    names = re.findall(
        rb'name="([^"]+)"; filename="([^"]+)"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff', bodies[0]
    )
    assert len(names) == 6
    assert (b"Disk_I/O", b"Disk_I/O.jpg") in names
    assert bodies[0].count(b"\xff\xd9\r\n--") == 6


def test_a_picture_says_how_large_it_is() -> None:
    picture = jpeg([[(255, 0, 0), (0, 0, 255)], [(0, 0, 0), (255, 255, 255)]])
    frame = picture.index(b"\xff\xc0")
    assert picture[frame + 5 : frame + 9] == bytes([0, 16, 0, 16])


def test_files_are_goliat_s_and_never_twice_the_same(tmp_path: Path, relay: Relay) -> None:
    play(tmp_path / "one", relay)
    play(tmp_path / "two", relay)
    folder = "results/far_field/duke/700MHz/environmental_x_pos_theta"
    names = {path.name for path in (tmp_path / "one" / folder).iterdir()}
    assert names == {
        "config.json", "verbose.log", "progress.log", "sar_results.json",
        "sar_stats_all_tissues.pkl", "sar_stats_all_tissues.html",
    }  # fmt: skip
    for name in ("sar_results.json", "sar_stats_all_tissues.pkl", "sar_stats_all_tissues.html"):
        assert (tmp_path / "one" / folder / name).read_bytes() != (tmp_path / "two" / folder / name).read_bytes()
    uploads = [request.body for request in relay.requests if request.path == "/relay/api/assignments/a1/results"]
    assert len(uploads) == 4
    assert b"\r\n\r\nfar_field/duke/700MHz/environmental_x_pos_theta\r\n" in uploads[0]
    assert re.findall(rb'name="files"; filename="([^"]+)"\r\n\r\n', uploads[0])[0] == b"config.json"


def test_the_control_folder_tells_the_agent(tmp_path: Path, relay: Relay) -> None:
    play(tmp_path, relay)
    control = tmp_path / "control"
    assert (control / "gui-pid").read_text().isdigit()
    assert float((control / "finished").read_text()) == pytest.approx(time.time(), abs=60)
    done = [json.loads(line) for line in (control / "simulations.jsonl").read_text().splitlines()]
    assert [entry["relative_path"] for entry in done] == [
        "far_field/duke/700MHz/environmental_x_pos_theta",
        "far_field/duke/700MHz/environmental_z_neg_theta",
    ]
    metadata = json.loads((Path(done[0]["path"]) / "config.json").read_text())
    assert metadata["config_hash"] == done[0]["config_hash"]
    assert not done[0]["cached"]


def test_what_is_done_is_skipped(tmp_path: Path, relay: Relay) -> None:
    play(tmp_path, relay)
    uploads = len([request for request in relay.requests if request.path.endswith("/results")])
    play(tmp_path, relay)
    assert ("success", "Project already done, skipping.") in relay.lines()
    assert len([request for request in relay.requests if request.path.endswith("/results")]) == uploads
    last = json.loads((tmp_path / "control" / "simulations.jsonl").read_text().splitlines()[-1])
    assert last["cached"]


def test_a_failed_simulation_calls_itself_successful(tmp_path: Path, relay: Relay) -> None:
    assert play(tmp_path, relay, fail="x_pos") == 0
    assert [message["message"] for message in relay.messages("finished")] == ["Study finished successfully"]
    text = "ERROR during simulation: simulated failure"
    assert any(level == "error" and line.startswith(text) for level, line in relay.lines())
    # Far field tells it to the terminal alone.
    assert not any(text in item["message"] for batch in relay.messages("log_batch") for item in batch["logs"])
    assert not (tmp_path / "results/far_field/duke/700MHz/environmental_x_pos_theta/sar_results.json").exists()
    assert (tmp_path / "results/far_field/duke/700MHz/environmental_z_neg_theta/sar_results.json").exists()


def test_a_memory_error_ends_with_42(tmp_path: Path, relay: Relay) -> None:
    assert play(tmp_path, relay, memory="z_neg") == 42
    assert [message["exit_code"] for message in relay.messages("memory_error")] == [42]
    assert [message["message"] for message in relay.messages("finished")] == ["Study finished with errors"]


def test_a_fatal_error_calls_itself_successful(tmp_path: Path, relay: Relay) -> None:
    assert play(tmp_path, relay, fatal="*") == 0
    assert ("fatal", "--- FATAL ERROR in study: simulated fatal error ---") in relay.lines()
    assert [message["message"] for message in relay.messages("finished")] == ["Study finished successfully"]


@pytest.mark.parametrize("how", ["crash", "config"])
def test_after_a_crash_the_window_stays_until_it_is_closed(tmp_path: Path, relay: Relay, how: str) -> None:
    codes: list[int] = []
    options: dict[str, Any] = {"crash": "x_pos"} if how == "crash" else {"problem": "no such parent"}
    thread = threading.Thread(target=lambda: codes.append(play(tmp_path, relay, **options)))
    thread.start()
    for _ in range(200):
        if (tmp_path / "control" / "finished").exists():
            break
        time.sleep(0.05)
    thread.join(0.5)
    assert thread.is_alive()
    (tmp_path / "control" / "close").touch()
    thread.join(10)
    assert codes == [1]
    assert [message["message"] for message in relay.messages("finished")] == ["Study finished with errors"]


def test_stop_ends_the_study_as_if_all_was_well(tmp_path: Path, relay: Relay) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "stop").touch()
    assert play(tmp_path, relay) == 0
    assert ("warning", "--- Study execution cancelled by user. ---") in relay.lines()
    assert [message["message"] for message in relay.messages("finished")] == ["Study finished successfully"]
    assert not list(tmp_path.rglob("sar_results.json"))


def test_without_its_window_a_study_only_uploads(tmp_path: Path, relay: Relay) -> None:
    assert play(tmp_path, relay, config={**CONFIG, "use_gui": False}) == 0
    assert {request.path for request in relay.requests} == {"/relay/api/assignments/a1/results"}


def test_while_the_relay_is_away_requests_are_spooled(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    away = Surroundings(relay="http://127.0.0.1:9/relay", spool=spool)
    assert post_json(away, "/api/gui-update", {"a": 1}, 1)
    assert post_json(away, "/api/gui-update", {"a": 2}, 1)
    names = sorted(path.name for path in spool.iterdir())
    assert all(re.fullmatch(r"\d{20}-\d+-\d+\.req", name) for name in names)
    head, _, body = (spool / names[0]).read_bytes().partition(b"\n")
    assert json.loads(head)["path"] == "/api/gui-update"
    assert json.loads(head)["headers"] == {"content-type": "application/json"}
    assert json.loads(body) == {"a": 1}


def test_a_wrong_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="GOLIAT_SIMULATOR_SPEED=fast"):
        Surroundings.from_environment({"GOLIAT_SIMULATOR_SPEED": "fast"})

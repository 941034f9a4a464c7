"""A server, agents and the real GOLIAT, as processes of their own."""

import base64
import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from tests.goliat.environment import PROJECT, base_environment, goliat_python, make_project
from tests.support.server import ServerProcess

T = TypeVar("T")

CALLER = re.compile(r" \[\w+\.\w+\]$")
# What GOLIAT writes into its files and sends to nobody: the logger's own first and last words, and the window's
# farewell when its bridge is down already.
FILE_ONLY = (
    "--- Simulation-specific",
    "--- Progress logging started",
    "--- Logging shutdown ---",
    "All done! You may close this window now.",
    "Auto-closing GUI in ",
)

# An agent with intervals that fit a simulation of two seconds. What it does is the same.
AGENT = """
import json, logging, sys
from pathlib import Path
from goliat_monitoring.agent.main import run_agent
from goliat_monitoring.agent.settings import AgentSettings, Intervals
logging.basicConfig(level="INFO")
asked = json.loads(sys.argv[1])
intervals = Intervals(**{**dict(heartbeat_s=1, ask_s=1, claim_wait_s=2, stable_s=0.5, collect_s=0.5, sample_s=1,
    close_after_s=4, close_grace_s=5, stop_grace_s=30, term_grace_s=3), **asked.pop("intervals", {})})
asked["state_dir"] = Path(asked["state_dir"])
asked["workdir"] = Path(asked["workdir"])
sys.exit(run_agent(AgentSettings(intervals=intervals, **asked)))
"""


def wait_for(what: Callable[[], T | None], seconds: float, why: Callable[[], str] = lambda: "") -> T:
    """The first true value of `what`; fails with `why` when there was none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds} s: {what.__qualname__} {why()}")


@dataclass
class Fleet:
    """One server and what was started for it. Everything lies in `folder`."""

    folder: Path
    server: ServerProcess = field(init=False)
    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Start the server; its windows are short, so that a bare run is judged soon."""
        self.folder.mkdir(parents=True)
        self.server = ServerProcess(self.folder / "server", judge_delay_s=3, reorder_window_s=3)

    @property
    def url(self) -> str:
        return self.server.url

    def get(self, path: str, **params: Any) -> Any:
        answer = httpx.get(f"{self.url}{path}", params=params, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        answer = httpx.post(f"{self.url}{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def create(self, name: str, config: str) -> Any:
        """A study of one assignment that holds the whole config."""
        whole = json.loads((PROJECT / "configs" / config).read_text())
        body = {"name": name, "baseConfig": whole, "assignments": [{"splitConfig": whole, "status": "PENDING"}]}
        return self.post("/api/super-studies", body)

    def start_agent(self, name: str, *, intervals: dict[str, float] | None = None, **switches: str) -> Path:
        """Start an agent, again under the same name after a kill. Returns its work folder."""
        workdir = self.folder / name / "work"
        if not workdir.exists():
            make_project(workdir)
        asked = {
            "server": self.url,
            "state_dir": str(self.folder / name / "state"),
            "workdir": str(workdir),
            "goliat_command": [str(goliat_python()), "-m", "cli"],
            "label": name,
            "intervals": intervals or {},
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.agents[name] = subprocess.Popen(
                [sys.executable, "-c", AGENT, json.dumps(asked)],
                stdout=log,
                stderr=log,
                cwd=workdir,
                env=base_environment(**switches),
            )
        return workdir

    def kill_agent(self, name: str) -> None:
        """As a crash does it: at once, and GOLIAT goes on."""
        agent = self.agents.pop(name)
        agent.kill()
        agent.wait()

    def logs(self) -> str:
        """What the processes wrote, for a failed test."""
        return "\n".join(f"--- {file.name}\n{file.read_text()[-3000:]}" for file in sorted(self.folder.glob("*.log")))

    def study(self, name: str) -> Any:
        (found,) = self.get("/api/super-studies", name=name)
        return self.get(f"/api/super-studies/{found['id']}")

    def wait_state(self, name: str, states: set[str], seconds: float) -> Any:
        """The study, when all its assignments are in one of `states`."""

        def there() -> Any:
            study = self.study(name)
            return study if all(part["status"] in states for part in study["assignments"]) else None

        return wait_for(there, seconds, self.logs)

    def runs(self, assignment_id: str) -> list[Any]:
        """The attempts at an assignment, oldest first."""
        return sorted(self.get("/api/runs", assignmentId=assignment_id), key=lambda run: run["attempt"])

    def log_lines(self, run_id: str) -> list[dict[str, Any]]:
        """Every line of a run, by pages."""
        lines: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/api/runs/{run_id}/log", after=len(lines), limit=1000)
            fresh = [line for line in page["lines"] if line["n"] is not None]
            if not fresh:
                return lines
            lines += fresh

    def stored_files(self, study_id: str) -> dict[str, str]:
        """SHA-256 of every result file of a study as downloaded, by path."""
        tree = self.get(f"/api/super-studies/{study_id}/results/list")["tree"]
        return dict(self._digests(study_id, tree))

    def _digests(self, study_id: str, nodes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
        for node in nodes:
            if node["type"] == "directory":
                yield from self._digests(study_id, node["children"])
            else:
                yield node["path"], hashlib.sha256(self.file(study_id, node["path"])).hexdigest()

    def file(self, study_id: str, path: str) -> bytes:
        """One result file as the API hands it out."""
        answer = httpx.get(f"{self.url}/api/super-studies/{study_id}/results/file", params={"path": path}, timeout=30)
        answer.raise_for_status()
        found = answer.json()
        text = str(found["content"])
        return text.encode() if found["type"] == "text" else base64.b64decode(text)

    def goliat_processes(self) -> list[psutil.Process]:
        """What runs under this fleet's folder besides agents and server."""
        ours = {process.pid for process in self.agents.values()}
        if self.server.process is not None:
            ours.add(self.server.process.pid)
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid not in ours and Path(process.cwd()).is_relative_to(self.folder):
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def close(self) -> None:
        """End everything that was started here, GOLIATs included."""
        for agent in self.agents.values():
            agent.terminate()
        for agent in self.agents.values():
            try:
                agent.wait(15)
            except subprocess.TimeoutExpired:
                agent.kill()
                agent.wait()
        self.server.close()
        for left in self.goliat_processes():
            left.kill()


def on_disk(workdir: Path) -> dict[str, bytes]:
    """The files of a work folder's results that belong to the server, by the path that they have there."""
    names = {"config.json", "verbose.log", "progress.log", "sar_results.json", "sar_stats_all_tissues.pkl",
             "sar_stats_all_tissues.html"}  # fmt: skip
    root = workdir / "results"
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.name in names}


def progress_texts(content: bytes) -> list[str]:
    """What GOLIAT told its dashboard, from a progress log on disk: without time, level and the caller behind it."""
    texts = []
    for line in content.decode().splitlines():
        if " - INFO - " in line or " - WARNING - " in line or " - ERROR - " in line:
            text = line.split(" - ", 2)[2]
        else:
            text = line  # the rest of a message of several lines
        if not text.startswith(FILE_ONLY):
            texts.append(CALLER.sub("", text))
    return [text for text in texts if text.strip()]


def missing_in_order(wanted: list[str], lines: list[dict[str, Any]]) -> str | None:
    """The first of `wanted` that does not follow the ones before it in the log; None when all are there in order."""
    texts = iter(line["text"] for line in lines)
    for text in wanted:
        if not any(found == text for found in texts):
            return text
    return None

"""A real server and real agents, as processes, for one test."""

import json
import os
import signal
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.agent.waiting import until

ROOT = Path(__file__).parents[2]
FAKE_GOLIAT = Path(__file__).with_name("fake_goliat.py")


class ServerProcess:
    """`goliat-monitoring serve` on a port of its own, to be stopped and started again at will."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=self.url, timeout=20)

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [sys.executable, "-c", "from goliat_monitoring.cli.main import app; app()", "serve"]
        command += ["--port", str(self.port), "--data-dir", str(self.folder / "data")]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLIAT_")}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT)
        until(self._ready, "the server is ready", 60)

    def _ready(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            raise AssertionError(f"the server ended: {(self.folder / 'server.log').read_text()[-3000:]}")
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """End it, if it runs."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def get(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, *plans: list[dict[str, Any]], **config: Any) -> list[str]:
        """A super study with one assignment for each plan; their ids."""
        base = far_field(["x_pos", "y_pos"]) | config
        made = self.post(
            "/api/super-studies",
            {
                "name": f"study {uuid.uuid4().hex[:8]}",
                "description": "",
                "baseConfig": base,
                "assignments": [{"splitConfig": {**base, "plan": plan}, "status": "PENDING"} for plan in plans],
            },
        )
        return [one["id"] for one in self.get(f"/api/super-studies/{made['id']}/assignments")]

    def runs(self, assignment: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/api/runs?assignmentId={assignment}")
        return found

    def run(self, assignment: str, what: str = "a run", **wanted: Any) -> dict[str, Any]:
        """The newest run of an assignment, once it has these values."""

        def look() -> dict[str, Any] | None:
            runs = self.runs(assignment)
            return runs[0] if runs and all(runs[0][name] == value for name, value in wanted.items()) else None

        try:
            return until(look, f"{what} {wanted}") or {}
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.runs(assignment)}") from None

    def log(self, run_id: str) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.get(f"/api/runs/{run_id}/log?limit=10000")["lines"]
        return lines

    def texts(self, run_id: str, source: str = "status") -> list[str]:
        return [line["text"] for line in self.log(run_id) if line["source"] == source]


class AgentProcess:
    """An agent with folders of its own."""

    def __init__(self, folder: Path, server: str, **settings: Any) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self.workdir = folder / "work"
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.settings: dict[str, Any] = {
            "server": server,
            "state_dir": str(self.state_dir),
            "workdir": str(self.workdir),
            "goliat_command": [sys.executable, str(FAKE_GOLIAT)],
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: Any) -> None:
        """Start it; `settings` go over those of its making, for this life."""
        given = json.dumps({**self.settings, **settings})
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GOLIAT_")}
        with (self.folder / "agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.agent.agent_process", given],
                cwd=ROOT,
                env={**environment, "PYTHONPATH": str(ROOT), **self.settings.get("environment", {})},
                stdout=log,
                stderr=log,
            )

    def wait(self, timeout: float = 40) -> int:
        """Until it ends by itself; its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the agent did not end: {self.text()[-4000:]}") from None

    def text(self) -> str:
        """What it logged."""
        return (self.folder / "agent.log").read_text()

    def kill(self) -> None:
        """As the machine's owner would with a task manager."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def say_go(self, name: str) -> None:
        """Let a step that waits for this file go on."""
        (self.workdir / name).touch()

    def pid(self, name: str) -> int:
        """The pid that a process wrote into a file of the working folder."""
        file = self.workdir / name
        until(lambda: file.exists() and file.read_text(), f"{name} is written")
        return int(file.read_text())

    def close(self) -> None:
        """End the agent and whatever it left."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for process in psutil.process_iter():
            try:
                if str(self.folder) in process.environ().get("GOLIAT_MONITORING_SPOOL", ""):
                    process.kill()
            except (psutil.Error, OSError):
                continue
        for file in self.workdir.glob("*.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                continue


def far_field(directions: list[str]) -> dict[str, Any]:
    """A config of as many simulations as there are directions, with GOLIAT's switches off as people do."""
    return {
        "study_type": "far_field",
        "use_gui": False,
        "use_web": False,
        "phantoms": ["duke"],
        "frequencies_mhz": [700],
        "far_field_setup": {
            "type": "environmental",
            "environmental": {"incident_directions": directions, "polarizations": ["theta"]},
        },
        "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
    }


def path_of(direction: str) -> str:
    """Where GOLIAT puts the results of a direction of `far_field`."""
    return f"far_field/duke/700MHz/environmental_{direction}_theta"


def simulate(number: int, total: int, direction: str, **more: Any) -> dict[str, Any]:
    """A step that plays one simulation."""
    details = f"duke, 700MHz, {direction}, theta"
    return {"do": "simulate", "number": number, "total": total, "path": path_of(direction), "details": details, **more}


def is_gone(pid: int) -> bool:
    """Whether no live process has this pid."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True

"""A living fleet on this machine: a server and real agents that run the simulator; one of them fails, one dies.

Made once for the tests of all pages together and for the pictures of the docs. What is in it, when it is ready:
a study under way with a completed, a failed, a lost and two running parts; a second one that waits for a graphics card
which nobody has; a bare client with a study of its own; an agent with a price; hostile names.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from goliat_monitoring.cli.demo.fleet import Fleet, free_port
from goliat_monitoring.cli.demo.plan import base_config

STUDY = "far-field-family"
WAITING = "adults-at-6-ghz"
HOSTILE = "<script>alert(1)</script>"
BARE = "198.51.100.7"
READY_S = 90.0
STUDY_TABS = ("gantt", "matrix", "burn-up", "results", "config", "events")
SIMULATOR = "-m goliat_monitoring.simulator"


class LivingFleet:
    """Processes below `folder`, until `stop`."""

    def __init__(self, folder: Path) -> None:
        self._fleet = Fleet(folder)
        self._pids: dict[str, int] = {}
        self._python = sys.executable
        port = free_port(0)
        self.url = f"http://127.0.0.1:{port}"
        self.api = httpx.Client(base_url=self.url, timeout=20, trust_env=False)
        data_dir = str(folder / "server")
        self._fleet.start(
            "server",
            *("serve", "--port", str(port), "--data-dir", data_dir),
            GOLIAT_MONITORING_REORDER_WINDOW_S="1",
            GOLIAT_MONITORING_JUDGE_DELAY_S="1",
        )
        _until(self._ready, "the server is ready")
        self.study = self._create(STUDY, base_config(), 6)
        self.waiting = self._create(WAITING, base_config() | {"frequencies_mhz": [5800]}, 3, requirements=["vram>=200"])
        self._bare()
        self._start("gpu-good", speed=6, once=True)
        self._start("gpu-fails", speed=8, once=True, GOLIAT_SIMULATOR_FAIL="*")
        self._start("gpu-dies", speed=0.5)
        _until(lambda: self._states() >= {"succeeded", "running"}, "a run succeeded")
        # Slow enough to be at work until the last test, however slow this machine is.
        self._start("gpu-slow", speed=0.08)
        self._start(HOSTILE, speed=0.1)
        self._kill("gpu-dies")
        _until(self._alive, "a run is lost, one failed and two go on")
        self._price("gpu-slow", 0.45)

    def stop(self) -> None:
        """End everything."""
        self.api.close()
        self._fleet.stop()

    def get(self, path: str) -> Any:
        """GET JSON and insist on 200."""
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON and insist on 200."""
        answer = self.api.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def runs(self, state: str) -> list[str]:
        """Ids of the runs in this state."""
        return [str(run["id"]) for run in self.get("/api/runs") if run["state"] == state]

    def workers(self) -> dict[str, str]:
        """Ids of the workers by their names."""
        known = self.get("/api/workers")
        return {str(worker["machineLabel"] or worker["hostname"]): str(worker["id"]) for worker in known}

    def pages(self) -> dict[str, str]:
        """The address of every kind of page, by a name for its picture."""
        workers = self.workers()
        return {
            "overview": "/",
            "workers": "/workers",
            "worker": f"/workers/{workers['gpu-slow']}",
            "studies": "/studies",
            "study": f"/studies/{self.study}",
            **{f"study-{tab}": f"/studies/{self.study}/{tab}" for tab in STUDY_TABS},
            "new-study": "/studies/new",
            "run": f"/runs/{self.runs('running')[0]}",
            "run-failed": f"/runs/{self.runs('finished_with_errors')[0]}",
            "run-lost": f"/runs/{self.runs('lost')[0]}",
            "run-succeeded": f"/runs/{self.runs('succeeded')[0]}",
            "settings": "/settings",
            "help": "/help",
        }

    def _ready(self) -> bool:
        try:
            return self.api.get("/readyz").status_code == 200
        except httpx.HTTPError:
            return False

    def _create(self, name: str, config: dict[str, Any], parts: int, **more: Any) -> str:
        body = {"name": name, "baseConfig": config, "split": {"by": "auto", "numSplits": parts}, **more}
        return str(self.post("/api/super-studies", body)["id"])

    def _start(self, name: str, *, speed: float, once: bool = False, **environment: str) -> None:
        folder = self._fleet.folder / f"agent-{len(self._pids)}"
        (folder / "work").mkdir(parents=True)
        self._pids[name] = self._fleet.start(
            folder.name,
            *("agent", "--server", self.url, "--state-dir", str(folder / "state"), "--workdir", str(folder / "work")),
            *("--label", name, "--goliat-command", f'"{self._python}" {SIMULATOR}', *(["--once"] if once else [])),
            GOLIAT_SIMULATOR_SPEED=str(speed),
            **environment,
        )

    def _bare(self) -> None:
        """A GOLIAT that somebody started by hand on a machine without an agent."""
        self.post("/api/heartbeat", {"machineId": BARE, "hostname": "lab-rtx3090", "gpuName": "NVIDIA RTX 3090"})
        lines = ["--- Starting Far-Field Study ---", f"\x1b[31m{HOSTILE}\x1b[0m", "report\u202egpj.exe"]
        logs = [{"type": "status", "message": text, "log_type": "info", "timestamp": time.time()} for text in lines]
        for message in (
            {"type": "log_batch", "logs": logs, "sequence": 0},
            {"type": "overall_progress", "current": 12.5, "total": 100},
        ):
            self.post("/api/gui-update", {"machineId": BARE, "message": message, "timestamp": time.time()})

    def _kill(self, name: str) -> None:
        """The machine is gone: agent and GOLIAT at once. A person gives its run up."""
        run = next(run for run in self.get("/api/runs") if run["workerId"] == self.workers()[name])
        agent = psutil.Process(self._pids[name])
        for process in [agent, *agent.children(recursive=True)]:
            process.kill()
        self.post(f"/api/runs/{run['id']}/give-up", {"reason": "the machine burnt down"})

    def _price(self, name: str, price: float) -> None:
        """What an hour of a worker costs."""
        answer = self.api.patch(f"/api/workers/{self.workers()[name]}", json={"pricePerHour": price})
        assert answer.status_code == 200, answer.text

    def _states(self) -> set[str]:
        return {str(run["state"]) for run in self.get("/api/runs")}

    def _alive(self) -> bool:
        wanted = {"succeeded", "lost", "finished_with_errors", "running"}
        return self._states() >= wanted and len(self.runs("running")) >= 3


def _until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + READY_S
    while not true():
        assert time.monotonic() < deadline, f"not in {READY_S:.0f} s: {what}"
        time.sleep(0.2)

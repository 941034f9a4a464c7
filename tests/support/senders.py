"""Senders that know what a server acknowledged: a GOLIAT without agent, which never repeats, and an agent's outbox."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx

from goliat_monitoring.agent.api import Server
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.drafts import Draft, encode
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.orders import Orders
from goliat_monitoring.agent.outbox import Outbox
from goliat_monitoring.agent.shipper import Shipper
from goliat_monitoring.wire import agent as wire
from tests.support.studies import new_study

LINES = 10


class BareSender:
    """Posts batches of ten lines one after another, as fast as it is answered, each over a connection of its own."""

    def __init__(self, url: str, machine: str) -> None:
        self.machine = machine
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.answers: dict[str, int] = {}
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        sequence = 0
        while not self._stop.is_set():
            texts = [f"{self.machine} line {sequence * LINES + i}" for i in range(LINES)]
            status = self._post(sequence, texts)
            self.answers[status] = self.answers.get(status, 0) + 1
            (self.acknowledged if status == "200" else self.refused).extend(texts)
            sequence += 1
            if status != "200":
                time.sleep(0.02)

    def _post(self, sequence: int, texts: list[str]) -> str:
        now = time.time()
        logs = [
            {"type": "status", "message": text, "log_type": "progress", "timestamp": now + i * 1e-6}
            for i, text in enumerate(texts)
        ]
        body = {
            "machineId": self.machine,
            "message": {"type": "log_batch", "logs": logs, "sequence": sequence},
            "timestamp": now,
        }
        try:
            with httpx.Client(trust_env=False, timeout=10) as http:
                return str(http.post(f"{self._url}/api/gui-update", json=body).status_code)
        except httpx.HTTPError as problem:
            return type(problem).__name__


class OutboxSender:
    """A real outbox and shipper between an endless study and the server."""

    def __init__(self, url: str, folder: Path, name: str) -> None:
        folder.mkdir()
        self.sent: list[str] = []
        self.server = Server(url, 5.0)
        self.run_id = self._claim(url, name)
        self.outbox = Outbox(folder / "outbox.sqlite", reorder_s=0)
        self._stop = threading.Event()
        self._stop_shipping = threading.Event()
        self.shipper = self.new_shipper(self.outbox)
        self._threads = [
            threading.Thread(target=self._write, daemon=True),
            threading.Thread(target=self.shipper.run, args=(self._stop_shipping,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def new_shipper(self, outbox: Outbox) -> Shipper:
        """One more shipper of this run; an agent has just one."""
        return Shipper(
            outbox, self.server, Lease(600.0), Orders(), run_id=self.run_id, fence=self._fence, ship_s=0.01,
            retry=Backoff(0.02, 0.1),
        )  # fmt: skip

    def stop(self) -> None:
        """Write nothing more."""
        self._stop.set()
        self._threads[0].join(30)

    def delivered(self, seconds: float = 60) -> bool:
        """Whether everything was acknowledged within that time; ends the sender."""
        self.outbox.flush()
        ends = time.monotonic() + seconds
        while not self.shipper.idle and time.monotonic() < ends:
            time.sleep(0.02)
        idle = self.shipper.idle
        self._stop_shipping.set()
        self._threads[1].join(30)
        self.outbox.close()
        self.server.close()
        return idle

    def _claim(self, url: str, name: str) -> str:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            http.post("/api/super-studies", json=new_study(f"study of {name}")).raise_for_status()
        fingerprint = wire.Fingerprint(machine_id=name, hostname=name, boot_id="boot-1")
        enrolled = self.server.enrol(wire.Enrol(fingerprint=fingerprint, facts=wire.Facts(hostname=name)), None)
        self.server.credential = enrolled.credential
        opened = self.server.open_session(wire.OpenSession(fingerprint, wire.Facts(), time.time_ns() // 1000))
        job = self.server.claim(wire.Claim(session_id=opened.session_id)).job
        assert job is not None
        self._fence = job.fence
        return job.run_id

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            drafts = []
            for _ in range(20):
                at = time.time_ns() // 1000
                text = f"agent line {number}"
                self.sent.append(text)
                drafts.append(Draft(at, 0, number, encode(wire.LineItem(at, "progress", "status", text))))
                number += 1
            self.outbox.put(drafts)
            time.sleep(0.01)


def texts_of(http: httpx.Client, run_id: str) -> list[str]:
    """Every line of a run, in order, without those of the server itself."""
    found: list[str] = []
    after = 0
    while True:
        query: dict[str, Any] = {"after": after, "limit": 5000}
        lines = http.get(f"/api/runs/{run_id}/log", params=query).raise_for_status().json()["lines"]
        if not lines:
            return found
        assert [line["n"] for line in lines] == list(range(after + 1, after + 1 + len(lines)))
        found += [line["text"] for line in lines if line["source"] != "server"]
        after += len(lines)


def run_of(http: httpx.Client, machine: str) -> str:
    """The only run of a bare machine."""
    worker = http.get(f"/api/workers/{machine}").raise_for_status().json()["worker"]["id"]
    [run] = http.get("/api/runs", params={"workerId": worker}).raise_for_status().json()
    return str(run["id"])


def wait_for_numbers(http: httpx.Client, run_id: str, seconds: float = 30) -> None:
    """Until no line of the run waits in the reorder window any more."""
    ends = time.monotonic() + seconds
    newest = f"/api/runs/{run_id}/log?tail=true&limit=1"
    while http.get(newest).raise_for_status().json()["lines"][-1]["n"] is None:
        assert time.monotonic() < ends, "lines wait for their numbers for ever"
        time.sleep(0.1)

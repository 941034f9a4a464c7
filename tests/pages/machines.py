"""An agent as the server hears it: what a test wants to be seen is said over the real API."""

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

from tests.pages.conftest import Server

MINUTE = 60_000_000


def micros() -> int:
    """Now, as agents write it."""
    return time.time_ns() // 1000


class Machine:
    """One enrolled agent with a session, and the run it claimed if it did."""

    def __init__(self, server: Server, name: str, gpu: str = "NVIDIA RTX A6000") -> None:
        self.server = server
        self.name = name
        who = {
            "fingerprint": {"machineId": name, "hostname": name, "bootId": "boot"},
            "facts": {"hostname": name, "gpuName": gpu},
        }
        enrolled = server.post("/api/agent/v1/enrol", who)
        self.id = str(enrolled["workerId"])
        self.headers = {"Authorization": f"Bearer {enrolled['credential']}"}
        self.session = str(self._post("session", {**who, "sentAt": micros()})["sessionId"])
        self.run = ""
        self._offset = 0

    def claim(self) -> str:
        """Take the next assignment; the run's id."""
        job = self._post("claim", {"sessionId": self.session})["job"]
        self.run, self.headers["X-Goliat-Fence"] = str(job["runId"]), job["fence"]
        return self.run

    def beat(self, *, gpu: float | None = None, notes: Sequence[str] = (), skew_s: float = 0) -> None:
        """A heartbeat."""
        said: dict[str, Any] = {
            "sessionId": self.session,
            "sentAt": micros() + round(skew_s * 1e6),
            "notes": list(notes),
            "vitals": {} if gpu is None else {"gpu": gpu},
        }
        if self.run:
            said["run"] = {"runId": self.run}
        self._post("heartbeat", said)

    def say(self, *texts: str, level: str = "info") -> None:
        """Log lines."""
        at = micros()
        self._send([{"k": "line", "time": at, "level": level, "source": "s", "text": text} for text in texts])

    def tell(self, **message: object) -> None:
        """A message of GOLIAT's window."""
        self._send([{"k": "message", "sentAt": micros(), "message": message}])

    def end(self, exit_code: int = 1) -> dict[str, Any]:
        """The process ended and everything was delivered."""
        said = {
            "cause": "exited", "exitCode": exit_code, "endedAt": micros(), "stream": "s1", "nextOffset": self._offset,
        }  # fmt: skip
        judged: dict[str, Any] = self._post(f"runs/{self.run}/end", said)
        self.run, self._offset = "", 0
        self.headers.pop("X-Goliat-Fence")
        return judged

    def _send(self, items: list[dict[str, Any]]) -> None:
        self._post(f"runs/{self.run}/batch", {"stream": "s1", "offset": self._offset, "items": items})
        self._offset += len(items)

    def _post(self, path: str, body: object) -> Any:
        answer = self.server.api.post(f"/api/agent/v1/{path}", json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


def rewrite(server: Server, statement: str, *values: object) -> None:
    """Change what the server knows: time that a test cannot wait for."""
    connection = sqlite3.connect(server.data_dir / "goliat-monitoring.sqlite", timeout=20)
    try:
        with connection:
            assert connection.execute(statement, values).rowcount
    finally:
        connection.close()


def fall_silent(server: Server, machine: Machine, minutes: int) -> None:
    """As if the machine was last heard so long ago, and its lease ended with that."""
    last = micros() - minutes * MINUTE
    rewrite(server, "UPDATE workers SET last_seen = ? WHERE id = ?", last, machine.id)
    if machine.run:
        ended = last + 10 * MINUTE
        rewrite(server, "UPDATE runs SET lease_until = ? WHERE id = ?", ended, machine.run)

"""A GPU machine as its agent speaks to the server, for tests of pages: every message is sent by hand."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterable, Mapping

import msgspec

from goliat_monitoring.agent.api import Server as Api
from goliat_monitoring.simulator.pictures import screenshot
from goliat_monitoring.wire import agent as wire
from tests.pages.conftest import Server

SECOND = 1_000_000
CASES = ("thelonious, 700MHz, x_pos, theta", "thelonious, 700MHz, x_pos, phi")
FACTS = wire.Facts(
    gpu_name="NVIDIA GeForce RTX 4090", gpu_count=1, vram_bytes=24 << 30, cpu_cores=32, ram_bytes=128 << 30,
    os="Windows 10", agent_version="0.1.0", goliat_version="1.5.0", python_version="3.11.9", tags=["rented"],
)  # fmt: skip


def now() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


class Machine:
    """An enrolled agent. `claim` gives it a job; what it sends is about that job."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.api = Api(server.url, 10.0)
        self._print = wire.Fingerprint(machine_id=name, hostname=name, boot_id="boot-1")
        enrolled = self.api.enrol(wire.Enrol(fingerprint=self._print, facts=FACTS), None)
        self.id, self.api.credential = enrolled.worker_id, enrolled.credential
        self.open_session()
        self.job: wire.Job | None = None
        self._offset = 0

    def close(self) -> None:
        """Hang up."""
        self.api.close()

    @property
    def run(self) -> str:
        """The id of its run."""
        assert self.job is not None
        return self.job.run_id

    @property
    def _fence(self) -> str:
        assert self.job is not None
        return self.job.fence

    def open_session(self) -> None:
        """Start the agent, once more."""
        opening = wire.OpenSession(self._print, msgspec.structs.replace(FACTS, hostname=self._print.hostname), now())
        self._session = self.api.open_session(opening).session_id

    def claim(self) -> str:
        """The next assignment; its run's id."""
        self.job, self._offset = self.api.claim(wire.Claim(session_id=self._session)).job, 0
        return self.run

    def beat(self, vitals: Mapping[str, float] | None = None) -> wire.BeatReply:
        """A heartbeat."""
        run = wire.RunSummary(run_id=self.run, goliat_alive=True) if self.job is not None else None
        beat = wire.Beat(session_id=self._session, sent_at=now(), run=run, vitals=dict(vitals or {}))
        return self.api.beat(beat, self._fence if self.job is not None else None)

    def send(self, *items: wire.Item) -> None:
        """Deliver items of the run's stream."""
        body = msgspec.json.encode(wire.Batch("s1", self._offset, list(items)))
        self.api.batch(self.run, self._fence, body)
        self._offset += len(items)

    def say(self, *texts: str, level: str = "progress") -> None:
        """Log lines, written now."""
        self.send(*(wire.LineItem(now(), level, "status", text) for text in texts))

    def tell(self, kind: str, **fields: object) -> None:
        """A message of GOLIAT's window, sent now."""
        self.send(wire.MessageItem(now(), {"type": kind, **fields}))

    def simulate(self, number: int) -> None:
        """Simulation `number` of two begins, counted from 1."""
        case = CASES[number - 1]
        self.say(f"--- Processing Simulation {number}/2: {case} ---", level="header")
        self.tell("sim_details", count=number, total=2, details=case)

    def upload(self, path: str, name: str, content: bytes) -> None:
        """A result file."""
        digest = hashlib.sha256(content).hexdigest()
        self.api.artifact(
            self.run, self._fence, path=path, name=name, sha256=digest, cached=False, body=[content], size=len(content)
        )

    def picture(self, tab: str, percent: float, seed: int = 1) -> None:
        """A picture of one of the window's tabs."""
        self.api.screenshot(self.run, self._fence, tab=tab, at=now(), body=screenshot(tab, percent, "1/2", seed))

    def end(self, exit_code: int = 0, cause: wire.EndCause = "exited") -> wire.Ended:
        """The process is over, and everything was delivered."""
        end = wire.End(cause=cause, exit_code=exit_code, ended_at=now(), stream="s1", next_offset=self._offset)
        ended, self.job = self.api.end(self.run, self._fence, end), None
        return ended

    def past_samples(self, kind: str, rows: Iterable[tuple[float, Mapping[str, float]]]) -> None:
        """Samples (unix seconds, values) as if they had come at their time: a live server takes one in five seconds."""
        with sqlite3.connect(self.server.data_dir / "goliat-monitoring.sqlite", timeout=20) as database:
            database.executemany(
                "INSERT OR REPLACE INTO samples (run_id, kind, step, sender_at, received_at, body) "
                "VALUES (?, ?, 0, ?, ?, ?)",
                [
                    (self.run, kind, round(at * SECOND), round(at * SECOND), json.dumps(dict(values)))
                    for at, values in rows
                ],
            )
        database.close()

    def began(self, seconds_ago: float) -> None:
        """Its run was claimed so long ago."""
        with sqlite3.connect(self.server.data_dir / "goliat-monitoring.sqlite", timeout=20) as database:
            at = now() - round(seconds_ago * SECOND)
            database.execute("UPDATE runs SET claimed_at = ?, first_sign_at = ? WHERE id = ?", (at, at, self.run))
        database.close()

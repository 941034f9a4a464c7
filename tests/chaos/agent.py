"""A light agent: no GOLIAT and no relay, but a real client of the server in everything that chaos can break.

It has an identity, sessions, heartbeats, a lease, a fence, a memory on disk that outlives kill -9, a stream that it
sends again from where the server is, and files whose hashes it writes down. What it "computes" follows from the id of
its run, so that a restarted agent goes on with the same bytes. The connection is that of the product's agent
(`agent.api.Server`), over real HTTP.
"""

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from goliat_monitoring.agent.api import Server, Unreachable, is_fenced
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.statedir import write_atomic
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.errors import Refused

T = TypeVar("T")
STREAM = "chaos"
LINES = 24
PORTIONS = 3
STALL_S = 10.0
CLAIM_WAIT_S = 10.0


class Held(msgspec.Struct):
    """The run at hand."""

    run_id: str
    fence: str
    folder: str
    details: str
    lease_s: float


class Memory(msgspec.Struct):
    """What lies on the agent's disk."""

    worker_id: str = ""
    credential: str = ""
    held: Held | None = None


def micros() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


def text_of(run_id: str, number: int) -> str:
    """Line `number` (from 0) of a run."""
    return f"{run_id} line {number}"


def items_of(held: Held) -> list[wire.Item]:
    """All that a run says, with the proof of its one simulation before the last line."""
    start: dict[str, object] = {"type": "sim_details", "count": 1, "total": 1, "details": held.details}
    proof: dict[str, object] = {"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1}
    lines: list[wire.Item] = [
        wire.LineItem(1_800_000_000_000_000 + i, "progress", "status", text_of(held.run_id, i)) for i in range(LINES)
    ]
    return [
        wire.MessageItem(1_800_000_000_000_000, start),
        *lines,
        wire.MessageItem(1_800_000_000_000_000 + LINES, proof),
    ]


def files_of(run_id: str) -> list[tuple[str, bytes]]:
    """The results of a run: one to three files, some of them large."""
    dice = random.Random(run_id)
    names = ["sar_results.json", "verbose.log", "sar_stats_all_tissues.pkl"][: dice.choice([1, 1, 2, 3])]
    return [(name, dice.randbytes(dice.choice([300, 5_000, 90_000]))) for name in names]


class LightAgent:
    """`run` is the body of a thread; another one beats. Ends only with its process."""

    def __init__(self, url: str, folder: Path, name: str, work_s: tuple[float, float]) -> None:
        """`work_s`: shortest and longest run, seconds."""
        self._name = name
        self._work_s = work_s
        self._folder = folder
        self._server = Server(url, STALL_S)
        self._lease = Lease(gap_s=600.0)
        self._fenced = threading.Event()
        self._session = ""
        self._dice = random.Random(f"{name} {time.time_ns()}")
        folder.mkdir(parents=True, exist_ok=True)
        self._memory = self._load()

    def run(self) -> None:
        """For ever: open a session, go on with what was at hand, then take one assignment after the other."""
        retry = Backoff(0.1, 2.0)
        while True:
            try:
                self._live()
            except Unreachable:
                time.sleep(retry.step())
            except Refused as refused:
                self._note("refused", f"{refused.status} {refused.error}: {refused.details}")
                time.sleep(retry.step())

    def _live(self) -> None:
        if not self._memory.worker_id:
            self._enrol()
        self._server.credential = self._memory.credential
        opened = self._server.open_session(wire.OpenSession(self._who(), self._facts(), micros()))
        self._session = opened.session_id
        threading.Thread(target=self._beats, args=(opened.session_id, opened.heartbeat_s), daemon=True).start()
        while True:
            if self._memory.held is None and not self._claim():
                continue
            self._work()

    def _enrol(self) -> None:
        enrolled = self._server.enrol(wire.Enrol(self._who(), self._facts(), label=self._name), None)
        self._memory = Memory(enrolled.worker_id, enrolled.credential)
        self._save()

    def _claim(self) -> bool:
        claimed = self._call(lambda: self._server.claim(wire.Claim(self._session, CLAIM_WAIT_S)))
        job = claimed.job
        if job is None:
            return False
        self._fenced.clear()
        case = job.cases[0]
        self._lease.renew(self._lease.now(), job.lease_s)
        self._memory.held = Held(job.run_id, job.fence, case.relative_path, case.details, job.lease_s)
        self._save()
        return True

    def _work(self) -> None:
        held = self._memory.held
        assert held is not None
        items, files = items_of(held), files_of(held.run_id)
        seconds = self._dice.uniform(*self._work_s)
        produced, sent = 0, 0
        for portion in range(1, PORTIONS + 1):
            if self._fenced.wait(seconds / PORTIONS):
                break
            produced = len(items) * portion // PORTIONS
            sent = self._ship(held, items[:produced], sent)
        whole = produced == len(items)
        # Ended early, its processes had written some of it.
        files = files if whole else files[: self._dice.randint(0, len(files))]
        manifest = [self._upload(held, name, body) for name, body in files]
        self._end(held, items[:produced], manifest, whole=whole)
        self._memory.held = None
        self._lease.drop()
        self._save()

    def _ship(self, held: Held, items: list[wire.Item], sent: int) -> int:
        """Deliver `items` from `sent` on; returns how many the server has."""
        while sent < len(items):
            batch = wire.Batch(STREAM, sent, items[sent:])
            try:
                accepted = self._call(lambda: self._server.batch(held.run_id, held.fence, msgspec.json.encode(batch)))  # noqa: B023 - called at once
            except Refused as refused:
                behind = refused.extra.get("next")
                if refused.status != 409 or not isinstance(behind, int):
                    raise
                sent = behind
                continue
            if accepted.late:
                self._fenced.set()
            sent = accepted.next
        return sent

    def _upload(self, held: Held, name: str, body: bytes) -> tuple[str, str, str]:
        digest = hashlib.sha256(body).hexdigest()
        stored = self._call(
            lambda: self._server.artifact(
                held.run_id, held.fence, path=held.folder, name=name, sha256=digest, cached=False, body=[body],
                size=len(body),
            )
        )  # fmt: skip
        assert stored.sha256 == digest
        self._note("file", {"run": held.run_id, "path": held.folder, "name": name, "sha256": digest})
        return held.folder, name, digest

    def _end(self, held: Held, items: list[wire.Item], manifest: list[tuple[str, str, str]], *, whole: bool) -> None:
        cause: wire.EndCause = "exited" if whole else "fenced"
        said = wire.End(cause, 0 if whole else None, micros(), STREAM, len(items), manifest=manifest)
        while True:
            try:
                ended = self._call(lambda: self._server.end(held.run_id, held.fence, said))
            except Refused as refused:
                # A cut connection may have taken what was sent last.
                behind = refused.extra.get("next")
                if refused.status != 409 or not isinstance(behind, int):
                    raise
                self._ship(held, items, behind)
                continue
            self._note("ended", {"run": held.run_id, "state": ended.state})
            return

    def _beats(self, session: str, pause: float) -> None:
        retry = Backoff(0.1, 2.0)
        while session == self._session:
            held = self._memory.held
            run = wire.RunSummary(held.run_id, goliat_alive=True) if held and not self._fenced.is_set() else None
            asked = self._lease.now()
            try:
                reply = self._server.beat(
                    wire.Beat(session, micros(), run), held.fence if held is not None and run is not None else None
                )
                self._lease.renew(asked, reply.lease_s)
                retry.reset()
                time.sleep(min(pause, reply.next_s))
            except Refused as refused:
                if is_fenced(refused) and held is not None and self._memory.held is held:
                    self._fenced.set()
                    # The rest is delivered without a lease.
                    self._lease.drop()
                    self._lease.renew(asked, None)
                time.sleep(retry.step())
            except Unreachable:
                time.sleep(retry.step())

    def _call(self, call: Callable[[], T]) -> T:
        """Until it is answered, as an outbox does; nothing is sent before a lease that may be over was renewed."""
        retry = Backoff(0.1, 2.0)
        while True:
            if not self._lease.wait_renewed(1.0):
                continue
            try:
                return call()
            except Unreachable as problem:
                time.sleep(problem.retry_after or retry.step())

    def _who(self) -> wire.Fingerprint:
        return wire.Fingerprint(self._name, self._name, "boot")

    def _facts(self) -> wire.Facts:
        return wire.Facts(hostname=self._name, gpu_name="simulated", vram_bytes=24 * 10**9, agent_version="chaos")

    def _load(self) -> Memory:
        try:
            return msgspec.json.decode((self._folder / "memory.json").read_bytes(), type=Memory)
        except FileNotFoundError:
            return Memory()

    def _save(self) -> None:
        write_atomic(self._folder / "memory.json", msgspec.json.encode(self._memory))

    def _note(self, kind: str, what: object) -> None:
        """What the agent itself knows, for the comparison at the end. A write outlives kill -9 of its process."""
        with (self._folder / "notes.jsonl").open("a") as file:
            file.write(json.dumps([kind, what]) + "\n")

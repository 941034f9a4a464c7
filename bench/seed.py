"""Databases that hold much already, made by the store's own units of work: what is in them is what it writes."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, insert

from bench.lines import NEEDLE, lines
from goliat_monitoring.store import agents, claims, studies, tables
from goliat_monitoring.store.database import Database, sqlite_url
from goliat_monitoring.store.engine import make_engine
from goliat_monitoring.store.grants import secret_hash
from goliat_monitoring.store.ingest.bare import gui_message
from goliat_monitoring.store.ingest.hear import hear
from goliat_monitoring.store.log import seal
from goliat_monitoring.store.log.append import append
from goliat_monitoring.store.migrate import migrate
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.ids import new_id, new_secret
from goliat_monitoring.wire.lines import Line
from tests.support.studies import CONFIG

STUDY_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent with a run of its own."""

    worker_id: str
    session_id: str
    credential: str
    run_id: str
    fence: str


@contextmanager
def database(data_dir: Path) -> Iterator[Database]:
    """The store of a server that is not running: its schema up to date, its writer at work."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with database_at(sqlite_url(data_dir)) as db:
        yield db


@contextmanager
def database_at(url: str) -> Iterator[Database]:
    """`database`, wherever it lies."""
    migrate(url)
    db = Database(url)
    db.start()
    try:
        yield db
    finally:
        db.close()


def now() -> Moment:
    """The moment of a unit of work."""
    return Moment(time.time_ns() // 1000)


def assignments(db: Database, count: int, name: str = "bench") -> None:
    """`count` pending assignments in studies of at most 1,000, the oldest first."""
    for number, start in enumerate(range(0, count, STUDY_SIZE)):
        parts = [CONFIG] * min(STUDY_SIZE, count - start)
        db.submit(partial(_study, name=f"{name}-{number}", parts=parts)).result()


def fleet(db: Database, count: int) -> list[Seat]:
    """`count` agents, each enrolled, with a session and a claimed run. There must be as many pending assignments."""
    return [db.submit(partial(_seat, number=number)).result() for number in range(count)]


def idle_agents(url: str, count: int) -> list[tuple[str, str]]:
    """`count` enrolled agents with a session and without a run: credential and session of each.

    Straight into the tables of the database at `url`, whether a server is at work or not: thousands of them, of which
    each claims once.
    """
    made = [(new_id(), new_id(), new_secret()) for _ in range(count)]
    engine = make_engine(url)
    with engine.begin() as connection:
        _idle(connection, made)
    engine.dispose()
    return [(secret, session_id) for _, session_id, secret in made]


def bare_run(db: Database, machine_id: str) -> str:
    """The run of a bare client that has begun to speak."""
    moment = now()
    said = GuiUpdate(
        machine_id=machine_id, message={"type": "start_animation", "estimate": 1, "end_value": 100},
        timestamp=moment.now / SECOND,
    )  # fmt: skip
    (run_id,) = db.submit(lambda c: hear(c, [gui_message(said, moment, "127.0.0.1")])).result()
    return str(run_id)


def fill(
    db: Database,
    run_id: str,
    number: int,
    count: int,
    *,
    batch: int = 1000,
    same: bool = False,
    needle: int = 0,
    sealed: bool = False,
) -> None:
    """Append `count` lines to a run; `number` stands in them. `same`: all batches alike, where none is read again.
    `needle`: the line that ends with a word that no other has. `sealed`: as they come, as a server does it.
    """
    began = now().now - count * 20_000
    ready = lines(number, 1, batch, began) if same else []
    waiting = []
    for first in range(1, count + 1, batch):
        size = min(batch, count + 1 - first)
        some = ready[:size] if same else lines(number, first, size, began + first * 20_000)
        if first <= needle < first + size:
            some[needle - first] = msgspec.structs.replace(some[needle - first], text=f"{some[0].text} {NEEDLE}")
        waiting.append(db.submit(partial(_append, run_id=run_id, some=some)))
        if len(waiting) >= 64:
            for future in waiting:
                future.result()
            waiting.clear()
            if sealed:
                settle(db)
    for future in waiting:
        future.result()


def _idle(connection: Connection, made: Sequence[tuple[str, str, str]]) -> None:
    at = now().now
    facts = msgspec.json.encode(wire.Facts(gpu_name="RTX 4090", vram_bytes=24 * 10**9, cpu_cores=16)).decode()
    connection.execute(insert(tables.workers), [
        {"id": worker, "kind": "agent", "hostname": worker[-12:], "facts": facts, "last_seen": at, "created_at": at}
        for worker, _, _ in made
    ])  # fmt: skip
    connection.execute(insert(tables.sessions), [
        {"id": session, "worker_id": worker, "fingerprint": worker, "started_at": at, "last_seen": at}
        for worker, session, _ in made
    ])  # fmt: skip
    connection.execute(insert(tables.credentials), [
        {"id": new_id(), "secret_hash": secret_hash(secret), "kind": "agent", "worker_id": worker, "created_at": at}
        for worker, _, secret in made
    ])  # fmt: skip


def settle(db: Database) -> None:
    """Seal what a server would seal in its first minutes, so that it has nothing to do but what is measured."""
    sealed = True
    while sealed:
        sealed = False
        for one in db.read_now(partial(seal.candidates, moment=now())):
            while parcel := db.read_now(partial(seal.prepare, moment=now(), candidate=one)):
                db.submit(partial(seal.put, parcel=parcel)).result()
                sealed = True


def _append(connection: Connection, run_id: str, some: Sequence[Line]) -> None:
    append(connection, now(), run_id, some)


def _study(connection: Connection, name: str, parts: list[dict[str, Any]]) -> str:
    return studies.create(
        connection, now(), name=name, description="", base_config=CONFIG, split_configs=parts, actor="bench"
    )


def _seat(connection: Connection, number: int) -> Seat:
    moment = now()
    who = wire.Fingerprint(machine_id=f"bench-{number}", hostname=f"bench-{number}", boot_id="boot")
    facts = wire.Facts(hostname=f"bench-{number}", gpu_name="RTX 4090", cpu_cores=16, ram_bytes=64 * 2**30)
    enrolled = agents.enrol(connection, moment, wire.Enrol(fingerprint=who, facts=facts), "127.0.0.1")
    opened = agents.open_session(
        connection, moment, enrolled.worker_id, wire.OpenSession(who, facts, moment.now), "127.0.0.1"
    )
    job = claims.claim_next_for_agent(connection, moment, enrolled.worker_id, opened.session_id)
    if job is None:
        raise RuntimeError("no assignment is left to claim")
    return Seat(enrolled.worker_id, opened.session_id, enrolled.credential, job.run_id, job.fence)

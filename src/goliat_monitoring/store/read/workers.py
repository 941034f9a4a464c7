"""The fleet: every worker with what it is, how present it is and its newest run. Never reads a log."""

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, or_, select

from goliat_monitoring.fleet.presence import has_left, presence, worker_state
from goliat_monitoring.fleet.prices import price_of
from goliat_monitoring.fleet.states import Presence, RunState, WorkerState
from goliat_monitoring.fleet.trace import Trace
from goliat_monitoring.store import conditions, driver, tables
from goliat_monitoring.store.read.prices import gpu_prices
from goliat_monitoring.store.read.runs import RunBrief, RunSummary, briefs_per_worker, newest_per_worker, worker_name
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.errors import Refused

workers = tables.workers
# From so many on all are read at once.
MANY = 100
_facts = msgspec.json.Decoder(Facts)
_notes = msgspec.json.Decoder(list[str])
_vitals = msgspec.json.Decoder(dict[str, float])


class _Row(NamedTuple):
    """The columns that a view is made of; a brief one is made without the last. By name a row of SQLAlchemy is slow to
    look into, and there are thousands."""

    id: str
    kind: str
    machine_id: str | None
    hostname: str
    label: str
    ip: str
    facts: str
    wish: str
    notes: str
    vitals: str
    clock_skew: int | None
    price_per_hour: float | None
    last_seen: int
    left_at: int | None
    created_at: int
    conditions: str = "{}"
    gpu_trace: str | None = None


_SELECT = select(*(workers.c[name] for name in _Row._fields))
_NEWEST_SEEN = "FROM workers ORDER BY last_seen DESC, id DESC"
_ALL = f"SELECT {', '.join(_Row._fields)} {_NEWEST_SEEN}"
_ALL_IN_BRIEF = f"SELECT {', '.join(_Row._fields[:-2])} {_NEWEST_SEEN}"


R = TypeVar("R", bound=RunBrief)


class WorkerBrief(msgspec.Struct, Generic[R], frozen=True, gc=False):
    """One worker, as the list of all tells it. Times in UTC microseconds.

    `state` and `presence` are derived at the time of the query. `run`: its newest live run, else its newest.
    `ambiguous`: ids of the other live workers under the same machine id; then nobody knows which of them speaks.
    `set_aside`: names of the studies of which it gets nothing more, because its runs of them failed.
    `clock_skew`: its clock minus the server's, microseconds. `price_per_hour`: what counts; `own_price`: what it has of
    its own, else that of its GPU model counts. `has_left`: its agent ended itself in good order.
    """

    id: str
    kind: str
    machine_id: str | None
    hostname: str
    label: str
    ip: str
    facts: Facts
    wish: str
    notes: list[str]
    vitals: dict[str, float]
    clock_skew: int | None
    price_per_hour: float | None
    own_price: float | None
    last_seen: int
    created_at: int
    state: WorkerState
    presence: Presence
    has_left: bool
    run: R | None
    ambiguous: list[str]
    set_aside: list[str]


class WorkerView(WorkerBrief[RunSummary], frozen=True, gc=False):
    """One worker, as pages show it. `conditions`: each of `notes`, and clock_off, with the time since which an agent's
    heartbeats tell it. `gpu_trace`: how busy its GPU was lately.
    """

    name: str
    conditions: dict[str, int]
    gpu_trace: Trace


W = TypeVar("W", bound=WorkerBrief[Any])


def list_workers(connection: Connection, now: int, *, with_removed: bool = False) -> list[WorkerView]:
    """All workers, newest seen first; `now` in UTC microseconds."""
    return _views(connection, now, _rows(connection, _ALL), newest_per_worker(connection), with_removed)


def list_briefly(connection: Connection, now: int, *, with_removed: bool = False) -> list[WorkerBrief[RunBrief]]:
    """`list_workers`, of which nothing is read or made that the list of all does not tell."""
    known, newest = _Known(connection, now, _rows(connection, _ALL_IN_BRIEF)), briefs_per_worker(connection)
    return [
        _of(WorkerBrief, row, newest.get(row.id), known) for row in known.rows if with_removed or row.wish != "removed"
    ]


def _rows(connection: Connection, sql: str) -> list[_Row]:
    return [_Row(*row) for row in driver.fetch(connection, sql)]


class _Known:
    """What is looked up once for all rows. `rows`: with each worker all others of its machine id, which may make it
    ambiguous."""

    def __init__(self, connection: Connection, now: int, rows: Sequence[_Row]) -> None:
        self.rows, self.now = rows, now
        self.aside = _set_aside(connection)
        self.by_gpu = gpu_prices(connection)
        self._live_by_machine: dict[str, list[str]] = {}
        for row in rows:
            if row.machine_id and row.wish != "removed" and self.presence(row) is Presence.ONLINE:
                self._live_by_machine.setdefault(row.machine_id, []).append(row.id)

    def presence(self, row: _Row) -> Presence:
        """Whether it is heard."""
        return presence(row.kind, row.last_seen, self.now, row.left_at)

    def beside(self, row: _Row) -> list[str]:
        """Who else is live under its machine id, where it is live itself."""
        alike = self._live_by_machine.get(row.machine_id or "", ())
        return [other for other in alike if other != row.id] if row.id in alike else []


def _views(
    connection: Connection, now: int, rows: Sequence[_Row], newest: Mapping[str, RunSummary], with_removed: bool
) -> list[WorkerView]:
    known = _Known(connection, now, rows)
    return [
        _of(
            WorkerView,
            row,
            newest.get(row.id),
            known,
            worker_name(row.label, row.hostname, row.machine_id, row.id),
            conditions.since(row.conditions),
            conditions.trace(row.gpu_trace),
        )
        for row in rows
        if with_removed or row.wish != "removed"
    ]


def find_workers(connection: Connection, now: int, key: str) -> list[WorkerView]:
    """Workers that `key` names: the one with this id, else those with this machine id, else those last heard from
    this address, else those that people call so. Best match first: online before late before offline, then the newest
    run, then the newest seen.
    """
    own = (workers.c.id, workers.c.machine_id, workers.c.ip, workers.c.label, workers.c.hostname)
    near = _near(connection, now, or_(*(column == key for column in own)))
    for match in (
        [worker for worker in near if worker.id == key],
        [worker for worker in near if worker.machine_id == key and worker.wish != "removed"],
        [worker for worker in near if worker.ip == key and worker.wish != "removed"],
        [worker for worker in near if worker.name == key and worker.wish != "removed"],
    ):
        if match:
            return sorted(match, key=_nearness)
    return []


def workers_by_id(connection: Connection, now: int, ids: Collection[str]) -> dict[str, WorkerView]:
    """Those of these workers that are known, removed ones included."""
    if not ids:
        return {}
    if len(ids) > MANY:
        return {worker.id: worker for worker in list_workers(connection, now, with_removed=True)}
    return {worker.id: worker for worker in _near(connection, now, workers.c.id.in_(ids)) if worker.id in ids}


def _near(connection: Connection, now: int, named: ColumnElement[bool]) -> list[WorkerView]:
    """The workers that are `named`, and all others of their machine ids."""
    beside = select(workers.c.machine_id).where(named, workers.c.machine_id != "")
    rows = [_Row(*row) for row in connection.execute(_SELECT.where(or_(named, workers.c.machine_id.in_(beside))))]
    newest = newest_per_worker(connection, [row.id for row in rows])
    return _views(connection, now, rows, newest, True)


def get_worker(connection: Connection, now: int, key: str) -> WorkerView:
    """The best match of `find_workers`. Raises `Refused` 404."""
    found = find_workers(connection, now, key)
    if not found:
        raise Refused(404, "no such worker", f"{key!r:.80} is no id, machine id, address or name of a worker")
    return found[0]


def _nearness(worker: WorkerView) -> tuple[int, int, int]:
    present = ("online", "late", "offline").index(worker.presence)
    claimed = worker.run.claimed_at if worker.run is not None and worker.run.live else 0
    return (present, -claimed, -worker.last_seen)


def _of(kind: type[W], row: _Row, run: RunBrief | None, known: _Known, *more: Any) -> W:
    """`more`: the fields that `kind` has besides."""
    facts = _facts.decode(row.facts)
    # By position: with names it takes twenty times as long.
    return kind(
        row.id,
        row.kind,
        row.machine_id,
        row.hostname,
        row.label,
        row.ip,
        facts,
        row.wish,
        _notes.decode(row.notes),
        _vitals.decode(row.vitals),
        row.clock_skew,
        price_of(row.price_per_hour, facts.gpu_name, known.by_gpu),
        row.price_per_hour,
        row.last_seen,
        row.created_at,
        _state(row.wish, None if run is None else run.state),
        known.presence(row),
        has_left(row.last_seen, row.left_at),
        run,
        known.beside(row),
        known.aside.get(row.id, []),
        *more,
    )


@lru_cache(256)
def _state(wish: str, of_run: str | None) -> WorkerState:
    """What a worker does whose newest run is in this state. There are few words for either."""
    last = None if of_run is None else RunState(of_run)
    live = last is not None and not last.terminal
    return worker_state(wish, last if live else None, None if live else last)


def _set_aside(connection: Connection) -> dict[str, list[str]]:
    table, studies = tables.set_aside, tables.super_studies
    found: dict[str, list[str]] = {}
    for row in connection.execute(
        select(table.c.worker_id, studies.c.name)
        .join(studies, studies.c.id == table.c.super_study_id)
        .where(table.c.lifted_at.is_(None))
        .order_by(table.c.at)
    ):
        found.setdefault(row.worker_id, []).append(row.name)
    return found

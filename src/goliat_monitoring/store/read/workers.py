"""The fleet: every worker with what it is, how present it is and its newest run. Never reads a log."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, or_, select

from goliat_monitoring.fleet.presence import has_left, presence, worker_state
from goliat_monitoring.fleet.prices import price_of
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.trace import Trace
from goliat_monitoring.store import conditions, tables
from goliat_monitoring.store.read.prices import gpu_prices
from goliat_monitoring.store.read.runs import RunSummary, newest_per_worker, worker_name
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.errors import Refused

workers = tables.workers
# From so many on all are read at once.
MANY = 100


class _Row(NamedTuple):
    """The columns that a view is made of. By name a row of SQLAlchemy is slow to look into, and there are thousands."""

    id: str
    kind: str
    machine_id: str | None
    hostname: str
    label: str
    ip: str
    facts: str
    wish: str
    notes: str
    conditions: str
    vitals: str
    gpu_trace: str | None
    clock_skew: int | None
    price_per_hour: float | None
    last_seen: int
    left_at: int | None
    created_at: int


_SELECT = select(*(workers.c[name] for name in _Row._fields))


class WorkerView(msgspec.Struct, frozen=True, kw_only=True):
    """One worker. Times in UTC microseconds.

    `state` and `presence` are derived at the time of the query. `run`: its newest live run, else its newest.
    `ambiguous`: ids of the other live workers under the same machine id; then nobody knows which of them speaks.
    `set_aside`: names of the studies of which it gets nothing more, because its runs of them failed.
    `clock_skew`: its clock minus the server's, microseconds. `price_per_hour`: what counts; `own_price`: what it has of
    its own, else that of its GPU model counts. `conditions`: each of `notes`, and clock_off, with the time since which
    an agent's heartbeats tell it. `has_left`: its agent ended itself in good order. `gpu_trace`: how busy its
    GPU was lately.
    """

    id: str
    kind: str
    name: str
    machine_id: str | None
    hostname: str
    label: str
    ip: str
    facts: Facts
    wish: str
    notes: list[str]
    conditions: dict[str, int]
    vitals: dict[str, float]
    gpu_trace: Trace
    clock_skew: int | None
    price_per_hour: float | None
    own_price: float | None
    last_seen: int
    created_at: int
    state: str
    presence: str
    has_left: bool
    run: RunSummary | None
    ambiguous: list[str]
    set_aside: list[str]


def list_workers(connection: Connection, now: int, *, with_removed: bool = False) -> list[WorkerView]:
    """All workers, newest seen first; `now` in UTC microseconds."""
    rows = _rows(connection, _SELECT.order_by(workers.c.last_seen.desc(), workers.c.id.desc()))
    return _views(connection, now, rows, newest_per_worker(connection), with_removed)


def _rows(connection: Connection, query: Select[Any]) -> list[_Row]:
    return [_Row._make(row) for row in connection.execute(query)]


def _views(
    connection: Connection, now: int, rows: Sequence[_Row], newest: Mapping[str, RunSummary], with_removed: bool
) -> list[WorkerView]:
    """`rows`: with each worker all others of its machine id, which may make it ambiguous."""
    aside = _set_aside(connection)
    by_gpu = gpu_prices(connection)
    live_by_machine: dict[str, list[str]] = {}
    for row in rows:
        if row.machine_id and row.wish != "removed" and presence(row.kind, row.last_seen, now, row.left_at) == "online":
            live_by_machine.setdefault(row.machine_id, []).append(row.id)
    return [
        _view(
            row, newest.get(row.id), now, live_by_machine.get(row.machine_id or "", []), aside.get(row.id, []), by_gpu
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
    rows = _rows(connection, _SELECT.where(or_(named, workers.c.machine_id.in_(beside))))
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


def _view(
    row: _Row,
    run: RunSummary | None,
    now: int,
    alike: list[str],
    aside: list[str],
    by_gpu: Mapping[str, float],
) -> WorkerView:
    facts = msgspec.json.decode(row.facts, type=Facts)
    last = None if run is None else RunState(run.state)
    live = last is not None and not last.terminal
    return WorkerView(
        id=row.id,
        kind=row.kind,
        name=worker_name(row.label, row.hostname, row.machine_id, row.id),
        machine_id=row.machine_id,
        hostname=row.hostname,
        label=row.label,
        ip=row.ip,
        facts=facts,
        wish=row.wish,
        notes=msgspec.json.decode(row.notes, type=list[str]),
        conditions=conditions.since(row.conditions),
        vitals=msgspec.json.decode(row.vitals, type=dict[str, float]),
        gpu_trace=conditions.trace(row.gpu_trace),
        clock_skew=row.clock_skew,
        price_per_hour=price_of(row.price_per_hour, facts.gpu_name, by_gpu),
        own_price=row.price_per_hour,
        last_seen=row.last_seen,
        created_at=row.created_at,
        state=worker_state(row.wish, last if live else None, None if live else last),
        presence=presence(row.kind, row.last_seen, now, row.left_at),
        has_left=has_left(row.last_seen, row.left_at),
        run=run,
        ambiguous=[other for other in alike if other != row.id] if row.id in alike else [],
        set_aside=aside,
    )


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

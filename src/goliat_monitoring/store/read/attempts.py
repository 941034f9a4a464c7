"""All attempts of a study in a span of time: who computed what, when, and how it ended."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Select, case, func, or_, select

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import worker_name

runs, assignments, workers = tables.runs, tables.assignments, tables.workers
UNHEARD = ("unreachable", "lost")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `until`: its end; for one that is not heard, its last sign; None while it goes on. UTC microseconds."""

    run_id: str
    assignment_id: str
    index: int
    attempt: int
    worker_id: str
    worker_name: str
    state: str
    reason: str
    assignment_state: str
    begin: int
    until: int | None
    ended_at: int | None

    @property
    def live(self) -> bool:
        """Not over yet."""
        return not RunState(self.state).terminal


def span_of(connection: Connection, study_id: str) -> tuple[int, int] | None:
    """When the study's first run was claimed and when its last ended, or that first claim while none has; None before
    any."""
    query = (
        select(func.min(runs.c.claimed_at).label("first"), func.max(runs.c.ended_at).label("last"))
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(assignments.c.super_study_id == study_id)
    )
    row = connection.execute(query).one()
    return None if row.first is None else (int(row.first), int(row.last or row.first))


def worker_lanes(
    connection: Connection, study_id: str, begin: int, end: int, *, limit: int, offset: int = 0
) -> tuple[list[tuple[str, str]], int]:
    """(id, name) of the workers with a run of the study in the span, by name, and how many there are."""
    query = (
        select(workers.c.id, workers.c.label, workers.c.hostname, workers.c.machine_id)
        .where(workers.c.id.in_(_within(select(runs.c.worker_id), study_id, begin, end)))
    )  # fmt: skip
    found = [
        (row.id, worker_name(row.label, row.hostname, row.machine_id, row.id)) for row in connection.execute(query)
    ]
    found.sort(key=lambda it: (it[1].casefold(), it[0]))
    return found[offset : offset + limit], len(found)


def assignment_lanes(
    connection: Connection, study_id: str, begin: int, end: int, *, limit: int, offset: int = 0
) -> tuple[list[tuple[str, int]], int]:
    """(id, index) of the assignments with a run in the span or still to be done, and how many there are."""
    query = select(assignments.c.id, assignments.c.index.label("place")).where(
        assignments.c.super_study_id == study_id,
        or_(
            assignments.c.id.in_(_within(select(runs.c.assignment_id), study_id, begin, end)),
            assignments.c.state == "PENDING",
        ),
    )
    total = int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())
    rows = connection.execute(query.order_by(assignments.c.index).limit(limit).offset(offset))
    return [(row.id, row.place) for row in rows], total


def attempts_of(
    connection: Connection,
    study_id: str,
    begin: int,
    end: int,
    *,
    worker_ids: Sequence[str] | None = None,
    assignment_ids: Sequence[str] | None = None,
    limit: int = 400,
) -> list[Attempt]:
    """Attempts that lie in the span, of these workers or assignments; of too many the newest. By their begin."""
    query = _within(
        select(
            runs.c.id, runs.c.assignment_id, assignments.c.index.label("place"), runs.c.attempt, runs.c.worker_id,
            workers.c.label, workers.c.hostname, workers.c.machine_id, runs.c.state, runs.c.reason, runs.c.claimed_at,
            runs.c.ended_at, runs.c.last_sign_at, assignments.c.state.label("part_state"),
        ).join(workers, workers.c.id == runs.c.worker_id),
        study_id, begin, end,
    )  # fmt: skip
    if worker_ids is not None:
        query = query.where(runs.c.worker_id.in_(worker_ids))
    if assignment_ids is not None:
        query = query.where(runs.c.assignment_id.in_(assignment_ids))
    found = []
    for row in connection.execute(query.order_by(runs.c.claimed_at.desc(), runs.c.id.desc()).limit(limit)):
        unheard = row.state in UNHEARD
        found.append(
            Attempt(
                run_id=row.id,
                assignment_id=row.assignment_id,
                index=row.place,
                attempt=row.attempt,
                worker_id=row.worker_id,
                worker_name=worker_name(row.label, row.hostname, row.machine_id, row.worker_id),
                state=row.state,
                reason=row.reason,
                assignment_state=row.part_state,
                begin=row.claimed_at,
                until=(row.last_sign_at or row.claimed_at) if unheard else row.ended_at,
                ended_at=row.ended_at,
            )
        )
    return found[::-1]


def _within(query: Select[tuple[str]] | Select[tuple[object, ...]], study_id: str, begin: int, end: int) -> Select:  # type: ignore[type-arg]
    last = case((runs.c.state.in_(UNHEARD), func.coalesce(runs.c.last_sign_at, runs.c.claimed_at)),
                else_=runs.c.ended_at)  # fmt: skip
    return query.join(assignments, assignments.c.id == runs.c.assignment_id).where(
        assignments.c.super_study_id == study_id,
        runs.c.claimed_at <= end,
        or_(last.is_(None), last >= begin),
    )

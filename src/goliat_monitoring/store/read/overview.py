"""Counts and worst cases for the overview and a study's page. The cost does not grow with logs or past runs."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, TextClause, func, select, text

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.problems import first_errors
from goliat_monitoring.store.read.runs import LIVE

assignments, studies, runs = tables.assignments, tables.super_studies, tables.runs
# Spelled as the partial indexes are, or SQLite does not use them.
PENDING, FAILED, COMPLETED = (text(f"assignments.state = '{state}'") for state in ("PENDING", "FAILED", "COMPLETED"))


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Assignments of all studies that are not cancelled. `held`: pending ones of paused studies, not in `queued`."""

    queued: int = 0
    held: int = 0
    running: int = 0
    failed: int = 0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed assignment, for which nothing follows by itself. `at`: when it last changed. `ask`: what a person must
    decide. `error_line`, `error`: number and text of the first error in the log of its last run."""

    assignment_id: str
    study_id: str
    study_name: str
    index: int
    attempts: int
    run_id: str | None
    reason: str
    ask: str
    error_line: int | None
    error: str
    at: int


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that gets no more of a study."""

    worker_id: str
    study_id: str
    study_name: str
    reason: str
    at: int


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """A study of which nothing is tried again until a person says so. `at`: when it last changed."""

    study_id: str
    study_name: str
    reason: str
    at: int


def work(connection: Connection) -> Work:
    """How much there is to do. Looks at what waits, runs or failed, never at what is done."""

    def counted(state: TextClause) -> dict[bool, int]:
        query = (
            select(studies.c.paused, func.count())
            .select_from(assignments.join(studies, studies.c.id == assignments.c.super_study_id))
            .where(state, studies.c.cancelled.is_(False))
            .group_by(studies.c.paused)
        )
        return {bool(row[0]): row[1] for row in connection.execute(query)}

    pending, failed = counted(PENDING), counted(FAILED)
    # An assignment runs as long as it has a live run, and there are few of these.
    running = connection.execute(
        select(func.count())
        .select_from(runs.join(assignments, assignments.c.id == runs.c.assignment_id))
        .join(studies, studies.c.id == assignments.c.super_study_id)
        .where(LIVE, studies.c.cancelled.is_(False))
    ).scalar_one()
    return Work(queued=pending.get(False, 0), held=pending.get(True, 0), running=running, failed=sum(failed.values()))


def completed_since(connection: Connection, since: int) -> int:
    """Assignments completed after `since`, UTC microseconds."""
    query = select(func.count()).select_from(assignments).where(COMPLETED, assignments.c.completed_at >= since)
    return int(connection.execute(query).scalar_one())


def failures(connection: Connection, limit: int = 20) -> list[Failure]:
    """Failed assignments, newest first."""
    query = (
        select(
            assignments.c.id.label("assignment_id"),
            studies.c.id.label("study_id"),
            studies.c.name.label("study_name"),
            assignments.c.index.label("place"),
            assignments.c.attempts,
            assignments.c.ask,
            assignments.c.last_run_id.label("run_id"),
            func.coalesce(runs.c.reason, "").label("reason"),
            assignments.c.updated_at.label("at"),
        )
        .join(studies, studies.c.id == assignments.c.super_study_id)
        .outerjoin(runs, runs.c.id == assignments.c.last_run_id)
        .where(FAILED, studies.c.cancelled.is_(False))
        .order_by(assignments.c.updated_at.desc())
        .limit(limit)
    )
    rows = connection.execute(query).all()
    lines = first_errors(connection, [row.run_id for row in rows if row.run_id])
    plain = [name for name in Failure.__struct_fields__ if name not in ("index", "error_line", "error")]
    found = []
    for row in rows:
        line, error = lines.get(row.run_id, (None, ""))
        same = {name: getattr(row, name) for name in plain}
        found.append(Failure(index=row.place, error_line=line, error=error, **same))
    return found


def set_asides(connection: Connection) -> list[SetAside]:
    """What no person has taken back, of studies that are not cancelled."""
    table = tables.set_aside
    query = (
        select(
            table.c.worker_id, studies.c.id.label("study_id"), studies.c.name.label("study_name"), table.c.reason,
            table.c.at,
        )
        .join(studies, studies.c.id == table.c.super_study_id)
        .where(table.c.lifted_at.is_(None), studies.c.cancelled.is_(False))
        .order_by(table.c.at.desc())
    )  # fmt: skip
    return [SetAside(**row) for row in connection.execute(query).mappings()]


def stopped_studies(connection: Connection) -> list[Stopped]:
    """Studies of which nothing is tried again."""
    query = select(
        studies.c.id.label("study_id"), studies.c.name.label("study_name"), studies.c.retries_stopped.label("reason"),
        studies.c.updated_at.label("at"),
    ).where(studies.c.retries_stopped != "", studies.c.cancelled.is_(False))  # fmt: skip
    return [Stopped(**row) for row in connection.execute(query).mappings()]


def open_studies(connection: Connection) -> list[str]:
    """Ids of the studies, not cancelled, in which something waits, runs or failed."""
    found: set[str] = set()
    for state in (PENDING, FAILED):
        found.update(connection.execute(select(assignments.c.super_study_id).where(state).distinct()).scalars())
    of_runs = select(assignments.c.super_study_id).join(runs, runs.c.assignment_id == assignments.c.id)
    # Not distinct: for that SQLite would go through all assignments.
    found.update(connection.execute(of_runs.where(LIVE)).scalars())
    still = connection.execute(select(studies.c.id).where(studies.c.id.in_(found), studies.c.cancelled.is_(False)))
    return list(still.scalars())


def has_files(connection: Connection, study_id: str) -> bool:
    """Whether a run of the study delivered any file."""
    artifacts = tables.artifacts
    query = (
        select(artifacts.c.id)
        .join(runs, runs.c.id == artifacts.c.run_id)
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(assignments.c.super_study_id == study_id)
        .limit(1)
    )
    return connection.execute(query).first() is not None


def was_replaced(connection: Connection, assignment_id: str | None) -> bool:
    """Whether others ask for what this assignment lacks."""
    query = select(assignments.c.replaced_at).where(assignments.c.id == assignment_id)
    return connection.execute(query).scalar() is not None


def assignment_states(connection: Connection, assignment_ids: Collection[str]) -> dict[str, str]:
    """The stored states of these assignments, by id."""
    found = select(assignments.c.id, assignments.c.state).where(assignments.c.id.in_(assignment_ids))
    return {row.id: row.state for row in connection.execute(found)}


def assignment_state(connection: Connection, assignment_id: str | None) -> str | None:
    """The stored state of an assignment; None for a run that has none."""
    if assignment_id is None:
        return None
    return assignment_states(connection, [assignment_id]).get(assignment_id)

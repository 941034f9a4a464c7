"""Counts and worst cases for the overview and a study's page. The cost does not grow with logs or past runs."""

import msgspec
from sqlalchemy import Connection, func, select

from goliat_monitoring.store import tables

assignments, studies, runs, cases = tables.assignments, tables.super_studies, tables.runs, tables.cases


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Assignments of all studies that are not cancelled. `held`: pending ones of paused studies, not in `queued`."""

    queued: int = 0
    held: int = 0
    running: int = 0
    failed: int = 0


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A failed assignment, for which nothing follows by itself. `at`: when it last changed."""

    assignment_id: str
    study_name: str
    index: int
    attempts: int
    run_id: str | None
    reason: str
    at: int


def work(connection: Connection) -> Work:
    """How much there is to do."""
    query = (
        select(assignments.c.state, studies.c.paused, func.count().label("how_many"))
        .join(studies, studies.c.id == assignments.c.super_study_id)
        .where(studies.c.cancelled.is_(False))
        .group_by(assignments.c.state, studies.c.paused)
    )
    found: dict[tuple[str, bool], int] = {
        (row.state, bool(row.paused)): row.how_many for row in connection.execute(query)
    }

    def both(state: str) -> int:
        return found.get((state, False), 0) + found.get((state, True), 0)

    return Work(
        queued=found.get(("PENDING", False), 0),
        held=found.get(("PENDING", True), 0),
        running=both("RUNNING"),
        failed=both("FAILED"),
    )


def completed_since(connection: Connection, since: int) -> int:
    """Assignments completed after `since`, UTC microseconds."""
    query = select(func.count()).where(assignments.c.state == "COMPLETED", assignments.c.completed_at >= since)
    return int(connection.execute(query).scalar_one())


def failures(connection: Connection, limit: int = 20) -> list[Failure]:
    """Failed assignments, newest first."""
    query = (
        select(
            assignments.c.id.label("assignment_id"),
            studies.c.name.label("study_name"),
            assignments.c.index.label("place"),
            assignments.c.attempts,
            assignments.c.last_run_id.label("run_id"),
            func.coalesce(runs.c.reason, "").label("reason"),
            assignments.c.updated_at.label("at"),
        )
        .join(studies, studies.c.id == assignments.c.super_study_id)
        .outerjoin(runs, runs.c.id == assignments.c.last_run_id)
        .where(assignments.c.state == "FAILED", studies.c.cancelled.is_(False))
        .order_by(assignments.c.updated_at.desc())
        .limit(limit)
    )
    return [
        Failure(
            index=row.place,
            **{name: getattr(row, name) for name in Failure.__struct_fields__ if name != "index"},
        )
        for row in connection.execute(query)
    ]


def done_cases(connection: Connection, study_id: str) -> dict[str, int]:
    """For each assignment of a study how many of its simulations are proven."""
    query = (
        select(cases.c.assignment_id, func.count())
        .join(assignments, assignments.c.id == cases.c.assignment_id)
        .where(assignments.c.super_study_id == study_id, cases.c.state == "done")
        .group_by(cases.c.assignment_id)
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def delivered(connection: Connection, study_id: str) -> tuple[int, int]:
    """(number, bytes) of the files that runs of a study delivered, of each the newest version."""
    artifacts = tables.artifacts
    newest = (
        # Ids sort by the time they were made.
        select(func.max(artifacts.c.id).label("id"))
        .select_from(artifacts)
        .join(runs, runs.c.id == artifacts.c.run_id)
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(assignments.c.super_study_id == study_id)
        .group_by(artifacts.c.relative_path, artifacts.c.filename)
        .subquery()
    )
    query = select(func.count(), func.coalesce(func.sum(artifacts.c.size), 0)).join(
        newest, newest.c.id == artifacts.c.id
    )
    row = connection.execute(query).one()
    return row[0], row[1]


def assignment_state(connection: Connection, assignment_id: str | None) -> str | None:
    """The stored state of an assignment; None for a run that has none."""
    if assignment_id is None:
        return None
    return connection.execute(select(assignments.c.state).where(assignments.c.id == assignment_id)).scalar_one_or_none()

"""What the head of a study's page tells beside its numbers: what runs, what failed, who was set aside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, or_, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.problems import first_errors
from goliat_monitoring.store.read.runs import LIVE, RunSummary, runs, summary_of, summary_query, worker_name
from goliat_monitoring.store.read.underway import UnderWay

assignments, studies, workers, aside = tables.assignments, tables.super_studies, tables.workers, tables.set_aside


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed assignment. `ask`: what a person must decide; `line`: of its newest run's log, the first error."""

    assignment_id: str
    index: int
    attempts: int
    workers: int
    reason: str
    ask: str
    run_id: str | None
    line: int | None
    at: int


class Aside(NamedTuple):
    """A worker that gets nothing more of the study. `at`: UTC microseconds."""

    worker_id: str
    name: str
    reason: str
    at: int


def troubled_runs(connection: Connection, study_id: str) -> list[RunSummary]:
    """The runs of a study that are not over and of which something is odd, by assignment."""
    odd = or_(runs.c.state == "unreachable", runs.c.flag != "")
    query = summary_query().where(LIVE, studies.c.id == study_id, odd).order_by(assignments.c.index)
    return [summary_of(row) for row in connection.execute(query)]


def bare_count(connection: Connection, study_id: str) -> int:
    """How many runs of a study go on without an agent."""
    query = (
        select(func.count())
        .select_from(runs.join(assignments, assignments.c.id == runs.c.assignment_id))
        .where(LIVE, runs.c.kind != "agent", assignments.c.super_study_id == study_id)
    )
    return int(connection.execute(query).scalar_one())


def unproven_seconds(connection: Connection, now: int, live: Sequence[UnderWay]) -> dict[str, float]:
    """By live run, what is lost if it ends now: seconds since the simulation at work began, else since the claim."""
    query = select(workers.c.id, workers.c.clock_skew).where(workers.c.clock_skew.is_not(None))
    skews: dict[str, int] = {row.id: row.clock_skew for row in connection.execute(query)}
    found = {}
    for run in live:
        began = run.claimed_at if run.began_at is None else run.began_at - skews.get(run.worker_id, 0)
        found[run.run_id] = max(now - min(max(began, run.claimed_at), now), 0) / 1_000_000
    return found


def failed_parts(connection: Connection, study_id: str, limit: int) -> list[Failed]:
    """Failed assignments, newest first."""
    query = (
        select(
            assignments.c.id, assignments.c.index.label("place"), assignments.c.attempts, assignments.c.ask,
            assignments.c.updated_at, runs.c.id.label("run_id"), runs.c.reason, runs.c.errors,
        )
        .outerjoin(runs, runs.c.id == assignments.c.last_run_id)
        .where(
            assignments.c.super_study_id == study_id,
            assignments.c.state == "FAILED",
            assignments.c.replaced_at.is_(None),
        )
        .order_by(assignments.c.updated_at.desc(), assignments.c.index)
        .limit(limit)
    )  # fmt: skip
    rows = connection.execute(query).all()
    machines = {
        row.assignment_id: row.how_many
        for row in connection.execute(
            select(runs.c.assignment_id, func.count(func.distinct(runs.c.worker_id)).label("how_many"))
            .where(runs.c.assignment_id.in_([row.id for row in rows]))
            .group_by(runs.c.assignment_id)
        )
    }
    lines = first_errors(connection, [row.run_id for row in rows if row.run_id is not None and row.errors])
    return [
        Failed(
            row.id, row.place, row.attempts, machines.get(row.id, 0), row.reason or "", row.ask, row.run_id,
            lines[row.run_id][0] if row.run_id in lines else None, row.updated_at,
        )
        for row in rows
    ]  # fmt: skip


def set_aside_workers(connection: Connection, study_id: str) -> list[Aside]:
    """The workers that were set aside for a study, newest first."""
    query = (
        select(aside.c.worker_id, aside.c.reason, aside.c.at, workers.c.label, workers.c.hostname, workers.c.machine_id)
        .join(workers, workers.c.id == aside.c.worker_id)
        .where(aside.c.super_study_id == study_id, aside.c.lifted_at.is_(None))
        .order_by(aside.c.at.desc())
    )
    return [
        Aside(row.worker_id, worker_name(row.label, row.hostname, row.machine_id, row.worker_id), row.reason, row.at)
        for row in connection.execute(query)
    ]

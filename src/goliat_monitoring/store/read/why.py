"""The facts behind "why is this not running?", for `fleet.why`."""

from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from goliat_monitoring.fleet.causes import BLAMES_WORKER
from goliat_monitoring.fleet.presence import presence
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.why import Live, Machine, Waiting, Why, why_not
from goliat_monitoring.store import tables
from goliat_monitoring.store.queue import machine_of, requirements_of
from goliat_monitoring.store.read.runs import LIVE, runs, summary_of, summary_query, worker_name
from goliat_monitoring.wire.errors import Refused

parts, studies, workers, aside = tables.assignments, tables.super_studies, tables.workers, tables.set_aside


def why(connection: Connection, now: int, assignment_id: str) -> Why:
    """Each rule with its verdict and, for each worker that was not removed, why not there. Raises `Refused` 404."""
    row = connection.execute(
        select(
            parts.c.index.label("place"),
            *(column for column in parts.c if column.name not in ("index", "config")),
            studies.c.paused,
            studies.c.cancelled,
            studies.c.retries_stopped,
            studies.c.priority,
            studies.c.created_at.label("study_created"),
        )
        .join(studies, studies.c.id == parts.c.super_study_id)
        .where(parts.c.id == assignment_id)
    ).one_or_none()
    if row is None:
        raise Refused(404, "no such assignment", assignment_id)
    history = connection.execute(
        select(runs.c.worker_id, runs.c.state, runs.c.cause, runs.c.attempt, runs.c.lease_until)
        .where(runs.c.assignment_id == assignment_id)
        .order_by(runs.c.attempt)
    ).all()
    waiting = Waiting(
        AssignmentState(row.state),
        requirements_of(row.requirements),
        row.paused,
        row.cancelled,
        row.retries_stopped,
        row.attempts,
        row.not_before,
        row.prefer_until,
        frozenset(it.worker_id for it in history if it.attempt > row.counts_from and it.cause in BLAMES_WORKER),
        row.vram_above,
        "it was split again" if row.replaced_at is not None else row.ask,
    )
    names, machines = _machines(connection, now, row.super_study_id)
    held = next((it for it in history if not RunState(it.state).terminal), None)
    live = None if held is None else Live(RunState(held.state), names.get(held.worker_id, "?"), held.lease_until)
    return why_not(waiting, machines, now, ahead=_ahead(connection, now, row), live=live)


def _machines(connection: Connection, now: int, study_id: str) -> tuple[dict[str, str], list[Machine]]:
    """Names of all workers by id, and the workers that may run something."""
    busy = {}
    for found in connection.execute(summary_query().where(LIVE)):
        run = summary_of(found)
        busy[run.worker_id] = f"{run.study_name}, assignment {run.index}" if run.study_name else "a study of its own"
    out = {
        it.worker_id: it.reason
        for it in connection.execute(
            select(aside.c.worker_id, aside.c.reason).where(
                aside.c.super_study_id == study_id, aside.c.lifted_at.is_(None)
            )
        )
    }
    names, machines = {}, []
    for row in connection.execute(select(workers).order_by(workers.c.created_at)):
        names[row.id] = name = worker_name(row.label, row.hostname, row.machine_id, row.id)
        if row.wish != "removed":
            machines.append(
                Machine(
                    row.id,
                    name,
                    machine_of(row.facts),
                    row.wish,
                    presence(row.kind, row.last_seen, now, row.left_at),
                    busy.get(row.id, ""),
                    out.get(row.id, ""),
                )
            )
    return names, machines


def _ahead(connection: Connection, now: int, row: Any) -> int:
    """How many assignments that can be given out come first: higher priority, older study, lower index."""
    if row.state != AssignmentState.PENDING:
        return 0
    earlier = or_(
        studies.c.priority > row.priority,
        and_(studies.c.priority == row.priority, studies.c.created_at < row.study_created),
        and_(parts.c.super_study_id == row.super_study_id, parts.c.index < row.place),
    )
    again = and_(
        or_(parts.c.not_before.is_(None), parts.c.not_before <= now),
        studies.c.retries_stopped == "",
    )
    return int(
        connection.execute(
            select(func.count())
            .select_from(parts.join(studies, studies.c.id == parts.c.super_study_id))
            .where(
                parts.c.state == AssignmentState.PENDING,
                ~studies.c.paused,
                ~studies.c.cancelled,
                or_(parts.c.attempts == 0, again),
                earlier,
            )
        ).scalar_one()
    )

"""After a run: the facts for `fleet.retry`, and what it decides written down, of the assignment, worker and study."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, or_, select, update

from goliat_monitoring.fleet.causes import BLAMES_WORKER, Cause
from goliat_monitoring.fleet.retry import After, Past, after_run, set_aside
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.timing import OFFLINE
from goliat_monitoring.store import assignments, driver, hours, tables
from goliat_monitoring.store.bulk import marked
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.queue import machine_of, requirements_of

runs, workers, studies, aside = tables.runs, tables.workers, tables.super_studies, tables.set_aside
_FAILED = (Cause.ERROR, Cause.FAST, Cause.INPUT)
# Whether a person cancelled it, and beside that each attempt that is held against it, newest first: one row even where
# there is none. Read after the run's row was changed, so that its own attempt is among them.
_HISTORY = """
    SELECT a.cancel_asked OR s.cancelled, r.worker_id, r.cause, r.failure_key FROM assignments AS a
    JOIN super_studies AS s ON s.id = a.super_study_id
    LEFT JOIN runs AS r ON r.assignment_id = a.id AND r.attempt > a.counts_from
    WHERE a.id = {value} ORDER BY r.attempt DESC
"""


class Attempt(NamedTuple):
    """A run of the assignment that has ended."""

    worker_id: str
    cause: str
    failure_key: str | None


def settle(
    connection: Connection,
    moment: Moment,
    run: Row[Any],
    assignment: Row[Any],
    outcome: RunState,
    cause: Cause,
    key: str,
    forced: AssignmentState | None,
) -> None:
    """Settle the assignment of a run that has just ended; `run` is its row before that.

    `key`: of its early failure. `forced`: whatever the rules.
    """
    with driver.one_journey(connection):
        hours.add(connection, assignment.super_study_id, run, outcome, moment.now)
        found = driver.fetch_later(connection, marked(connection, _HISTORY), (assignment.id,))
    rows = found()
    by_person = any(row[0] for row in rows)
    history = [Attempt(*row[1:]) for row in rows if row[1] is not None]
    past, vram = _past(connection, moment, run, assignment, cause, key, history, by_person=by_person)
    after = after_run(outcome, past, moment.now) if forced is None else After(forced)
    with driver.one_journey(connection):
        assignments.settle(
            connection,
            moment,
            assignment,
            after.state,
            memory_error=cause is Cause.MEMORY,
            not_before=after.not_before,
            prefer_until=after.prefer_until,
            vram_above=vram if after.more_memory else None,
            ask=after.ask,
        )
    if after.wrong_input:
        _no_worker_is_to_blame(connection, assignment.super_study_id, key)
    if after.stops_retries:
        _stop_retries(connection, moment, assignment.super_study_id, f"{after.ask} ({run.failure_key or key})")
    if cause in BLAMES_WORKER and not after.wrong_input:
        _count_against(connection, moment, assignment.super_study_id, run.worker_id)


def lift(connection: Connection, moment: Moment, study_id: str, worker_id: str, actor: str) -> bool:
    """Give a worker work of this study again; what it failed before counts no more. Whether it was set aside."""
    lifted = connection.execute(
        update(aside)
        .where(aside.c.super_study_id == study_id, aside.c.worker_id == worker_id, aside.c.lifted_at.is_(None))
        .values(lifted_at=moment.now)
    ).rowcount
    if not lifted:
        return False
    record(
        connection, moment.now, "worker_taken_back", actor=actor, worker_id=worker_id, super_study_id=study_id
    )  # fmt: skip
    touch(connection, "fleet", f"worker:{worker_id}", f"study:{study_id}", "work")
    return True


def _past(
    connection: Connection,
    moment: Moment,
    run: Row[Any],
    assignment: Row[Any],
    cause: Cause,
    key: str,
    history: Sequence[Attempt],
    *,
    by_person: bool,
) -> tuple[Past, int]:
    """The facts, and the most memory of a GPU that had too little."""
    causes = [it.cause for it in history]
    past = Past(
        cause,
        attempts=sum(it != Cause.LICENCE for it in causes),
        memory_errors=causes.count(Cause.MEMORY),
        errors=sum(it in _FAILED for it in causes),
        in_a_row=max(len(list(takewhile(lambda it: it == cause, causes))), 1),
        by_person=by_person,
    )
    if cause in (Cause.NONE, Cause.PERSON, Cause.LICENCE):
        return past, 0
    failed = {it.worker_id for it in history if it.cause in BLAMES_WORKER}
    too_small = {it.worker_id for it in history if it.cause == Cause.MEMORY}
    vram, others, largest = _fleet(connection, moment, assignment, failed, too_small)
    past = replace(past, others=others, bigger=largest > vram)
    if key:
        elsewhere = any(it.failure_key == key and it.worker_id != run.worker_id for it in history)
        past = replace(
            past,
            same_elsewhere=elsewhere,
            same_assignments=_same_in_study(connection, assignment.super_study_id, key),
        )
    return past, vram


def _fleet(
    connection: Connection, moment: Moment, assignment: Row[Any], failed: Collection[str], too_small: Collection[str]
) -> tuple[int, int, int]:
    """Of agents at hand that may take the assignment: (most memory of those in `too_small`, how many are not in
    `failed`, the most memory of those)."""
    lifted = (
        select(aside.c.worker_id)
        .where(aside.c.super_study_id == assignment.super_study_id, aside.c.lifted_at.is_(None))
    )  # fmt: skip
    demand = requirements_of(assignment.requirements)
    vram = others = largest = 0
    for row in connection.execute(select(workers.c.id, workers.c.facts).where(workers.c.id.in_(too_small))):
        vram = max(vram, machine_of(row.facts).vram_bytes)
    for row in connection.execute(
        select(workers.c.id, workers.c.facts).where(
            workers.c.kind == "agent",
            workers.c.wish == "active",
            workers.c.last_seen >= moment.now - OFFLINE,
            or_(workers.c.left_at.is_(None), workers.c.left_at < workers.c.last_seen),
            workers.c.id.not_in(failed),
            workers.c.id.not_in(lifted),
        )
    ):
        machine = machine_of(row.facts)
        if demand.meets(machine).met:
            others += 1
            largest = max(largest, machine.vram_bytes)
    return vram, others, largest


def _same_in_study(connection: Connection, study_id: str, key: str) -> int:
    """In how many assignments of the study a run failed with this text; 1 where all of them were of one worker."""
    table = tables.assignments
    row = connection.execute(
        select(
            func.count(runs.c.assignment_id.distinct()).label("assignments"),
            func.count(runs.c.worker_id.distinct()).label("workers"),
        )
        .join(table, table.c.id == runs.c.assignment_id)
        .where(runs.c.failure_key == key, table.c.super_study_id == study_id, runs.c.attempt > table.c.counts_from)
    ).one()
    return int(row.assignments) if row.workers > 1 else 1


def _no_worker_is_to_blame(connection: Connection, study_id: str, key: str) -> None:
    table = tables.assignments
    of_study = select(table.c.id).where(table.c.super_study_id == study_id)
    connection.execute(
        update(runs)
        .where(runs.c.failure_key == key, runs.c.assignment_id.in_(of_study), runs.c.cause == Cause.FAST)
        .values(cause=Cause.INPUT)
    )


def _stop_retries(connection: Connection, moment: Moment, study_id: str, reason: str) -> None:
    stopped = connection.execute(
        update(studies).where(studies.c.id == study_id, studies.c.retries_stopped == "").values(retries_stopped=reason)
    ).rowcount
    if stopped:
        record(connection, moment.now, "study_retries_stopped", super_study_id=study_id, reason=reason)
        touch(connection, "studies", f"study:{study_id}")


def _count_against(connection: Connection, moment: Moment, study_id: str, worker_id: str) -> None:
    """Set the worker aside for the study if this was one failure too many."""
    known = connection.execute(
        select(aside).where(aside.c.super_study_id == study_id, aside.c.worker_id == worker_id)
    ).one_or_none()
    if known is not None and known.lifted_at is None:
        return
    table = tables.assignments
    failures = connection.execute(
        select(func.count())
        .select_from(runs.join(table, table.c.id == runs.c.assignment_id))
        .where(
            runs.c.worker_id == worker_id,
            table.c.super_study_id == study_id,
            runs.c.cause.in_(BLAMES_WORKER),
            runs.c.ended_at > (known.lifted_at if known is not None else 0),
        )
    ).scalar_one()
    if not set_aside(failures):
        return
    values = {"at": moment.now, "reason": f"{failures} of its runs failed", "lifted_at": None}
    if known is None:
        connection.execute(aside.insert().values(super_study_id=study_id, worker_id=worker_id, **values))
    else:
        connection.execute(
            aside.update().where(aside.c.super_study_id == study_id, aside.c.worker_id == worker_id).values(**values)
        )
    record(
        connection, moment.now, "worker_set_aside", worker_id=worker_id, super_study_id=study_id, failures=failures
    )  # fmt: skip
    touch(connection, "fleet", f"worker:{worker_id}", f"study:{study_id}")

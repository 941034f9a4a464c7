"""What people ask of studies and assignments: pause, resume, cancel, retry, another priority. Each is an event."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, select, update

from goliat_monitoring.fleet.states import AssignmentState
from goliat_monitoring.store import assignments, runs, tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.errors import Refused

studies, parts = tables.super_studies, tables.assignments


def study_row(connection: Connection, study_id: str) -> Row[Any]:
    """The study's row. Raises `Refused` 404."""
    row = connection.execute(select(studies).where(studies.c.id == study_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such super study", study_id)
    return row


def pause(connection: Connection, moment: Moment, study_id: str, actor: str) -> None:
    """Give out nothing more of this study; what runs goes on. Raises `Refused` 404 or 409."""
    _unfinished_study(connection, study_id, "pause")
    _change(connection, moment, study_id, "study_paused", actor, paused=True)


def resume(connection: Connection, moment: Moment, study_id: str, actor: str) -> None:
    """Give out its assignments again, those that are tried again too. Raises `Refused` 404 or 409."""
    _open_study(connection, study_id)
    _change(connection, moment, study_id, "study_resumed", actor, paused=False, retries_stopped="")
    touch(connection, "work")


def set_priority(connection: Connection, moment: Moment, study_id: str, priority: int, actor: str) -> None:
    """Higher is given out first, from the next claim on. Raises `Refused` 404."""
    row = study_row(connection, study_id)
    _change(
        connection, moment, study_id, "study_priority", actor, data={"was": row.priority, "priority": priority},
        priority=priority,
    )  # fmt: skip


def cancel_study(connection: Connection, moment: Moment, study_id: str, actor: str) -> int:
    """End all work on this study for good. Returns how many runs are told to end. Raises `Refused` 404 or 409."""
    _unfinished_study(connection, study_id, "cancel")
    _change(connection, moment, study_id, "study_cancelled", actor, cancelled=True)
    waiting = _of_study(connection, study_id, AssignmentState.PENDING)
    assignments.settle_all(connection, moment, waiting, AssignmentState.CANCELLED, actor=actor)
    live = _live_runs(connection, tables.assignments.c.super_study_id == study_id)
    for row in live:
        runs.cancel(connection, moment, row.id, actor)
    return len(live)


def cancel_assignment(connection: Connection, moment: Moment, assignment_id: str, actor: str) -> None:
    """Take one assignment out of its study; its run ends. Raises `Refused` 404, or 409 for one that is over."""
    row = assignments.get(connection, assignment_id)
    state = AssignmentState(row.state)
    if state is AssignmentState.COMPLETED or state is AssignmentState.CANCELLED:
        raise Refused(409, f"the assignment is {state}", "there is nothing to cancel")
    record(
        connection, moment.now, "assignment_cancel_asked", actor=actor, super_study_id=row.super_study_id,
        assignment_id=assignment_id,
    )  # fmt: skip
    live = _live_runs(connection, tables.assignments.c.id == assignment_id)
    if not live:
        assignments.settle(connection, moment, row, AssignmentState.CANCELLED, actor=actor)
        return
    connection.execute(update(parts).where(parts.c.id == assignment_id).values(cancel_asked=True))
    for run in live:
        runs.cancel(connection, moment, run.id, actor)


def retry_failed(connection: Connection, moment: Moment, study_id: str, actor: str) -> int:
    """Queue all that failed again; of each only the missing simulations are computed. Returns how many.

    Raises `Refused` 404, or 409 where nothing failed or the study is cancelled.
    """
    row = _open_study(connection, study_id)
    failed = _of_study(connection, study_id, AssignmentState.FAILED)
    if not failed and not row.retries_stopped:
        raise Refused(409, "nothing failed", f"{row.name} has no failed assignment")
    _change(
        connection, moment, study_id, "study_retry", actor, data={"assignments": len(failed)}, retries_stopped=""
    )  # fmt: skip
    assignments.settle_all(connection, moment, failed, AssignmentState.PENDING, actor=actor, again=True)
    touch(connection, "work")
    return len(failed)


def _open_study(connection: Connection, study_id: str) -> Row[Any]:
    row = study_row(connection, study_id)
    if row.cancelled:
        raise Refused(
            409, "the super study is cancelled", "create a study from what is missing of it: study missing NAME"
        )
    return row


def _unfinished_study(connection: Connection, study_id: str, asked: str) -> None:
    """Raises `Refused` 409 where nothing waits or runs: what is over stays what it is, and can be asked for again."""
    row = _open_study(connection, study_id)
    unfinished = parts.c.state.in_([AssignmentState.PENDING, AssignmentState.RUNNING])
    found = select(parts.c.id).where(parts.c.super_study_id == study_id, unfinished).limit(1)
    if connection.execute(found).first() is None:
        raise Refused(409, f"nothing is left to {asked}", f"no assignment of {row.name} waits or runs")


def _change(
    connection: Connection,
    moment: Moment,
    study_id: str,
    kind: str,
    actor: str,
    *,
    data: dict[str, Any] | None = None,
    **values: object,
) -> None:
    connection.execute(update(studies).where(studies.c.id == study_id).values(updated_at=moment.now, **values))
    record(connection, moment.now, kind, actor=actor, super_study_id=study_id, **(data or {}))
    touch(connection, "studies", "fleet", f"study:{study_id}")


def _of_study(connection: Connection, study_id: str, state: AssignmentState) -> Sequence[Any]:
    return connection.execute(
        select(parts.c.id, parts.c.super_study_id, parts.c.state)
        .where(parts.c.super_study_id == study_id, parts.c.state == state, parts.c.replaced_at.is_(None))
        .order_by(parts.c.index)
    ).all()


def _live_runs(connection: Connection, condition: Any) -> list[Row[Any]]:
    table = tables.runs
    return list(
        connection.execute(
            select(table.c.id).join(parts, parts.c.id == table.c.assignment_id).where(
                table.c.state.in_(runs.LIVE), condition
            )
        ).all()
    )  # fmt: skip

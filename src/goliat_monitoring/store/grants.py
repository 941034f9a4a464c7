"""Carrying out a claim: the run before it ends, its own begins. Who may have what is decided in `fleet.claims`."""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from goliat_monitoring.fleet.claims import Claimer, Grant, Holder, LastRun, Refuse, Same, decide_claim
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.timing import FIRST_SIGN
from goliat_monitoring.store import assignments, portions, runs, tables, verdicts, workers
from goliat_monitoring.store.log.append import note
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.runs import worker_name
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_secret


def secret_hash(secret: str) -> str:
    """How secrets are stored. They are 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Granted(msgspec.Struct):
    """A run and its secret, which its agent alone learns. `attempt`: 1 for the first run of its assignment."""

    run_id: str
    fence: str
    attempt: int


def grant(
    connection: Connection,
    moment: Moment,
    assignment: Row[tuple[Any, ...]],
    worker_id: str,
    kind: str,
    *,
    by_name: bool,
    ip: str = "",
    session_id: str | None = None,
) -> Granted:
    """Give the worker a run of this assignment. `by_name`: it asked for this very one. Raises `Refused` 409."""
    newest = _newest_run(connection, assignment.id) if assignment.attempts else None
    worker = workers.get(connection, worker_id)
    holder = None
    last = None
    if newest is not None and not RunState(newest.state).terminal:
        owner = workers.get(connection, newest.worker_id)
        holder = Holder(
            worker_id=newest.worker_id,
            worker_name=worker_name(owner.label, owner.hostname, owner.machine_id, owner.id),
            run_id=newest.id,
            state=RunState(newest.state),
            spoke=newest.first_sign_at is not None,
            lease_until=newest.lease_until,
            reported_end=newest.judge_at is not None,
        )
    if newest is not None:
        last = LastRun(newest.worker_id, RunState(newest.state), newest.finished_at is not None)
    decision = decide_claim(
        AssignmentState(assignment.state),
        holder,
        last,
        Claimer(worker_id, kind, worker.wish),
        moment.now,
        by_name,
        moment.quiet_until,
        moment.offer_after,
    )
    fence = new_secret()
    if isinstance(decision, Refuse):
        raise Refused(409, "the assignment cannot be claimed", decision.text, _holder_fields(holder))
    if isinstance(decision, Same):
        # Its claim was granted but the answer got lost: the same run, with a fence that the asker can know.
        connection.execute(
            update(tables.runs)
            .where(tables.runs.c.id == decision.run_id)
            .values(fence_hash=secret_hash(fence) if kind == "agent" else None, session_id=session_id)
        )
        return Granted(decision.run_id, fence, newest.attempt if newest is not None else 1)
    assignment = _end_predecessor(connection, moment, decision, newest, assignment)
    run_id = runs.open_run(
        connection,
        moment,
        worker_id=worker_id,
        kind=kind,
        lease_until=moment.now + (moment.lease if kind == "agent" else FIRST_SIGN),
        assignment=assignment,
        session_id=session_id,
        fence_hash=secret_hash(fence) if kind == "agent" else None,
        sender_ip=ip,
    )
    if assignment.attempts:
        portions.narrow(connection, moment, run_id, assignment)
    return Granted(run_id, fence, assignment.attempts + 1)


def _end_predecessor(
    connection: Connection,
    moment: Moment,
    decision: Grant,
    newest: Row[tuple[Any, ...]] | None,
    assignment: Row[tuple[Any, ...]],
) -> Row[tuple[Any, ...]]:
    """The run that the new one replaces ends first: one live run per assignment."""
    if newest is None or decision.ends is None:
        return assignment
    if decision.end_as is not None:
        note(connection, moment, newest.id, f"Lost: {decision.reason}", "warning")
        runs.end(connection, moment, newest, decision.end_as, decision.reason, assignment_state=AssignmentState.PENDING)
    else:
        verdicts.close(connection, moment, newest, ended_by="new_session", reason=decision.reason)
    return assignments.get(connection, assignment.id)


def _holder_fields(holder: Holder | None) -> dict[str, object]:
    if holder is None:
        return {}
    return {"heldBy": {"workerId": holder.worker_id, "name": holder.worker_name, "runId": holder.run_id}}


def _newest_run(connection: Connection, assignment_id: str) -> Row[tuple[Any, ...]] | None:
    table = tables.runs
    return connection.execute(
        select(table).where(table.c.assignment_id == assignment_id).order_by(table.c.attempt.desc()).limit(1)
    ).one_or_none()

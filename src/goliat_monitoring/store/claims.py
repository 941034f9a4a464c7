"""Claims: one conditional change of state in one transaction. Who may have what is decided in `fleet.claims`."""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, select, update

from goliat_monitoring.fleet.claims import Claimer, Grant, Holder, LastRun, Refuse, Same, decide_claim
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.timing import FIRST_SIGN, LEASE
from goliat_monitoring.store import assignments, portions, queue, runs, tables, verdicts, workers
from goliat_monitoring.store.events import record
from goliat_monitoring.store.log.append import note
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.agent import CaseRef, Job
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_secret


def secret_hash(secret: str) -> str:
    """How secrets are stored. They are 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def claim_by_name(connection: Connection, moment: Moment, assignment_id: str, machine_id: str, ip: str) -> str:
    """A bare client claims this very assignment. Returns the run. Raises `Refused` 404 or 409 saying who holds it."""
    assignment = assignments.get(connection, assignment_id)
    _refuse_stopped_study(connection, assignment)
    worker_id, _ = workers.of_machine(connection, moment, machine_id, ip)
    workers.seen(connection, moment, worker_id, ip)
    return _claim(connection, moment, assignment, worker_id, "bare", by_name=True, ip=ip).run_id


def claim_next_for_machine(connection: Connection, moment: Moment, machine_id: str, ip: str) -> str | None:
    """The assignment that this machine holds, else the next free one; None when there is none."""
    worker_id, _ = workers.of_machine(connection, moment, machine_id, ip)
    workers.seen(connection, moment, worker_id, ip)
    held = runs.newest_live(connection, [worker_id])
    if held is not None and held.assignment_id is not None and held.finished_at is None:
        return str(held.assignment_id)
    found = _next(connection, moment, workers.get(connection, worker_id))
    if found is None:
        return None
    _claim(connection, moment, found, worker_id, "bare", by_name=False, ip=ip)
    return str(found.id)


def claim_next_for_agent(connection: Connection, moment: Moment, worker_id: str, session_id: str) -> Job | None:
    """The next free assignment for an agent, or the one whose claim it never heard the answer of."""
    worker = workers.get(connection, worker_id)
    held = runs.newest_live(connection, [worker_id])
    if held is not None:
        # Unreachable and asking anew: it forgot the run it had (its state folder was lost), so that one is lost too.
        forgotten = held.state == RunState.UNREACHABLE
        if held.assignment_id is None or (held.first_sign_at is not None and not forgotten):
            raise Refused(
                409,
                "this worker already runs something",
                f"run {held.id} is {held.state}; end it first, or let it be given up",
                {"runId": held.id},
            )
        assignment = assignments.get(connection, held.assignment_id)
    else:
        if worker.wish != "active":
            return None
        found = _next(connection, moment, worker)
        if found is None:
            return None
        assignment = found
    granted = _claim(connection, moment, assignment, worker_id, "agent", by_name=False, session_id=session_id)
    name = connection.execute(_NAME, {"one": assignment.super_study_id}).scalar_one()
    # A first attempt is of the whole assignment.
    config = portions.config_of(connection, granted.run_id) if granted.attempt > 1 else None
    return Job(
        run_id=granted.run_id,
        fence=granted.fence,
        assignment_id=assignment.id,
        super_study_id=assignment.super_study_id,
        study_name=name,
        index=assignment._mapping["index"],  # noqa: SLF001 - `Row.index` is the tuple's method
        attempt=granted.attempt,
        config=msgspec.json.decode(config or assignment.config),
        cases=[
            CaseRef(case.key, case.relative_path, case.details)
            for case in portions.cases_of(connection, config, assignment.id)
        ],
        lease_s=LEASE / SECOND,
    )


_NAME = select(tables.super_studies.c.name).where(tables.super_studies.c.id == bindparam("one"))


class _Granted(msgspec.Struct):
    run_id: str
    fence: str
    attempt: int


def _claim(
    connection: Connection,
    moment: Moment,
    assignment: Row[tuple[Any, ...]],
    worker_id: str,
    kind: str,
    *,
    by_name: bool,
    ip: str = "",
    session_id: str | None = None,
) -> _Granted:
    newest = _newest_run(connection, assignment.id) if assignment.attempts else None
    worker = workers.get(connection, worker_id)
    holder = None
    last = None
    if newest is not None and not RunState(newest.state).terminal:
        owner = workers.get(connection, newest.worker_id)
        holder = Holder(
            worker_id=newest.worker_id,
            worker_name=owner.label or owner.hostname or owner.machine_id or owner.id,
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
        return _Granted(decision.run_id, fence, newest.attempt if newest is not None else 1)
    assignment = _end_predecessor(connection, moment, decision, newest, assignment)
    run_id = runs.open_run(
        connection,
        moment,
        worker_id=worker_id,
        kind=kind,
        lease_until=moment.now + (LEASE if kind == "agent" else FIRST_SIGN),
        assignment=assignment,
        session_id=session_id,
        fence_hash=secret_hash(fence) if kind == "agent" else None,
        sender_ip=ip,
    )
    if assignment.attempts:
        portions.narrow(connection, moment, run_id, assignment)
    return _Granted(run_id, fence, assignment.attempts + 1)


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


def _refuse_stopped_study(connection: Connection, assignment: Row[tuple[Any, ...]]) -> None:
    study = connection.execute(
        select(tables.super_studies).where(tables.super_studies.c.id == assignment.super_study_id)
    ).one()
    if study.cancelled:
        raise Refused(409, "the super study is cancelled", f"{study.name}: nothing of it can be claimed")


def _next(connection: Connection, moment: Moment, worker: Row[Any]) -> Row[tuple[Any, ...]] | None:
    """The assignment that is this worker's turn."""
    found = queue.next_free(connection, moment, worker)
    if found is None:
        return None
    assignment_id, unreachable = found
    if unreachable:
        record(connection, moment.now, "assignment_offered", assignment_id=assignment_id, worker_id=worker.id)
    return assignments.get(connection, assignment_id)

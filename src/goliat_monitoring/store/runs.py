"""Runs: opened by a claim or a study started by hand, ended once. Every change of a run's state is here."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from goliat_monitoring.fleet.causes import Cause, cause_of, failure_key
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.store import assignments, driver, events, retries, tables
from goliat_monitoring.store.bulk import insert_rows, update_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.log import window
from goliat_monitoring.store.log.append import note, note_line
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.samples import progress
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

runs = tables.runs
LIVE = (RunState.CLAIMED, RunState.RUNNING, RunState.UNREACHABLE)
_INSERT = insert(runs).inline()
_FIRST = (
    "id", "assignment_id", "worker_id", "session_id", "attempt", "kind", "fence_hash", "state", "claimed_at",
    "lease_until",
)  # fmt: skip
_ONE = select(runs).where(runs.c.id == bindparam("one"))
_NEWEST_LIVE = (
    select(runs)
    .where(runs.c.worker_id.in_(bindparam("workers", expanding=True)), tables.LIVE_RUN)
    .order_by(runs.c.claimed_at.desc(), runs.c.id.desc())
    .limit(1)
)


def get(connection: Connection, run_id: str) -> Row[tuple[object, ...]]:
    """The run's row. Raises `Refused` 404."""
    row = connection.execute(_ONE, {"one": run_id}).one_or_none()
    if row is None:
        raise Refused(404, "no such run", run_id)
    return row


def newest_live(connection: Connection, worker_ids: Sequence[str]) -> Row[tuple[object, ...]] | None:
    """The newest run of these workers that is not over."""
    return connection.execute(_NEWEST_LIVE, {"workers": list(worker_ids)}).one_or_none()


def open_run(
    connection: Connection,
    moment: Moment,
    *,
    worker_id: str,
    kind: str,
    lease_until: int,
    assignment: Row[tuple[object, ...]] | None = None,
    session_id: str | None = None,
    fence_hash: str | None = None,
    sender_ip: str = "",
) -> str:
    """Begin an attempt. For an assignment its state changes in the same transaction. Returns the run's id."""
    run_id = new_id()
    attempt = assignments.start(connection, moment, assignment, run_id) if assignment is not None else 1
    connection.execute(
        _INSERT,
        {
            "id": run_id,
            "assignment_id": None if assignment is None else assignment.id,
            "worker_id": worker_id,
            "session_id": session_id,
            "attempt": attempt,
            "kind": kind,
            "fence_hash": fence_hash,
            "sender_ip": sender_ip,
            "state": RunState.CLAIMED,
            "claimed_at": moment.now,
            "lease_until": lease_until,
        },
    )
    record(
        connection,
        moment.now,
        "run_claimed" if assignment is not None else "run_opened",
        actor=worker_id,
        worker_id=worker_id,
        super_study_id=None if assignment is None else assignment.super_study_id,
        assignment_id=None if assignment is None else assignment.id,
        run_id=run_id,
        attempt=attempt,
        leaseUntil=lease_until,
    )
    touched(connection, run_id, worker_id)
    return run_id


class Opened(NamedTuple):
    """The first attempt at an assignment by an agent. `fence`: its secret, or the hash of it where it is stored."""

    run_id: str
    worker_id: str
    session_id: str
    assignment_id: str
    super_study_id: str
    fence: str


def open_first(connection: Connection, moment: Moment, opened: Sequence[Opened]) -> None:
    """`open_run` for the first attempts of many assignments whose state has just changed. Fences are hashes here."""
    until = moment.now + moment.lease
    insert_rows(connection, runs, _FIRST, [
        (it.run_id, it.assignment_id, it.worker_id, it.session_id, 1, "agent", it.fence, RunState.CLAIMED.value,
         moment.now, until)
        for it in opened
    ])  # fmt: skip
    data = msgspec.json.encode({"attempt": 1, "leaseUntil": until}).decode()
    insert_rows(connection, tables.events, events.COLUMNS, [
        (moment.now, "run_claimed", it.worker_id, it.worker_id, it.super_study_id, it.assignment_id, it.run_id, data)
        for it in opened
    ])  # fmt: skip
    touch(connection, "studies")
    for it in opened:
        touch(connection, f"study:{it.super_study_id}")
        touched(connection, it.run_id, it.worker_id)


def change_state(
    connection: Connection, moment: Moment, row: Row[tuple[object, ...]], state: RunState, reason: str = ""
) -> None:
    """Move a live run between its live states and write why into the event log. Terminal states are final."""
    values = new_state(row, state)
    update_rows(connection, runs, tuple(values), [(row.id, *values.values())])
    assignment = None if row.assignment_id is None else assignments.get(connection, row.assignment_id)
    study_id = None if assignment is None else assignment.super_study_id
    tell_state(connection, moment, row, state, reason, study_id)


def new_state(row: Any, state: RunState) -> dict[str, str]:
    """For whoever writes more of the run's row than its state: what `change_state` sets. Then `tell_state` it."""
    if RunState(row.state).terminal or state.terminal:
        raise ValueError(f"run {row.id}: {row.state} -> {state} is no change between live states")
    return {"state": state.value}


def tell_state(
    connection: Connection, moment: Moment, row: Any, state: RunState, reason: str, study_id: str | None
) -> None:
    """Write into the event log that and why a run moves to `state`; `row`: as it was before that, of this study. May
    stand in a journey of `store.driver`."""
    record(
        connection,
        moment.now,
        f"run_{state}",
        worker_id=row.worker_id,
        super_study_id=study_id,
        assignment_id=row.assignment_id,
        run_id=row.id,
        was=row.state,
        reason=reason,
    )
    touched(connection, row.id, row.worker_id)
    if study_id is not None:
        touch(connection, "studies", f"study:{study_id}")


def end(
    connection: Connection,
    moment: Moment,
    row: Row[tuple[object, ...]],
    state: RunState,
    reason: str,
    *,
    exit_code: int | None = None,
    actor: str = "server",
    trouble: str = "",
    done_cases: int | None = None,
    assignment: Row[tuple[object, ...]] | None = None,
    assignment_state: AssignmentState | None = None,
) -> None:
    """End a live run for good and settle its assignment by the retry rules, or as `assignment_state` says.

    `trouble`: what went wrong, as `fleet.causes.trouble_of` finds it; `done_cases`: how many it proved, None if nobody
    judged that; `assignment`: its row, if the caller has it.
    """
    if RunState(row.state).terminal:
        return
    if assignment is None and row.assignment_id is not None:
        assignment = assignments.get(connection, row.assignment_id)
    cause = cause_of(state, trouble, moment.now - row.claimed_at, done_cases or 0)
    key = failure_key(trouble) if cause is Cause.FAST else None
    level = "success" if state == RunState.SUCCEEDED else "warning"
    said = f"Run ended: {state.replace('_', ' ')}. {_sentence(reason)}"
    last = note_line(moment.now, said.strip(), level)
    log, numbered = window.close(connection, moment, row.id, last)
    values: dict[str, Any] = {
        **numbered,
        "state": state.value,
        "reason": reason,
        "exit_code": exit_code,
        "ended_at": moment.now,
        "judge_at": None,
        "cause": cause.value,
        "failure_key": key or None,
        "flag": "",
        "flag_reason": "",
        "flagged_at": None,
        **({} if done_cases is None else {"done_cases": done_cases}),
    }
    with driver.one_journey(connection):
        log.save()
        update_rows(connection, runs, tuple(values), [(row.id, *values.values())])
        progress.keep_last(connection, row)
        record(
            connection,
            moment.now,
            f"run_{state}",
            actor=actor,
            worker_id=row.worker_id,
            super_study_id=None if assignment is None else assignment.super_study_id,
            assignment_id=row.assignment_id,
            run_id=row.id,
            was=row.state,
            reason=reason,
            cause=cause,
        )
    if assignment is not None:
        retries.settle(connection, moment, row, assignment, state, cause, key or "", assignment_state)
    touched(connection, row.id, row.worker_id)
    # Its agent hears of it at once.
    touch(connection, f"directive:{row.worker_id}")


def _sentence(text: str) -> str:
    """`text` with a capital first letter, unless its first word has one further on, as in iSolve."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.islower() else text


def give_up(connection: Connection, moment: Moment, run_id: str, reason: str, actor: str) -> None:
    """A person says that this run is lost; its assignment can be claimed again. Raises `Refused` 404 or 409."""
    row = get(connection, run_id)
    if RunState(row.state).terminal:
        raise Refused(409, "the run is over already", f"it ended as {row.state}")
    end(connection, moment, row, RunState.LOST, f"Given up: {reason}", actor=actor)


def ask(connection: Connection, moment: Moment, run_id: str, directive: str, actor: str) -> None:
    """Ask the machine to stop or kill a live run. Raises `Refused` 404, 409, or 400 for an unknown directive."""
    if directive not in ("stop", "kill"):
        raise Refused(400, "unknown directive", f"{directive!r}: use stop or kill")
    row = get(connection, run_id)
    if RunState(row.state).terminal:
        raise Refused(409, "the run is over already", f"it ended as {row.state}")
    if row.kind != "agent":
        raise Refused(
            409, "this run has no agent", "a GOLIAT that reports by itself cannot be stopped from here; press its Stop"
        )
    connection.execute(update(runs).where(runs.c.id == run_id).values(directive=directive))
    record(
        connection, moment.now, f"run_{directive}_asked", actor=actor, worker_id=row.worker_id,
        assignment_id=row.assignment_id, run_id=run_id,
    )  # fmt: skip
    note(connection, moment, run_id, f"{directive.capitalize()} asked by {actor}.", "warning")
    touch(connection, f"run:{run_id}", f"directive:{row.worker_id}")


def cancel(connection: Connection, moment: Moment, run_id: str, actor: str) -> None:
    """End a live run at once: its agent is told to end the process tree. Raises `Refused` 404 or 409.

    One that cannot be told, since no agent carries it or its machine is not heard, is over from now on; an agent that
    comes back is fenced and ends it then.
    """
    row = get(connection, run_id)
    if RunState(row.state).terminal:
        raise Refused(409, "the run is over already", f"it ended as {row.state}")
    if row.kind == "agent" and row.state != RunState.UNREACHABLE:
        ask(connection, moment, run_id, "kill", actor)
        return
    why = "its machine is not heard" if row.kind == "agent" else "close GOLIAT on its machine: no agent can do it"
    end(connection, moment, row, RunState.CANCELLED, f"Cancelled by {actor}; {why}.", actor=actor)


def touched(connection: Connection, run_id: str, worker_id: str) -> None:
    """Note that what people see of this run changed."""
    touch(connection, *topics_of(run_id, worker_id))


def topics_of(run_id: str, worker_id: str) -> tuple[str, ...]:
    """What people see of this run."""
    return ("fleet", f"run:{run_id}", f"worker:{worker_id}")


def touch_assignment(connection: Connection, assignment_id: str | None) -> None:
    """Note that the study of this assignment looks different."""
    if assignment_id is not None:
        row = assignments.get(connection, assignment_id)
        touch(connection, "studies", f"study:{row.super_study_id}")

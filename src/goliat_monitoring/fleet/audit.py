"""Looks through an event log for what must never happen: two live runs of one assignment, or a dead one that lives."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from goliat_monitoring.fleet.states import AssignmentState, RunState

# `run_linked`: a run that had no assignment takes over that of a claim that never spoke.
_LINKED = "run_linked"
_OPENED = ("run_claimed", "run_opened", _LINKED)
_RUN_STATES = {f"run_{state}": state for state in RunState if state is not RunState.CLAIMED}
_ASSIGNMENT_STATES = {f"assignment_{state.lower()}": state for state in AssignmentState}
# What a person did to an assignment that was over, so that it may run again.
_AGAIN = frozenset({"assignment_retry"})


class Event(NamedTuple):
    """One event. `position` rises with each; events of one commit share `at` (UTC microseconds)."""

    position: int
    at: int
    kind: str
    run_id: str | None = None
    assignment_id: str | None = None
    worker_id: str | None = None
    data: Mapping[str, Any] = {}


class Fault(NamedTuple):
    """What is wrong, at which event."""

    position: int
    text: str


@dataclass(slots=True)
class _Assignment:
    live: str | None = None
    completed: bool = False
    cancelled: bool = False
    attempts: set[int] = field(default_factory=set)


def audit(events: Iterable[Event]) -> list[Fault]:
    """Every fault in a complete event log.

    - An assignment has at most one live run at any moment, and each of its attempts once.
    - A run that is over never changes again, and one that was not opened never appears.
    - A completed assignment gets no other run; a cancelled one only after a person asked.
    """
    faults: list[Fault] = []
    runs: dict[str, RunState] = {}
    owner: dict[str, str | None] = {}
    assignments: dict[str, _Assignment] = {}
    for event in sorted(events, key=lambda it: it.position):
        if event.kind in _OPENED:
            faults += _open(event, runs, owner, assignments)
        elif event.kind in _RUN_STATES and event.run_id is not None:
            faults += _move(event, _RUN_STATES[event.kind], runs, owner, assignments)
        elif event.assignment_id is not None:
            own = assignments.setdefault(event.assignment_id, _Assignment())
            if event.kind in _AGAIN:
                own.cancelled = False
            elif event.kind in _ASSIGNMENT_STATES:
                faults += _settle(event, _ASSIGNMENT_STATES[event.kind], own)
    return faults


def _open(
    event: Event, runs: dict[str, RunState], owner: dict[str, str | None], assignments: dict[str, _Assignment]
) -> list[Fault]:
    run_id, faults = event.run_id or "", []
    if event.kind == _LINKED:
        if run_id not in runs or runs[run_id].terminal or owner.get(run_id) is not None:
            faults.append(Fault(event.position, f"run {run_id} was linked and is not a live one without assignment"))
    elif run_id in runs:
        faults.append(Fault(event.position, f"run {run_id} was opened twice"))
    runs.setdefault(run_id, RunState.CLAIMED)
    owner[run_id] = event.assignment_id
    if event.assignment_id is None:
        return faults
    own = assignments.setdefault(event.assignment_id, _Assignment())
    if own.live is not None:
        faults.append(
            Fault(event.position, f"assignment {event.assignment_id}: run {run_id} began while {own.live} was live")
        )
    for over, word in ((own.completed, "completed"), (own.cancelled, "cancelled")):
        if over:
            faults.append(Fault(event.position, f"assignment {event.assignment_id} was {word}, yet run {run_id} began"))
    attempt = event.data.get("attempt")
    if isinstance(attempt, int):
        if attempt in own.attempts:
            faults.append(Fault(event.position, f"assignment {event.assignment_id} had attempt {attempt} twice"))
        own.attempts.add(attempt)
    own.live = run_id
    return faults


def _move(
    event: Event,
    state: RunState,
    runs: dict[str, RunState],
    owner: dict[str, str | None],
    assignments: dict[str, _Assignment],
) -> list[Fault]:
    run_id = event.run_id or ""
    before = runs.get(run_id)
    if before is None:
        runs[run_id] = state
        return [Fault(event.position, f"run {run_id} became {state} and was never opened")]
    if before.terminal:
        return [Fault(event.position, f"run {run_id} was {before} and became {state}")]
    runs[run_id] = state
    assignment_id = owner.get(run_id)
    if state.terminal and assignment_id is not None and assignments[assignment_id].live == run_id:
        assignments[assignment_id].live = None
    return []


def _settle(event: Event, state: AssignmentState, own: _Assignment) -> list[Fault]:
    faults = []
    if own.completed and state is not AssignmentState.COMPLETED:
        faults.append(Fault(event.position, f"assignment {event.assignment_id} was COMPLETED and became {state}"))
    if own.live is not None and state is not AssignmentState.RUNNING:
        faults.append(
            Fault(event.position, f"assignment {event.assignment_id} became {state} while {own.live} was live")
        )
    own.completed = own.completed or state is AssignmentState.COMPLETED
    own.cancelled = state is AssignmentState.CANCELLED
    return faults

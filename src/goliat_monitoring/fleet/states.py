"""The words for what a run, an assignment, a super study and a worker are in, and the words of the old dashboard."""

from collections.abc import Mapping
from enum import StrEnum


class RunState(StrEnum):
    """One attempt at an assignment: `claimed → running ⇄ unreachable →` one of the terminal states."""

    CLAIMED = "claimed"
    RUNNING = "running"
    UNREACHABLE = "unreachable"
    SUCCEEDED = "succeeded"
    FINISHED_WITH_ERRORS = "finished_with_errors"
    FAILED = "failed"
    MEMORY_ERROR = "memory_error"
    LOST = "lost"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Final: nothing that arrives later changes it."""
        return self not in (RunState.CLAIMED, RunState.RUNNING, RunState.UNREACHABLE)


class AssignmentState(StrEnum):
    """One part of a super study."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def terminal(self) -> bool:
        """No run will be started for it unless a person asks."""
        return self not in (AssignmentState.PENDING, AssignmentState.RUNNING)


class StudyState(StrEnum):
    """A super study, derived from its assignments and from what people asked."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    ENDED_WITH_FAILURES = "ended_with_failures"
    CANCELLED = "cancelled"


class WorkerState(StrEnum):
    """What a worker does; whether it is heard is its presence."""

    IDLE = "idle"
    RUNNING = "running"
    ERROR = "error"
    DRAINING = "draining"
    PAUSED = "paused"


class Presence(StrEnum):
    """Whether a worker is heard."""

    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"


def study_state(assignment_states: Mapping[AssignmentState, int], paused: bool, cancelled: bool) -> StudyState:
    """The state of a super study with that many assignments in each state.

    What is complete stays complete whatever was asked afterwards. While assignments remain: cancelled, then paused
    (runs that are under way go on), then running if one runs, else waiting. A super study without assignments waits.
    """
    count = {AssignmentState(state): n for state, n in assignment_states.items() if n > 0}
    result = StudyState.WAITING
    if count and set(count) <= {AssignmentState.COMPLETED}:
        result = StudyState.COMPLETED
    elif cancelled or set(count) == {AssignmentState.CANCELLED}:
        result = StudyState.CANCELLED
    elif count and all(state.terminal for state in count):
        failed = AssignmentState.FAILED in count
        result = StudyState.ENDED_WITH_FAILURES if failed else StudyState.COMPLETED
    elif paused:
        result = StudyState.PAUSED
    elif AssignmentState.RUNNING in count:
        result = StudyState.RUNNING
    return result


def legacy_worker(state: WorkerState, presence: Presence, busy: bool = False) -> str:
    """IDLE, RUNNING, ERROR or OFFLINE. `busy`: it has a live run, which `draining` and `paused` do not tell."""
    if presence is Presence.OFFLINE:
        return "OFFLINE"
    if state is WorkerState.RUNNING or busy:
        return "RUNNING"
    return "ERROR" if state is WorkerState.ERROR else "IDLE"


def legacy_study(state: StudyState) -> str:
    """PENDING, RUNNING, COMPLETED, FAILED or CANCELLED; a paused super study is PENDING."""
    return _LEGACY_STUDY[state]


def legacy_assignment(state: AssignmentState) -> str:
    """The same words as today."""
    return state.value


_LEGACY_STUDY = {
    StudyState.WAITING: "PENDING",
    StudyState.RUNNING: "RUNNING",
    StudyState.PAUSED: "PENDING",
    StudyState.COMPLETED: "COMPLETED",
    StudyState.ENDED_WITH_FAILURES: "FAILED",
    StudyState.CANCELLED: "CANCELLED",
}

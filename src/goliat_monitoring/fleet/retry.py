"""What becomes of an assignment when one of its runs has ended: again or not, when, and on which kind of worker."""

from dataclasses import dataclass

from goliat_monitoring.fleet.causes import Cause
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.timing import HOUR, MINUTE, SECOND

# The batch worker of GOLIAT gives up after the same number.
MAX_MEMORY_ERRORS = 3
# Three workers may try what fails with an error.
MAX_ERRORS = 3
# A machine that takes every worker down, or a study that never answers, must not eat the fleet.
MAX_ATTEMPTS = 5
# So many failures of one worker on one study, and it gets nothing more of that study.
MAX_WORKER_FAILURES = 3
# With the same early failure in so many assignments, on two workers, the study is at fault and not each of them.
SAME_IN_ASSIGNMENTS = 2

# First pause and longest, doubled each time. A licence is given back when somebody's run ends: hours, so ask seldom.
BACK_OFF = {
    Cause.MEMORY: (30 * SECOND, 10 * MINUTE),
    Cause.LOST: (0, 0),
    Cause.ERROR: (30 * SECOND, 10 * MINUTE),
    Cause.FAST: (30 * SECOND, 10 * MINUTE),
    Cause.LICENCE: (2 * MINUTE, 30 * MINUTE),
}
# How long a better suited worker is waited for; then any will do rather than none.
PREFER = HOUR


@dataclass(frozen=True, slots=True)
class Past:
    """What is known when a run has ended; counts include this run.

    `attempts`: without those that a licence stopped. `in_a_row`: how many of the newest runs ended by this cause.
    `others`: other workers at hand that could take it. `bigger`: one of them has a GPU with more memory.
    `same_elsewhere`: it failed early with the same text on another worker. `same_assignments`: so many assignments of
    the study did, and on two workers at least. `by_person`: a person cancelled the assignment, not only this run.
    """

    cause: Cause
    attempts: int = 1
    memory_errors: int = 0
    errors: int = 0
    in_a_row: int = 1
    others: int = 0
    bigger: bool = False
    same_elsewhere: bool = False
    same_assignments: int = 1
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """What becomes of the assignment.

    `not_before`: when it can be claimed again. `prefer_until`: till then not by a worker that failed it, nor, with
    `more_memory`, by one whose GPU has no more memory than those it failed on. `counts`: as one of its attempts.
    `ask`: what a person must decide, "" for nothing. `wrong_input`: the config is at fault and no worker.
    `stops_retries`: of the whole study, until a person says go on.
    """

    state: AssignmentState
    not_before: int | None = None
    prefer_until: int | None = None
    more_memory: bool = False
    counts: bool = True
    ask: str = ""
    wrong_input: bool = False
    stops_retries: bool = False


def after_run(outcome: RunState, past: Past, now: int) -> After:
    """What becomes of an assignment after a run of it ended as `outcome` at `now` (microseconds).

    - done: completed. Cancelled with its assignment: cancelled; only the run was stopped: a person decides.
    - memory error: again, up to three times, at first only on a GPU with more memory if there is one.
    - lost: again, on another worker if there is one, up to five attempts.
    - no licence: again after a while, as often as it takes.
    - failed early with the same text on two workers: the input is wrong, a person decides; in several assignments:
      also nothing else of the study is tried again.
    - any other failure: again on another worker, up to three times; with no other worker a person decides, for the
      same machine would fail the same way.

    Raises:
        ValueError: `outcome` is not terminal.
    """
    if not outcome.terminal:
        raise ValueError(f"a run that is {outcome} has not ended")
    cause = past.cause
    result = None
    if outcome is RunState.SUCCEEDED:
        result = After(AssignmentState.COMPLETED)
    elif past.by_person:
        result = After(AssignmentState.CANCELLED)
    elif cause is Cause.PERSON:
        result = After(AssignmentState.FAILED, ask="its run was stopped")
    elif cause is Cause.LICENCE:
        result = After(AssignmentState.PENDING, now + back_off(cause, past.in_a_row), counts=False)
    elif past.attempts >= MAX_ATTEMPTS:
        result = After(AssignmentState.FAILED, ask=f"{past.attempts} attempts failed")
    elif cause is Cause.MEMORY and past.memory_errors >= MAX_MEMORY_ERRORS:
        result = After(AssignmentState.FAILED, ask=f"it ran out of memory {past.memory_errors} times")
    elif cause is Cause.FAST and (past.same_elsewhere or past.same_assignments >= SAME_IN_ASSIGNMENTS):
        several = past.same_assignments >= SAME_IN_ASSIGNMENTS
        where = f"in {past.same_assignments} assignments" if several else "on two workers"
        text = f"it failed early with the same text {where}: the config may be wrong"
        result = After(AssignmentState.FAILED, ask=text, wrong_input=True, stops_retries=several)
    elif cause in (Cause.ERROR, Cause.FAST) and past.errors >= MAX_ERRORS:
        result = After(AssignmentState.FAILED, ask=f"it failed {past.errors} times")
    elif cause in (Cause.ERROR, Cause.FAST) and not past.others:
        result = After(AssignmentState.FAILED, ask="it failed, and there is no other worker to try it on")
    if result is not None:
        return result
    more_memory = cause is Cause.MEMORY and past.bigger
    wait = past.others > 0 if cause is not Cause.MEMORY else more_memory
    again = now + back_off(cause, past.in_a_row)
    return After(
        AssignmentState.PENDING,
        again if again > now else None,
        again + PREFER if wait else None,
        more_memory,
    )


def back_off(cause: Cause, in_a_row: int) -> int:
    """The pause after so many ends by this cause in a row, microseconds."""
    first, longest = BACK_OFF[cause]
    return min(first << min(in_a_row - 1, 20), longest)


def set_aside(failures: int) -> bool:
    """Whether a worker with so many failures on a study gets nothing more of it until a person lifts that."""
    return failures >= MAX_WORKER_FAILURES

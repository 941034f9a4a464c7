"""What becomes of an assignment when one of its runs has ended."""

from goliat_monitoring.fleet.states import AssignmentState, RunState

# The batch worker of GOLIAT gives up after the same number.
MAX_MEMORY_ERRORS = 3
# A machine that takes every worker down, or a study that never answers, must not eat the fleet.
MAX_ATTEMPTS = 5


def after_run(outcome: RunState, attempts: int, memory_errors: int, by_person: bool) -> AssignmentState:
    """The state of the assignment after a run of it ended as `outcome`.

    `attempts` and `memory_errors` count this run too. `by_person`: a person cancelled the assignment and not only
    this run. A memory error is tried again up to three times, a lost worker's up to five attempts in all; what
    failed by its input or was stopped by hand waits for a person, who can claim it by name.

    Raises:
        ValueError: `outcome` is not terminal.
    """
    if not outcome.terminal:
        raise ValueError(f"a run that is {outcome} has not ended")
    if outcome is RunState.SUCCEEDED:
        return AssignmentState.COMPLETED
    if outcome is RunState.CANCELLED and by_person:
        return AssignmentState.CANCELLED
    again = (outcome is RunState.MEMORY_ERROR and memory_errors < MAX_MEMORY_ERRORS) or outcome is RunState.LOST
    return AssignmentState.PENDING if again and attempts < MAX_ATTEMPTS else AssignmentState.FAILED

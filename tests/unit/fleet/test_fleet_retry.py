"""What follows from the end of a run: causes, retries, pauses. All times are stepped by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.causes import BLAMES_WORKER, FAST, Cause, cause_of, failure_key, trouble_of
from goliat_monitoring.fleet.retry import (
    BACK_OFF,
    MAX_ATTEMPTS,
    MAX_WORKER_FAILURES,
    PREFER,
    After,
    Past,
    after_run,
    back_off,
    set_aside,
)
from goliat_monitoring.fleet.signs import Sign, SignKind
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.timing import MINUTE, SECOND

NOW = 1_800_000_000 * SECOND
PENDING, COMPLETED, FAILED, CANCELLED = (
    AssignmentState.PENDING, AssignmentState.COMPLETED, AssignmentState.FAILED, AssignmentState.CANCELLED,
)  # fmt: skip
TERMINAL = [state for state in RunState if state.terminal]


@pytest.mark.parametrize(
    ("outcome", "trouble", "minutes", "done", "cause"),
    [
        (RunState.SUCCEEDED, "", 1, 2, Cause.NONE),
        (RunState.CANCELLED, "license", 1, 0, Cause.PERSON),
        (RunState.MEMORY_ERROR, "bad allocation", 1, 0, Cause.MEMORY),
        (RunState.LOST, "", 1, 0, Cause.LOST),
        (RunState.FAILED, "no such phantom 'dukee'", 1, 0, Cause.FAST),
        (RunState.FAILED, "no such phantom 'dukee'", 16, 0, Cause.ERROR),
        (RunState.FINISHED_WITH_ERRORS, "ERROR during simulation: x", 1, 1, Cause.ERROR),
        (RunState.FINISHED_WITH_ERRORS, "", 1, 0, Cause.ERROR),
        (RunState.FAILED, "Could not check out a License for iSolve", 300, 4, Cause.LICENCE),
        (RunState.FAILED, "No licence is available", 1, 0, Cause.LICENCE),
        (RunState.FAILED, "the file licensee.txt is missing", 1, 0, Cause.FAST),
    ],
)
def test_causes(outcome: RunState, trouble: str, minutes: int, done: int, cause: Cause) -> None:
    assert cause_of(outcome, trouble, minutes * MINUTE, done) is cause


def test_a_live_run_has_no_cause_and_no_afterwards() -> None:
    with pytest.raises(ValueError, match="not ended"):
        cause_of(RunState.RUNNING, "", 0, 0)
    with pytest.raises(ValueError, match="not ended"):
        after_run(RunState.UNREACHABLE, Past(Cause.ERROR), NOW)


def test_the_trouble_is_the_worst_thing_said_and_the_first_of_it() -> None:
    signs = [
        Sign(SignKind.ERROR, 3, "late error"), Sign(SignKind.ERROR, 1, "first error"),
        Sign(SignKind.FATAL, 9, "fatal"), Sign(SignKind.FINISHED, 10, "Study finished with errors"),
    ]  # fmt: skip
    assert trouble_of(signs, "reason") == "fatal"
    assert trouble_of(signs[:2], "reason") == "first error"
    assert trouble_of([], "the process ended with code 3") == "the process ended with code 3"
    assert trouble_of([], "unproven: 2 of 2 simulations have no result") == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cannot open C:\\Users\\a\\goliat\\data\\duke.sab", "cannot open /home/b/goliat/data/duke.sab"),
        ("Failed at 0x7f001 after 12.5 s", "failed at 0xab  after 3 s"),
        ("the process ended with code 1; 2 of 2 simulations have no result", "the process ended with code 1"),
    ],
)
def test_the_same_failure_has_the_same_key_on_any_machine(one: str, other: str) -> None:
    assert failure_key(one) == failure_key(other) != ""


def test_other_failures_have_other_keys() -> None:
    assert failure_key("no phantom 'duke'") != failure_key("no phantom 'ella'")
    assert failure_key("") == ""


def again(wait: int, *, prefer: bool = False, more_memory: bool = False, counts: bool = True) -> After:
    at = NOW + wait
    return After(PENDING, at if wait else None, at + PREFER if prefer else None, more_memory, counts)


@pytest.mark.parametrize(
    ("outcome", "past", "after"),
    [
        (RunState.SUCCEEDED, Past(Cause.NONE, attempts=9), After(COMPLETED)),
        (RunState.SUCCEEDED, Past(Cause.NONE, by_person=True), After(COMPLETED)),
        (RunState.CANCELLED, Past(Cause.PERSON, by_person=True), After(CANCELLED)),
        (RunState.LOST, Past(Cause.LOST, by_person=True), After(CANCELLED)),
        (RunState.CANCELLED, Past(Cause.PERSON), After(FAILED, ask="its run was stopped")),
        # Memory.
        (RunState.MEMORY_ERROR, Past(Cause.MEMORY, memory_errors=1), again(30 * SECOND)),
        (
            RunState.MEMORY_ERROR,
            Past(Cause.MEMORY, memory_errors=2, in_a_row=2, bigger=True, others=3),
            again(60 * SECOND, prefer=True, more_memory=True),
        ),
        (RunState.MEMORY_ERROR, Past(Cause.MEMORY, memory_errors=1, others=3), again(30 * SECOND)),
        (
            RunState.MEMORY_ERROR,
            Past(Cause.MEMORY, memory_errors=3, bigger=True),
            After(FAILED, ask="it ran out of memory 3 times"),
        ),
        # Lost.
        (RunState.LOST, Past(Cause.LOST, attempts=4), again(0)),
        (RunState.LOST, Past(Cause.LOST, attempts=1, others=1), again(0, prefer=True)),
        (RunState.LOST, Past(Cause.LOST, attempts=5), After(FAILED, ask="5 attempts failed")),
        # Licence.
        (RunState.FAILED, Past(Cause.LICENCE), again(2 * MINUTE, counts=False)),
        (RunState.FAILED, Past(Cause.LICENCE, attempts=99, in_a_row=4), again(16 * MINUTE, counts=False)),
        (RunState.FAILED, Past(Cause.LICENCE, in_a_row=1000), again(30 * MINUTE, counts=False)),
        # Other failures.
        (
            RunState.FAILED,
            Past(Cause.ERROR),
            After(FAILED, ask="it failed, and there is no other worker to try it on"),
        ),
        (RunState.FAILED, Past(Cause.ERROR, errors=1, others=1), again(30 * SECOND, prefer=True)),
        (RunState.FINISHED_WITH_ERRORS, Past(Cause.ERROR, errors=2, in_a_row=2, others=1),
         again(60 * SECOND, prefer=True)),
        (RunState.FAILED, Past(Cause.ERROR, errors=3, others=9), After(FAILED, ask="it failed 3 times")),
        # The input.
        (RunState.FAILED, Past(Cause.FAST, errors=1, others=1), again(30 * SECOND, prefer=True)),
        (
            RunState.FAILED,
            Past(Cause.FAST, errors=2, others=5, same_elsewhere=True),
            After(FAILED, ask="it failed early with the same text on two workers: the config may be wrong",
                  wrong_input=True),
        ),
        (
            RunState.FAILED,
            Past(Cause.FAST, errors=1, others=5, same_assignments=2),
            After(
                FAILED,
                ask="it failed early with the same text in 2 assignments: the config may be wrong",
                wrong_input=True,
                stops_retries=True,
            ),
        ),
        # Late, the same text says nothing about the input.
        (RunState.FAILED, Past(Cause.ERROR, errors=1, others=1, same_elsewhere=True, same_assignments=7),
         again(30 * SECOND, prefer=True)),
    ],
)  # fmt: skip
def test_after_run(outcome: RunState, past: Past, after: After) -> None:
    assert after_run(outcome, past, NOW) == after


@given(
    st.sampled_from(TERMINAL),
    st.builds(
        Past,
        st.sampled_from(list(Cause)),
        attempts=st.integers(1, 9),
        memory_errors=st.integers(0, 5),
        errors=st.integers(0, 5),
        in_a_row=st.integers(1, 40),
        others=st.integers(0, 3),
        bigger=st.booleans(),
        same_elsewhere=st.booleans(),
        same_assignments=st.integers(1, 4),
        by_person=st.booleans(),
    ),
)
def test_retries_end_and_only_success_completes(outcome: RunState, past: Past) -> None:
    if past.cause in (Cause.NONE, Cause.INPUT) and outcome is not RunState.SUCCEEDED:
        return
    after = after_run(outcome, past, NOW)
    assert (after.state is COMPLETED) == (outcome is RunState.SUCCEEDED)
    assert after.state is not AssignmentState.RUNNING
    if after.counts and past.attempts >= MAX_ATTEMPTS:
        assert after.state is not PENDING
    if after.state is PENDING:
        assert not after.ask
        assert after.not_before is None or after.not_before > NOW
        assert after.prefer_until is None or after.prefer_until > (after.not_before or NOW)
    if after.state is FAILED:
        assert after.ask, "a person is told what to decide"


@given(st.sampled_from(list(BACK_OFF)), st.integers(1, 60))
def test_pauses_grow_up_to_a_limit(cause: Cause, times: int) -> None:
    assert back_off(cause, times) <= back_off(cause, times + 1) <= BACK_OFF[cause][1]


def test_three_failures_set_a_worker_aside() -> None:
    assert [set_aside(count) for count in range(5)] == [False, False, False, True, True]
    assert MAX_WORKER_FAILURES == 3
    assert {Cause.LICENCE, Cause.PERSON, Cause.NONE}.isdisjoint(BLAMES_WORKER)
    assert FAST == 15 * MINUTE

"""States, presence, leases, claims, retries, progress."""

from collections import Counter
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.claims import (
    Candidate,
    Claimer,
    Grant,
    Holder,
    LastRun,
    Refuse,
    Same,
    claim_order,
    decide_claim,
)
from goliat_monitoring.fleet.leases import (
    clock_jumped,
    is_its_turn,
    lease_until,
    lease_verdict,
    may_be_offered,
    revived,
)
from goliat_monitoring.fleet.presence import presence, worker_state
from goliat_monitoring.fleet.progress import Current, case_fraction, run_progress, study_progress
from goliat_monitoring.fleet.states import (
    AssignmentState,
    Presence,
    RunState,
    StudyState,
    WorkerState,
    legacy_assignment,
    legacy_study,
    legacy_worker,
    study_state,
)
from goliat_monitoring.fleet.timing import LEASE, MINUTE, SECOND

NOW = 1_800_000_000 * SECOND
P, R, C, F, X = AssignmentState


@pytest.mark.parametrize(
    ("counts", "paused", "cancelled", "state"),
    [
        ({}, False, False, StudyState.WAITING),
        ({P: 2}, False, False, StudyState.WAITING),
        ({P: 1, R: 1}, False, False, StudyState.RUNNING),
        ({P: 1, R: 1}, True, False, StudyState.PAUSED),
        ({P: 1, C: 1}, False, False, StudyState.WAITING),
        ({P: 1, F: 1}, False, False, StudyState.WAITING),
        ({C: 3, P: 0}, True, True, StudyState.COMPLETED),
        ({C: 3, F: 1}, False, False, StudyState.ENDED_WITH_FAILURES),
        ({C: 3, F: 1}, True, False, StudyState.ENDED_WITH_FAILURES),
        ({C: 1, X: 1}, False, False, StudyState.COMPLETED),
        ({X: 2}, False, False, StudyState.CANCELLED),
        ({R: 1, P: 2}, True, True, StudyState.CANCELLED),
    ],
)
def test_study_state(counts: dict[AssignmentState, int], paused: bool, cancelled: bool, state: StudyState) -> None:
    assert study_state(counts, paused, cancelled) is state
    assert study_state(Counter(counts), paused, cancelled) is state


def test_old_words() -> None:
    assert {legacy_study(state) for state in StudyState} == {"PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"}
    assert [legacy_assignment(state) for state in AssignmentState] == [state.value for state in AssignmentState]
    assert legacy_worker(WorkerState.RUNNING, Presence.LATE) == "RUNNING"
    assert legacy_worker(WorkerState.RUNNING, Presence.OFFLINE) == "OFFLINE"
    assert legacy_worker(WorkerState.ERROR, Presence.ONLINE) == "ERROR"
    assert legacy_worker(WorkerState.DRAINING, Presence.ONLINE) == "IDLE"
    assert legacy_worker(WorkerState.DRAINING, Presence.ONLINE, busy=True) == "RUNNING"


@pytest.mark.parametrize(
    ("kind", "silent", "expected"),
    [
        ("agent", 30, Presence.ONLINE), ("agent", 31, Presence.LATE), ("agent", 600, Presence.LATE),
        ("agent", 601, Presence.OFFLINE), ("bare", 90, Presence.ONLINE), ("bare", 91, Presence.LATE),
        ("bare", 601, Presence.OFFLINE), ("agent", -50, Presence.ONLINE),
    ],
)  # fmt: skip
def test_presence(kind: str, silent: int, expected: Presence) -> None:
    assert presence(kind, NOW - silent * SECOND, NOW) is expected


def test_an_agent_that_said_goodbye_is_offline_until_it_is_heard_again() -> None:
    assert presence("agent", NOW - SECOND, NOW, left_at=NOW - SECOND) is Presence.OFFLINE
    assert presence("agent", NOW, NOW, left_at=NOW - SECOND) is Presence.ONLINE
    assert presence("agent", NOW - 60 * SECOND, NOW, left_at=NOW - 90 * SECOND) is Presence.LATE


@pytest.mark.parametrize(
    ("wish", "live", "last", "expected"),
    [
        ("active", None, None, WorkerState.IDLE),
        ("active", RunState.CLAIMED, RunState.FAILED, WorkerState.RUNNING),
        ("active", RunState.UNREACHABLE, None, WorkerState.RUNNING),
        ("active", None, RunState.FAILED, WorkerState.ERROR),
        ("active", None, RunState.MEMORY_ERROR, WorkerState.ERROR),
        ("active", None, RunState.SUCCEEDED, WorkerState.IDLE),
        ("active", None, RunState.CANCELLED, WorkerState.IDLE),
        ("active", None, RunState.LOST, WorkerState.IDLE),
        ("paused", None, RunState.FAILED, WorkerState.PAUSED),
        ("paused", RunState.RUNNING, None, WorkerState.RUNNING),
        ("draining", RunState.RUNNING, None, WorkerState.DRAINING),
        ("removed", None, None, WorkerState.PAUSED),
    ],
)
def test_worker_state(wish: str, live: RunState | None, last: RunState | None, expected: WorkerState) -> None:
    assert worker_state(wish, live, last) is expected


@pytest.mark.parametrize(
    ("kind", "first", "last", "now", "until"),
    [
        ("agent", None, None, 0, 10), ("agent", 1, 5, 6, 15), ("bare", None, None, 0, 20), ("bare", None, None, 30, 20),
        ("bare", 3, 3, 4, 13), ("bare", 3, 9, 9, 19),
        ("agent", 1, 50, 6, 16),  # heard "in 44 minutes": the clock was set back
    ],
)  # fmt: skip
def test_lease_until(kind: Literal["agent", "bare"], first: int | None, last: int | None, now: int, until: int) -> None:
    def at(minutes: int | None) -> int | None:
        return None if minutes is None else NOW + minutes * MINUTE

    assert lease_until(kind, at(first), NOW, at(last), NOW + now * MINUTE) == NOW + until * MINUTE


def test_a_lease_ends_in_unreachable_and_never_in_the_quiet_time() -> None:
    for state in (RunState.CLAIMED, RunState.RUNNING):
        assert lease_verdict(state, NOW, NOW - 1, 0) == "keep"
        assert lease_verdict(state, NOW, NOW, 0) == "unreachable"
        assert lease_verdict(state, NOW - 60 * MINUTE, NOW, NOW + 1) == "keep"
        assert lease_verdict(state, NOW - 60 * MINUTE, NOW, NOW) == "unreachable"
    assert lease_verdict(RunState.UNREACHABLE, 0, NOW, 0) == "keep"


def test_unreachable_is_offered_twenty_minutes_after_its_lease() -> None:
    end = NOW - 20 * MINUTE
    assert may_be_offered(RunState.UNREACHABLE, end, NOW)
    assert not may_be_offered(RunState.UNREACHABLE, end + 1, NOW)
    assert not may_be_offered(RunState.RUNNING, 0, NOW)
    assert not may_be_offered(RunState.UNREACHABLE, end, NOW, quiet_until=NOW + 1)


@pytest.mark.parametrize(
    ("later", "jumped"), [(0, False), (10, False), (35, False), (41, True), (3600, True), (-29, False), (-31, True)]
)
def test_clock_jumped(later: int, jumped: bool) -> None:
    assert clock_jumped(NOW, 10 * SECOND, NOW + later * SECOND) is jumped


@given(st.sampled_from(list(RunState)), st.integers(0, 2 * NOW), st.integers(0, 2 * NOW), st.integers(0, 2 * NOW))
def test_terminal_is_final(state: RunState, lease: int, now: int, quiet: int) -> None:
    if state.terminal:
        assert revived(state) is None
        assert lease_verdict(state, lease, now, quiet) == "keep"
        assert not may_be_offered(state, lease, now)
    else:
        assert revived(state) in (RunState.RUNNING, None)
        assert (revived(state) or state) is RunState.RUNNING


ME = Claimer("w1", "agent", "active")


def held(
    by: str = "w1", state: RunState = RunState.RUNNING, spoke: bool = True, ended: bool = False, ago: int = -5
) -> Holder:
    """A live run whose lease ended `ago` minutes ago."""
    return Holder(by, f"machine {by}", "run-1", state, spoke, NOW - ago * MINUTE, ended)


U = RunState.UNREACHABLE


@pytest.mark.parametrize(
    ("state", "holder", "last", "claimer", "by_name", "expected"),
    [
        (P, None, None, ME, False, "grant"),
        (R, held(state=RunState.CLAIMED, spoke=False), None, ME, True, "same"),
        (R, held(), None, ME, True, "refuse: already running"),
        (R, held(ended=True), None, ME, True, "grant ends run-1 judged"),
        (R, held(), LastRun("w1", RunState.RUNNING, True), ME, True, "grant ends run-1 judged"),
        (R, held(), ("w2", RunState.RUNNING, True), ME, True, "refuse: already running"),
        (R, held(state=U), None, ME, True, "grant ends run-1 lost"),
        (R, held(state=U, spoke=False), None, ME, True, "grant ends run-1 lost"),
        (R, held("w2"), None, ME, True, "refuse: machine w2"),
        (R, held("w2", state=RunState.CLAIMED, spoke=False), None, ME, True, "refuse: machine w2"),
        (R, held("w2", state=U, ago=19), None, ME, False, "refuse: unreachable"),
        (R, held("w2", state=U, ago=20), None, ME, False, "grant ends run-1 lost"),
        (P, None, LastRun("w1", RunState.MEMORY_ERROR, True), ME, True, "grant"),
        (F, None, None, ME, True, "grant"),
        (F, None, None, ME, False, "refuse: failed"),
        (C, None, None, ME, True, "refuse: COMPLETED"),
        (X, None, None, ME, True, "refuse: CANCELLED"),
        (P, None, None, Claimer("w1", "agent", "paused"), False, "refuse: paused"),
        (P, None, None, Claimer("w1", "agent", "draining"), False, "refuse: draining"),
        (P, None, None, Claimer("w1", "bare", "paused"), True, "grant"),
    ],
)
def test_claims(
    state: AssignmentState,
    holder: Holder | None,
    last: LastRun | tuple[str, RunState, bool] | None,
    claimer: Claimer,
    by_name: bool,
    expected: str,
) -> None:
    decision = decide_claim(state, holder, last, claimer, NOW, by_name)
    match decision:
        case Same(run_id):
            assert (expected, run_id) == ("same", "run-1")
        case Grant():
            end = f" ends {decision.ends} {decision.end_as or 'judged'}" if decision.ends else ""
            assert f"grant{end}" == expected
            assert decision.reason
            assert decision.new_run
        case Refuse(text):
            assert expected.startswith("refuse: ")
            assert expected.removeprefix("refuse: ") in text
            # `goliat worker` prints the text and ends: it says what to do.
            assert any(word in text for word in ("dashboard", "Choose", "Wait"))


def test_a_refusal_says_who_and_until_when() -> None:
    decision = decide_claim(R, held("w2"), None, ME, NOW, True)
    assert isinstance(decision, Refuse)
    assert decision.holder == held("w2")
    assert "machine w2 until 2027-01-15T08:05:00.000Z" in decision.text


def test_nothing_is_taken_away_in_the_quiet_time() -> None:
    decision = decide_claim(R, held("w2", state=U, ago=60), None, ME, NOW, False, quiet_until=NOW + 5 * MINUTE)
    assert isinstance(decision, Refuse)
    assert "2027-01-15T08:05:00.000Z" in decision.text


def test_claim_order() -> None:
    lost = Candidate("lost", 9, 1, 0, unreachable=True)
    urgent = Candidate("urgent", 5, 9, 9)
    old_second, old_first, new = Candidate("b", 0, 1, 1), Candidate("a", 0, 1, 0), Candidate("c", 0, 2, 0)
    assert claim_order([lost, new, old_second, urgent, old_first]) == [urgent, old_first, old_second, new, lost]
    overdue = Candidate("overdue", 0, 1, 7, unreachable=True, overdue=True)
    assert claim_order([lost, new, overdue, urgent, old_first]) == [urgent, overdue, old_first, new, lost]


@pytest.mark.parametrize(("ago", "offered", "its_turn"), [(19, False, False), (20, True, False), (60, True, True)])
def test_what_nobody_is_heard_of_is_offered_last_and_then_in_its_turn(ago: int, offered: bool, its_turn: bool) -> None:
    ended = NOW - ago * MINUTE
    assert may_be_offered(U, ended, NOW) is offered
    assert is_its_turn(ended, NOW) is its_turn


@pytest.mark.parametrize(
    ("done", "current", "progress"),
    [
        ([], None, 0.0),
        (["a"], None, 0.25),
        (["a"], Current("b", "Setup", 1.0), 0.25 + 0.75 * 0.25),
        (["a"], Current("b", "Run", 0.5), 0.25 + 0.75 * 0.5),
        (["a"], Current("b", "Extracting Results", 1.0), 0.999),
        (["a"], Current("b", "Finished", 1.0), 0.25),
        (["a"], Current("a", "Run", 1.0), 0.25),
        (["a"], Current("b", "Run", float("nan")), 0.25 + 0.75 * 0.25),
        (["a", "b", "other"], None, 1.0),
    ],
)
def test_run_progress(done: list[str], current: Current | None, progress: float) -> None:
    assert run_progress({"a": 100, "b": 300}, done, current) == pytest.approx(progress)


def test_progress_without_weights_is_none() -> None:
    assert run_progress({}, [], None) == 0.0
    assert study_progress([]) == 0.0


def test_study_progress() -> None:
    assert study_progress([(1, 1.0), (3, 0.5)]) == pytest.approx(0.625)
    assert study_progress([(1, 1.0), (3, 0.9999999)]) == 0.999
    assert study_progress([(1, 1.0), (0, 1.0)]) == 1.0


@given(st.text(max_size=10), st.floats())
def test_a_fraction_is_one(stage: str, fraction: float) -> None:
    assert 0 <= case_fraction(stage, fraction) <= 1


def test_offline_begins_with_unreachable() -> None:
    assert presence("agent", NOW - LEASE, NOW) is not Presence.OFFLINE

"""The audit of an event log: what it accepts, and each fault that it must find."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.audit import Event, audit


def events(*said: tuple[Any, ...]) -> list[Event]:
    """(kind, run or assignment, attempt) as a log; run `a1` is of assignment `a`."""
    found = []
    for position, (kind, subject, *attempt) in enumerate(said):
        data: dict[str, Any] = {"attempt": attempt[0]} if attempt else {}
        if kind.startswith("run_"):
            found.append(Event(position, 0, kind, subject, subject[0], "w", data))
        else:
            found.append(Event(position, 0, kind, None, subject, None, data))
    return found


GOOD: list[tuple[Any, ...]] = [
    ("run_claimed", "a1", 1), ("run_running", "a1"), ("run_unreachable", "a1"), ("run_running", "a1"),
    ("run_claimed", "b1", 1), ("run_unreachable", "a1"), ("run_lost", "a1"), ("assignment_pending", "a"),
    ("run_claimed", "a2", 2), ("run_stop_asked", "a2"), ("run_succeeded", "a2"), ("assignment_completed", "a"),
    ("run_failed", "b1"), ("assignment_failed", "b"), ("assignment_retry", "b"), ("assignment_pending", "b"),
    ("run_claimed", "b2", 2), ("run_cancelled", "b2"), ("assignment_cancelled", "b"), ("assignment_retry", "b"),
    ("assignment_pending", "b"), ("run_claimed", "b3", 3),
]  # fmt: skip


def test_a_sound_log_has_no_fault() -> None:
    assert audit(events(*GOOD)) == []
    assert audit([]) == []
    assert audit([Event(0, 0, "run_opened", "r"), Event(1, 0, "run_opened", "s"), Event(2, 0, "worker_wish")]) == []


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ([("run_claimed", "c1", 1), ("run_claimed", "c2", 2)], "run c2 began while c1 was live"),
        ([("run_claimed", "c1", 1), ("run_lost", "c1"), ("run_claimed", "c2", 1)], "attempt 1 twice"),
        ([("run_running", "a1")], "run a1 was lost and became running"),
        ([("run_succeeded", "a1")], "run a1 was lost and became succeeded"),
        ([("run_failed", "a2")], "run a2 was succeeded and became failed"),
        ([("run_claimed", "a2", 3)], "run a2 was opened twice"),
        ([("run_claimed", "a3", 3)], "assignment a was completed, yet run a3 began"),
        ([("assignment_pending", "a")], "assignment a was COMPLETED and became PENDING"),
        ([("assignment_pending", "b")], "became PENDING while b3 was live"),
        ([("run_cancelled", "b3"), ("assignment_cancelled", "b"), ("run_claimed", "b4", 4)], "b was cancelled, yet"),
        ([("run_running", "x9")], "was never opened"),
    ],
)  # fmt: skip
def test_each_fault_is_found(more: list[Any], text: str) -> None:
    faults = audit(events(*GOOD, *more))
    assert any(text in fault.text for fault in faults), faults
    assert all(fault.position >= len(GOOD) for fault in faults)


@given(st.permutations(range(len(GOOD))))
def test_the_order_of_the_list_does_not_matter(order: list[int]) -> None:
    log = events(*GOOD)
    assert audit([log[i] for i in order]) == []


@given(st.integers(0, len(GOOD) - 1))
def test_an_event_that_comes_twice_is_a_fault_where_it_changes_a_run(place: int) -> None:
    log = [*GOOD[: place + 1], GOOD[place], *GOOD[place + 1 :]]
    kind = GOOD[place][0]
    if kind in ("run_claimed", "run_lost", "run_succeeded", "run_failed", "run_cancelled"):
        assert audit(events(*log))

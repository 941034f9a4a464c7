"""Why an assignment is not running: the verdict of each rule, and the one sentence."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.states import AssignmentState, Presence, RunState
from goliat_monitoring.fleet.timing import HOUR, SECOND
from goliat_monitoring.fleet.why import Live, Machine, Waiting, may_have, why_not
from goliat_monitoring.study.requirements import MachineFacts, parse

NOW = 1_800_000_000 * SECOND
PENDING = Waiting(AssignmentState.PENDING)
SMALL = Machine("w1", "small", MachineFacts("RTX 3080", 10 * 10**9, ("lab",), "1.5.0"))
BIG = Machine("w2", "big", MachineFacts("RTX 4090", 24 * 10**9, (), "1.4.1"))


@pytest.mark.parametrize(
    ("waiting", "machine", "rule", "says"),
    [
        (
            {"state": AssignmentState.FAILED, "ask": "it failed 3 times"},
            {},
            "state",
            "It is failed: it failed 3 times.",
        ),
        ({"study_cancelled": True}, {}, "study_cancelled", "cancelled"),
        ({"study_paused": True}, {}, "study_paused", "paused"),
        ({"retries_stopped": "same text", "attempts": 1}, {}, "retries_stopped", "same text"),
        ({"not_before": NOW + SECOND}, {}, "not_before", "2027-01-15T08:00:01"),
        ({"requirements": parse(["vram>=24"])}, {}, "requirements", "It has 10 GB of VRAM, 24 GB are needed."),
        ({}, {"wish": "draining"}, "wish", "draining"),
        ({}, {"set_aside": "3 failures"}, "set_aside", "3 failures"),
        ({"failed_on": frozenset({"w1"}), "prefer_until": NOW + HOUR}, {}, "failed_here", "2027-01-15T09:00"),
        ({"vram_above": 10 * 10**9, "prefer_until": NOW + HOUR}, {}, "more_memory", "no more memory"),
    ],
)
def test_each_rule_keeps_it_back_and_says_so(
    waiting: dict[str, Any], machine: dict[str, Any], rule: str, says: str
) -> None:
    asked, one = replace(PENDING, **waiting), replace(SMALL, **machine)
    assert not may_have(asked, one, NOW)
    why = why_not(asked, [one], NOW)
    verdicts = {it.rule: it for it in (*why.rules, *why.workers[0].verdicts)}
    assert not verdicts[rule].ok
    assert says in verdicts[rule].text
    assert says in why.answer
    # What is not in the queue has no turn there, and nobody takes it from there.
    follows = {"a_worker_fits", *(() if asked.state is AssignmentState.PENDING else ("order", "queued"))}
    others = {it.rule for it in verdicts.values() if not it.ok} - {rule} - follows
    assert not others, "one reason, one verdict"


@pytest.mark.parametrize(
    "waiting",
    [
        {},
        {"retries_stopped": "same text"},
        {"not_before": NOW},
        {"requirements": parse(["gpu=RTX 3080", "tag=lab", "goliat>=1.5"]), "attempts": 2},
        {"failed_on": frozenset({"w1"}), "prefer_until": NOW, "vram_above": 99 * 10**9},
        {"failed_on": frozenset({"w2"}), "prefer_until": NOW + HOUR, "vram_above": 9 * 10**9},
    ],
)
def test_what_keeps_nothing_back(waiting: dict[str, Any]) -> None:
    asked = replace(PENDING, **waiting)
    assert may_have(asked, SMALL, NOW)
    assert why_not(asked, [SMALL], NOW).answer == "small takes it with its next claim."


def test_the_answer_names_what_matters_most() -> None:
    assert why_not(PENDING, [], NOW).answer == "There is no worker."
    busy = replace(SMALL, runs="study X, assignment 3")
    assert why_not(PENDING, [busy], NOW).answer == "Every worker that may have it is busy or not heard."
    gone = replace(SMALL, presence=Presence.OFFLINE)
    assert why_not(PENDING, [gone, busy], NOW).answer == "Every worker that may have it is busy or not heard."
    assert why_not(PENDING, [SMALL, BIG], NOW, ahead=4).answer == "It waits for its turn: 4 assignments come first."
    assert why_not(PENDING, [SMALL], NOW, ahead=1).answer.endswith("1 assignment comes first.")
    tagged = replace(PENDING, requirements=parse(["tag=fast"]))
    away = replace(SMALL, presence=Presence.OFFLINE, wish="paused")
    assert why_not(tagged, [away, BIG], NOW).answer == (
        "No worker may have it, big for example: It lacks the tag fast."
    ), "the one that comes nearest, and not that it is away"
    live = Live(RunState.RUNNING, "big", NOW + HOUR)
    running = Waiting(AssignmentState.RUNNING)
    assert why_not(running, [SMALL], NOW, live=live).answer == "It is running on big."
    silent = Live(RunState.UNREACHABLE, "big", NOW)
    assert "not heard" in why_not(running, [SMALL], NOW, live=silent).answer


def test_a_worker_that_fits_is_told_from_one_that_does_not() -> None:
    why = why_not(replace(PENDING, requirements=parse(["vram>=24"])), [SMALL, BIG], NOW)
    assert [(it.name, it.ok) for it in why.workers] == [("small", False), ("big", True)]
    assert why.answer == "big takes it with its next claim."


@pytest.mark.parametrize(
    ("state", "live", "says"),
    [
        (AssignmentState.RUNNING, RunState.RUNNING, "it is running."),
        (AssignmentState.RUNNING, RunState.UNREACHABLE, "it is held by big, which is not heard."),
        (AssignmentState.FAILED, None, "it is failed."),
        (AssignmentState.COMPLETED, None, "it is completed."),
        (AssignmentState.CANCELLED, None, "it is cancelled."),
    ],
)
def test_what_is_not_in_the_queue_has_no_turn_and_no_taker(
    state: AssignmentState, live: RunState | None, says: str
) -> None:
    held = None if live is None else Live(live, "big", NOW)
    why = why_not(Waiting(state, attempts=1), [SMALL, BIG], NOW, live=held)
    rules = {it.rule: it for it in why.rules}
    assert (rules["order"].ok, rules["order"].text) == (False, f"It is not in the queue: {says}")
    assert "is tried again" not in rules["retries_stopped"].text
    assert not rules["a_worker_fits"].ok
    for worker in why.workers:
        assert not worker.ok
        assert [it.text for it in worker.verdicts if not it.ok] == [rules["order"].text]


@given(
    st.builds(
        Waiting,
        st.sampled_from(list(AssignmentState)),
        st.sampled_from([parse([]), parse(["vram>=24"]), parse(["tag=lab"])]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["", "same text"]),
        st.integers(0, 2),
        st.sampled_from([None, NOW - 1, NOW + 1]),
        st.sampled_from([None, NOW - 1, NOW + 1]),
        st.sampled_from([frozenset(), frozenset({"w1"}), frozenset({"w1", "w2"})]),
        st.sampled_from([None, 10 * 10**9, 24 * 10**9]),
    )
)
def test_the_answer_promises_exactly_what_a_claim_would_give(waiting: Waiting) -> None:
    why = why_not(waiting, [SMALL, BIG], NOW)
    takers = [machine.name for machine in (SMALL, BIG) if may_have(waiting, machine, NOW)]
    promised = why.answer.removesuffix(" takes it with its next claim.")
    assert (promised in ("small", "big")) == bool(takers)
    if takers:
        assert promised == takers[0]

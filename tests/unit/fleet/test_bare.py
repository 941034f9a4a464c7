"""Where a bare client's message belongs, whatever the order of arrival."""

import random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.bare import Action, BareMessage, BareRun, Choice, choose_run, is_newest, speakers
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.wire.clock import SECOND

KEEP, OPEN = Action.KEEP, Action.OPEN


class Known(NamedTuple):
    name: str
    last_seen: int
    wish: str = "active"


NOW = 10_000 * SECOND
SEEN = {"now": NOW, "lately": NOW - 60 * SECOND, "long ago": NOW - 3600 * SECOND, "longer ago": NOW - 7200 * SECOND}


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ([("a", "now"), ("b", "lately")], ["a", "b"]),
        ([("a", "long ago"), ("b", "lately")], ["b"]),
        ([("a", "longer ago"), ("b", "long ago")], ["b"]),
        ([("a", "now", "removed"), ("b", "lately")], ["b"]),
        ([("a", "now", "removed"), ("b", "lately", "removed")], ["a"]),
        ([("a", "now", "removed"), ("b", "long ago")], ["a"]),
        ([("a", "long ago", "removed"), ("b", "longer ago", "paused")], ["b"]),
        ([("a", "long ago", "removed")], ["a"]),
        ([], []),
    ],
)
def test_who_of_one_machine_id_may_speak(known: list[tuple[str, ...]], wanted: list[str]) -> None:
    found = [Known(name, SEEN[seen], *wish) for name, seen, *wish in known]
    assert [one.name for one in speakers(found, NOW)] == wanted
    assert [one.name for one in speakers(reversed(found), NOW)] == wanted


def run(
    name: str, began: int | None = None, finished: int | None = None, state: RunState = RunState.RUNNING
) -> BareRun:
    return BareRun(
        name,
        state,
        None if began is None else began * SECOND,
        None if finished is None else finished * SECOND,
    )


def said(at: float, began: float | None = None, *, life: bool = True) -> BareMessage:
    return BareMessage(round(at * SECOND), None if began is None else round(began * SECOND), life)


LOST = RunState.LOST
DONE = RunState.SUCCEEDED
CASES = [
    ("the first message of a stranger opens a run", [], said(100), Choice(OPEN)),
    ("a message goes to the live run", [run("a", 90)], said(100), Choice(KEEP, "a")),
    ("the first batch of a claimed run", [run("a")], said(100, 100), Choice(KEEP, "a")),
    ("the same batch 0 again", [run("a", 100)], said(101, 100), Choice(KEEP, "a")),
    ("a later batch 0: GOLIAT was started anew", [run("a", 100)], said(300, 299), Choice(OPEN, "a")),
    ("an earlier batch 0 opens nothing", [run("a", 100)], said(90, 89), Choice(KEEP, "a")),
    ("the last stage arrives after finished", [run("a", 100, 200)], said(201), Choice(KEEP, "a")),
    ("finished came first of all", [run("a", None, 200)], said(150, 100), Choice(KEEP, "a")),
    ("a minute after the end it is still the same run", [run("a", 100, 200, DONE)], said(259), Choice(KEEP, "a")),
    ("later than that a study is another one", [run("a", 100, 200, DONE)], said(261), Choice(OPEN, "a")),
    ("but its old percentage is not", [run("a", 100, 200, DONE)], said(900, life=False), Choice(KEEP, "a")),
    ("a new session right after the end", [run("a", 100, 200, DONE)], said(211, 210), Choice(OPEN, "a")),
    ("claimed again: the tail is the old run's", [run("b"), run("a", 100, 200)], said(203), Choice(KEEP, "a")),
    ("claimed again: what follows is the new run's", [run("b"), run("a", 100, 200)], said(210), Choice(KEEP, "b")),
    ("claimed again: its first batch", [run("b"), run("a", 100, 200)], said(210, 209), Choice(KEEP, "b")),
    ("claimed again: the old first batch once more", [run("b"), run("a", 100, 200)], said(100, 100), Choice(KEEP, "a")),
    ("sent before the new session began", [run("b", 300), run("a", 100, 200)], said(150), Choice(KEEP, "a")),
    ("a moment before its first line", [run("b", 300), run("a", 100, 200)], said(299), Choice(KEEP, "b")),
    ("given up, but its process goes on", [run("a", 100, None, LOST)], said(500), Choice(KEEP, "a")),
    ("given up, and started anew", [run("a", 100, None, LOST)], said(500, 490), Choice(OPEN, "a")),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "message", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_where_a_message_belongs(runs: list[BareRun], message: BareMessage, expected: Choice) -> None:
    assert choose_run(runs, message) == expected


@pytest.mark.parametrize("seed", range(20))
def test_one_session_makes_one_run_in_any_order(seed: int) -> None:
    messages = [said(100.2, 100), *(said(100 + i / 2) for i in range(1, 60)), said(131, life=False)]
    finished = said(130)
    messages.append(finished)
    random.Random(seed).shuffle(messages)
    runs: list[BareRun] = []
    for message in messages:
        choice = choose_run(runs, message)
        if choice.action is OPEN:
            runs.insert(0, BareRun(str(len(runs)), RunState.RUNNING, None, None))
        elif choice.run_id != runs[0].run_id:
            pytest.fail("attributed to another run")
        newest = runs[0]
        runs[0] = BareRun(
            newest.run_id,
            newest.state,
            message.sequence0_at if message.sequence0_at is not None else newest.sequence0_at,
            message.sent_at if message is finished else newest.finished_at,
        )
    assert len(runs) == 1


TIMES = st.one_of(st.none(), st.integers(0, 400))
RUNS = st.lists(st.builds(run, st.text("abcdef", min_size=1), TIMES, TIMES, st.sampled_from(RunState)), min_size=1)


@given(RUNS, st.integers(0, 400), TIMES, st.booleans())
def test_the_short_way_to_the_newest_run_is_the_long_one(
    runs: list[BareRun], at: int, began: int | None, life: bool
) -> None:
    message, newest = said(at, began, life=life), runs[0]
    if is_newest(newest.sequence0_at, newest.finished_at, message.sent_at, message.sequence0_at):
        assert choose_run(runs, message) == Choice(KEEP, newest.run_id)

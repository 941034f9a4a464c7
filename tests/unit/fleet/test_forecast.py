"""The queue played ahead: when what is done, on the fleet at hand."""

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.forecast import Machine, Spread, Task, forecast
from goliat_monitoring.fleet.outlook import (
    DELAYS,
    START_S,
    Block,
    RunFacts,
    Underway,
    Waiting,
    WorkerFacts,
    left_of,
    outlook,
)
from goliat_monitoring.fleet.rates import Kind, Timing, learn

KIND = Kind("s", "duke", "700")
EXACT = Machine(0, 1.0, 0.0)


def exact(seconds: float, group: int = 0, only: frozenset[int] | None = None, ready: float = 0.0) -> Task:
    return Task([seconds], 0.0, group, only, ready)


@pytest.mark.parametrize(
    ("machines", "tasks", "finish"),
    [
        ([EXACT], [exact(10), exact(20)], 30),
        ([EXACT] * 2, [exact(10), exact(20), exact(5)], 20),
        ([EXACT] * 9, [exact(10)], 10),
        ([EXACT._replace(factor=2.0)], [exact(10)], 20),
        ([EXACT._replace(busy=7.0)], [exact(10)], 17),
        ([EXACT._replace(busy=7.0, group=0, takes=False), EXACT], [exact(3)], 7),
        ([EXACT] * 2, [exact(10, only=frozenset({1})), exact(10, only=frozenset({1}))], 20),
        ([EXACT] * 2, [exact(10, only=frozenset({1})), exact(30)], 30),
        ([EXACT], [exact(10, ready=5)], 15),
        ([EXACT], [], 0),
    ],
)
def test_without_chance_it_is_list_scheduling(machines: list[Machine], tasks: list[Task], finish: float) -> None:
    assert forecast(machines, tasks, [0.0]).of_group(0) == pytest.approx(Spread(finish, finish, finish))


@pytest.mark.parametrize(
    ("machines", "tasks"),
    [([], [exact(1)]), ([EXACT._replace(takes=False)], [exact(1)]), ([EXACT], [exact(1), exact(1, only=frozenset())])],
)
def test_what_nobody_can_take_is_not_foretold(machines: list[Machine], tasks: list[Task]) -> None:
    played = forecast(machines, tasks, [0.1])
    assert played.of_group(0) is None
    assert played.of_task(len(tasks) - 1) is None


def test_studies_wait_for_each_other_in_the_order_of_claims() -> None:
    played = forecast([EXACT], [exact(10, 1), exact(20, 0)], [0.0, 0.0])
    assert played.of_group(1) == pytest.approx((10, 10, 10))
    assert played.of_group(0) == pytest.approx((30, 30, 30))
    assert played.work() == [{0: 20.0}, {0: 10.0}]


def test_a_preferred_machine_is_waited_for_and_then_any_will_do() -> None:
    choosy = exact(10)._replace(first=frozenset({1}), patient=1200.0)
    soon = forecast([EXACT, EXACT._replace(busy=100.0)], [choosy], [0.0])
    assert soon.of_task(0) == pytest.approx((110, 110, 110))
    assert soon.work() == [{1: 10.0}]
    late = forecast([EXACT, EXACT._replace(busy=5000.0)], [choosy], [0.0])
    assert late.of_task(0) == pytest.approx((1210, 1210, 1210))
    assert late.work() == [{0: 10.0}]
    # Meanwhile the other machine takes what waits for nobody, and comes back to it.
    both = forecast([EXACT, EXACT._replace(busy=5000.0)], [choosy, exact(300)], [0.0])
    assert both.of_task(1) == pytest.approx((300, 300, 300))
    assert both.of_task(0) == pytest.approx((1210, 1210, 1210))


def test_nobody_waits_for_what_cannot_be_claimed_yet_while_there_is_other_work() -> None:
    later = exact(100)._replace(ready=3000.0)
    alone = forecast([EXACT], [later], [0.0])
    assert alone.of_task(0) == pytest.approx((3100, 3100, 3100))
    played = forecast([EXACT], [later, exact(50), exact(4000)], [0.0])
    assert played.of_task(1) == pytest.approx((50, 50, 50))
    assert played.of_task(2) == pytest.approx((4050, 4050, 4050))
    assert played.of_task(0) == pytest.approx((4150, 4150, 4150))


def test_of_many_preferences_some_are_forgotten_but_no_task_is() -> None:
    tasks = [exact(10)._replace(first=frozenset({number}), patient=600.0) for number in range(40)]
    played = forecast([EXACT] * 40, tasks, [0.0])
    assert all(played.of_task(number) is not None for number in range(40))


seconds = st.floats(1, 1e5)
chance = st.floats(0, 0.5)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[Machine], list[Task]]:
    machine = st.tuples(st.floats(0.3, 3), chance, st.floats(0, 1e4), chance).map(lambda it: Machine(0, *it))
    task = st.tuples(seconds, chance).map(lambda it: Task([it[0]], it[1], 0))
    return draw(st.lists(machine, min_size=1, max_size=6)), draw(st.lists(task, max_size=20))


@given(fleets(), chance)
def test_ranges_are_ordered_and_equal_facts_give_equal_answers(
    fleet: tuple[list[Machine], list[Task]], doubt: float
) -> None:
    played, again = forecast(*fleet, [doubt]), forecast(*fleet, [doubt])
    told = [(it.of_group(0), *(it.of_task(number) for number in range(len(fleet[1])))) for it in (played, again)]
    assert told[0] == told[1]
    for got in told[0]:
        assert got is not None
        assert 0 <= got.p10 <= got.p50 <= got.p90 < math.inf
    wider = forecast(*fleet, [doubt + 0.1]).of_group(0)
    narrower = played.of_group(0)
    assert wider is not None
    assert narrower is not None
    assert wider.p90 >= narrower.p90


@given(st.lists(seconds, min_size=1, max_size=20), st.integers(1, 8))
def test_more_equal_workers_are_never_later(durations: list[float], workers: int) -> None:
    tasks = [exact(it) for it in durations]
    fewer, more = (forecast([EXACT] * n, tasks, [0.1]).of_group(0) for n in (workers, workers + 1))
    assert fewer is not None
    assert more is not None
    assert more.p50 <= fewer.p50 * (1 + 1e-12)


@given(fleets(), seconds)
def test_more_work_is_never_sooner_for_one_worker(fleet: tuple[list[Machine], list[Task]], extra: float) -> None:
    machines, tasks = fleet
    less, more = (forecast(machines[:1], it, [0.0]).of_group(0) for it in (tasks, [*tasks, exact(extra)]))
    assert less is not None
    assert more is not None
    assert more.p50 >= less.p50


def test_five_thousand_assignments_on_a_hundred_workers() -> None:
    tasks = [Task([500.0 + n % 700] * 5, 0.1, 0) for n in range(5000)]

    def taken(workers: int) -> float:
        machines = [Machine(n % 5, 0.8 + n / 200, 0.1, float(n), 0.2) for n in range(workers)]
        began = time.process_time()
        assert forecast(machines, tasks, [0.1]).of_group(0) is not None
        return time.process_time() - began

    # In turns, on any machine: a look at each worker for each task would make it ten times as long.
    few, many = zip(*[(taken(10), taken(100)) for _ in range(5)], strict=True)
    assert min(many) < 3 * min(few)


def test_a_study_is_told_from_its_first_simulation_on() -> None:
    workers = [WorkerFacts("w", "")]
    queue = [
        Waiting("a", "s", [Block(KIND, 1000.0, 10)]),
        Waiting("b", "other", [Block(KIND._replace(study="other"), 100.0, 1)]),
    ]
    before = outlook(learn([]), workers, [], queue, lambda *_: 1.0)
    assert before.studies["s"].eta is None
    assert not before.studies["s"].stuck
    assert "a" not in before.assignments
    after = outlook(learn([Timing("w", "", KIND, 100, 100)] * 20), workers, [], queue, lambda *_: 1.0)
    eta = after.studies["s"].eta
    assert eta is not None
    assert eta.p50 == pytest.approx((1000 + START_S) * (1 + DELAYS), rel=0.05)
    assert after.studies["s"].machine_s["w"] == pytest.approx(1000 + START_S, rel=0.01)
    assert after.studies["other"].eta is None
    assert list(after.assignments) == ["a"]


def test_a_run_goes_on_from_where_it_is() -> None:
    rates = learn([Timing("w", "", KIND, 100, 100)] * 20)
    run = RunFacts("r", "a", "s", "w", [Block(KIND, 300.0, 3)], Underway(KIND, 100.0, 50.0, 0.5, 0.5))
    told = outlook(rates, [WorkerFacts("w", "")], [run], [], lambda *_: 1.0)
    assert told.runs["r"].p50 == pytest.approx(350, rel=0.02)
    assert told.assignments["a"] == told.runs["r"]
    eta = told.studies["s"].eta
    assert eta is not None
    assert eta.p50 == pytest.approx(350 * (1 + DELAYS), rel=0.05)
    # A worker that nobody lists any more still ends what it does.
    assert outlook(rates, [], [run], [], lambda *_: 1.0).runs["r"].p50 == pytest.approx(350, rel=0.1)


def test_nobody_may_take_it() -> None:
    rates = learn([Timing("w", "", KIND, 100, 100)])
    queue = [Waiting("a", "s", [Block(KIND, 100.0, 1)], only=frozenset({"gone"}))]
    told = outlook(rates, [WorkerFacts("w", "")], [], queue, lambda *_: 1.0)
    assert told.studies["s"].stuck
    assert told.studies["s"].eta is None
    assert "a" not in told.assignments or told.assignments.get("a") is None


@pytest.mark.parametrize(
    ("underway", "left"),
    [
        (Underway(KIND, 1, 0, 0, 0.2), 100),
        (Underway(KIND, 1, 10, 0, 0.2), 90),
        (Underway(KIND, 1, 60, 0, 0.2), 80),  # setup takes longer than it should
        (Underway(KIND, 1, 50, 0.5, 0.5), 50),
        (Underway(KIND, 1, 100, 0.5, 0.5), 62.5),  # twice as slow, of which a quarter is believed
        (Underway(KIND, 1, 900, 0.8, 1.0), 15),  # far too long already: a twentieth of three times what it should
        (Underway(KIND, 1, 100, 1.0, 1.0), 0),
        (Underway(KIND, 1, -5, -1, 2), 100),
    ],
)  # fmt: skip
def test_what_is_left_of_a_simulation(underway: Underway, left: float) -> None:
    assert left_of(underway, 100.0) == pytest.approx(left)
    assert left_of(underway, 0.0) == 0.0


@given(seconds, seconds, st.floats(0, 1), st.floats(0, 1))
def test_what_is_left_is_a_time_and_nothing_only_when_proven(
    expected: float, elapsed: float, proven: float, at_most: float
) -> None:
    left = left_of(Underway(KIND, 1, elapsed, proven, at_most), expected)
    assert 0 <= left <= 3 * expected
    assert (left == 0) == (proven == 1)

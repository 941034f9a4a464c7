"""The hour of a GPU that lists show: bounded, honest about silence, and never troubled by a clock."""

from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.timing import MINUTE, SECOND
from goliat_monitoring.fleet.trace import MINUTES, Trace, follow, last_hour

START = 1_800_000_000 * SECOND // MINUTE * MINUTE


def test_a_minute_is_the_mean_of_its_samples() -> None:
    trace = Trace()
    for second, percent in ((0, 90.0), (5, 100.0), (55, 20.0)):
        trace = follow(trace, percent, START + second * SECOND)
    assert trace.values == (70.0,)
    assert last_hour(trace, START + 59 * SECOND) == [None] * 59 + [70.0]


def test_silence_is_a_gap_and_an_hour_later_nothing_is_left() -> None:
    trace = follow(follow(Trace(), 50.0, START), 80.0, START + 3 * MINUTE)
    assert trace.values == (50.0, None, None, 80.0)
    assert last_hour(trace, START + 5 * MINUTE)[-6:] == [50.0, None, None, 80.0, None, None]
    assert last_hour(trace, START + 70 * MINUTE) == [None] * MINUTES
    assert follow(trace, 10.0, START + 70 * MINUTE).values == (10.0,)


def test_a_clock_that_jumped_back_begins_anew() -> None:
    trace = follow(follow(Trace(), 50.0, START), 10.0, START - 5 * MINUTE)
    assert trace.values == (10.0,)


@given(st.lists(st.tuples(st.integers(-200, 200), st.floats(-1e9, 1e9)), max_size=200))
def test_it_never_grows_and_stays_between_0_and_100(steps: list[tuple[int, float]]) -> None:
    trace, now = Trace(), START
    for minutes, percent in steps:
        now += minutes * MINUTE
        trace = follow(trace, percent, now)
        shown = last_hour(trace, now)
        assert len(trace.values) <= MINUTES == len(shown)
        assert shown[-1] is not None
        assert all(value is None or 0 <= value <= 100 for value in shown)

"""Where bars, lines and marks of charts lie."""

from goliat_monitoring.server.pages.charts import lines
from goliat_monitoring.server.pages.charts.gantt import GAP, NARROWEST, ROW, Bar, gantt
from goliat_monitoring.server.pages.charts.scale import SECOND, Scale, time_marks

HOUR = 3600 * SECOND
DAY0 = 1_800_000_000 // 86400 * 86400 * SECOND


def at(hours: float) -> int:
    return DAY0 + round(hours * HOUR)


def test_bars_lie_at_their_times_and_in_their_lanes() -> None:
    bars = [Bar("b", "one", at(0), at(2), "ok"), Bar("a", "two", at(5), None, "run")]
    chart = gantt(["a", "b"], bars, at(0), at(10), now=at(8))
    boxes = {box.key: box for box in chart.boxes}
    assert (boxes["one"].x, boxes["one"].width) == (0, 20)
    assert (boxes["two"].x, boxes["two"].width) == (50, 30), "what is under way ends now"
    assert [(lane.key, lane.y) for lane in chart.lanes] == [("a", 0), ("b", ROW + GAP)]
    assert boxes["two"].y < ROW < boxes["one"].y
    assert chart.now == 80
    assert chart.height == 2 * (ROW + GAP)


def test_attempts_one_after_another_share_a_row_and_those_at_the_same_time_do_not() -> None:
    bars = [
        Bar("a", "first", at(0), at(2), "bad"),
        Bar("a", "second", at(2), at(4), "ok"),
        Bar("a", "beside", at(3), at(5), "ok"),
    ]
    chart = gantt(["a"], bars, at(0), at(10), now=at(9))
    rows = {box.key: box.y for box in chart.boxes}
    assert rows["first"] == rows["second"]
    assert rows["beside"] == rows["first"] + ROW
    assert chart.lanes[0].height == 2 * ROW + GAP


def test_what_begins_and_ends_outside_is_cut_at_the_edge_and_what_never_comes_in_is_left_out() -> None:
    bars = [
        Bar("a", "through", at(-5), at(20), "ok"),
        Bar("a", "before", at(-5), at(-1), "ok"),
        Bar("a", "after", at(11), at(12), "ok"),
    ]
    chart = gantt(["a"], bars, at(0), at(10), now=at(30))
    assert [(box.key, box.x, box.width) for box in chart.boxes] == [("through", 0, 100)]
    assert chart.now is None


def test_a_bar_of_a_second_in_a_week_is_still_seen_and_stays_inside() -> None:
    ends = at(24 * 7)
    chart = gantt(["a"], [Bar("a", "blink", ends - SECOND, ends, "bad")], at(0), ends, now=ends)
    (box,) = chart.boxes
    assert box.width == NARROWEST
    assert box.x + box.width <= 100


def test_a_forecast_begins_now_and_is_surer_before_its_soonest_end() -> None:
    bar = Bar("a", "run", at(0), None, "run", expected=(at(6), at(8)))
    chart = gantt(["a"], [bar], at(0), at(10), now=at(4))
    assert [(box.look, box.x, box.width) for box in chart.forecasts] == [("sure", 40, 20), ("maybe", 60, 20)]
    waiting = Bar("a", "waits", at(6), at(6), "off", expected=(at(6), at(8)))
    chart = gantt(["a"], [waiting], at(0), at(10), now=at(4))
    assert chart.boxes == []
    assert [(box.look, box.x, box.width) for box in chart.forecasts] == [("maybe", 60, 20)]


def test_marks_are_few_and_at_round_times() -> None:
    for hours in (0.1, 1, 5, 30, 200, 2000, 20000):
        scale = Scale(at(0.3), at(0.3 + hours))
        marks = time_marks(scale)
        assert len(marks) <= 7
        assert all(0 <= mark.x <= 100 and mark.value % (60 * SECOND) == 0 for mark in marks)
    assert [mark.value for mark in time_marks(Scale(at(0.5), at(4.5)))] == [at(1), at(2), at(3), at(4)]


def test_a_gap_of_more_than_three_samples_breaks_the_line() -> None:
    times = [at(0), at(1), at(2), at(6), at(7)]
    assert lines.pieces(times, 3 * HOUR) == [(0, 3), (3, 5)]
    (gap,) = lines.gaps(times, 3 * HOUR, Scale(at(0), at(10)))
    assert (gap.x, gap.width, gap.seconds) == (20, 40, 4 * 3600)


def test_lines_grow_upwards_and_a_band_closes() -> None:
    x, y = Scale(0, 10), Scale(0, 100)
    assert lines.line([(0, 0), (5, 50), (10, 100)], x, y) == "0,1000 500,500 1000,0"
    assert lines.band([(0, 10, 20), (10, 30, 60)], x, y) == "0,900 1000,700 1000,400 0,800"


def test_thinning_keeps_both_ends() -> None:
    assert lines.thinned(list(range(1000)), 4) == [0, 333, 666, 999]
    assert lines.thinned([1, 2], 4) == [1, 2]

"""A Gantt chart: lanes of bars on an axis of time. In a lane, what overlaps lies in rows below each other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from goliat_monitoring.server.pages.charts.scale import Mark, Scale, time_marks

ROW, GAP = 18, 6
# A bar that is too short to be seen is drawn this wide, percent.
NARROWEST = 0.25


class Bar(NamedTuple):
    """What is to be drawn. Times in UTC microseconds; `end` None: it goes on. `expected`: when it should be over, from
    and to. `look`: its style."""

    lane: str
    key: str
    begin: int
    end: int | None
    look: str
    expected: tuple[int, int] | None = None


class Box(NamedTuple):
    """A rectangle: `x` and `width` in percent, `y` and `height` in pixels."""

    key: str
    look: str
    x: float
    width: float
    y: int
    height: int


class Lane(NamedTuple):
    """A lane and where it lies, pixels."""

    key: str
    y: int
    height: int


class Chart(NamedTuple):
    """All there is to draw. `now`: where the line of now is, percent; None outside. `height` in pixels."""

    lanes: list[Lane]
    boxes: list[Box]
    forecasts: list[Box]
    marks: list[Mark]
    now: float | None
    height: int


def gantt(lanes: Sequence[str], bars: Sequence[Bar], begin: int, end: int, now: int) -> Chart:
    """Where everything lies between `begin` and `end`."""
    scale = Scale(begin, end)
    of_lane: dict[str, list[Bar]] = {key: [] for key in lanes}
    for bar in bars:
        if bar.lane in of_lane and bar.begin <= end and _over(bar, now) >= begin:
            of_lane[bar.lane].append(bar)
    placed: list[Lane] = []
    boxes: list[Box] = []
    forecasts: list[Box] = []
    y = 0
    for key in lanes:
        rows = _rows(of_lane[key], now)
        height = max(len(set(rows.values())), 1) * ROW + GAP
        placed.append(Lane(key, y, height))
        for bar in of_lane[key]:
            top = y + GAP // 2 + rows[bar.key] * ROW
            if bar.begin <= now:
                boxes.append(_box(scale, bar.key, bar.look, bar.begin, bar.end or now, top))
            if bar.expected is not None and bar.expected[1] >= begin:
                begins, soonest = max(bar.begin, now), max(bar.expected[0], bar.begin, now)
                if soonest > begins:
                    forecasts.append(_box(scale, bar.key, "sure", begins, soonest, top))
                forecasts.append(_box(scale, bar.key, "maybe", soonest, max(bar.expected[1], soonest), top))
        y += height
    line = scale.at(now) if begin <= now <= end else None
    return Chart(placed, boxes, forecasts, time_marks(scale), line, y)


def _over(bar: Bar, now: int) -> int:
    last = now if bar.end is None else bar.end
    return max(last, bar.expected[1]) if bar.expected is not None else last


def _rows(bars: Sequence[Bar], now: int) -> Mapping[str, int]:
    """The row of each bar in its lane: the first that is free when it begins."""
    free: list[int] = []
    found = {}
    for bar in sorted(bars, key=lambda it: (it.begin, it.key)):
        row = next((i for i, until in enumerate(free) if until <= bar.begin), len(free))
        if row == len(free):
            free.append(0)
        free[row] = _over(bar, now)
        found[bar.key] = row
    return found


def _box(scale: Scale, key: str, look: str, begin: int, end: int, y: int) -> Box:
    x = scale.at(begin)
    width = max(scale.at(end) - x, NARROWEST)
    # The last sliver stays inside.
    return Box(key, look, min(x, 100 - NARROWEST), round(min(width, 100 - min(x, 100 - NARROWEST)), 3), y, ROW - 4)

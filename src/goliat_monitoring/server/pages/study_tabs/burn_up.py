"""How far a study was over time, and when it was thought to be done; two charts and their table."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.charts import lines
from goliat_monitoring.server.pages.charts.lines import Gap
from goliat_monitoring.server.pages.charts.scale import Mark, Scale, time_marks
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab
from goliat_monitoring.store.history import EVERY, Point, points_of
from goliat_monitoring.store.read.attempts import span_of
from goliat_monitoring.store.read.studies import count_assignments
from goliat_monitoring.wire.clock import SECOND

POINTS, ROWS = 400, 40
# A gap of more than three samples breaks the line.
LONGEST = 3 * EVERY + EVERY // 2
HOUR = 3600 * SECOND
# The least that an axis of time spans: three points.
ROOM = 3 * EVERY
ONE_POINT = "One point so far; a line needs two."


class Plot(NamedTuple):
    """One chart. `lines`, `bands`: points of polylines and polygons; `dots`: where a point stands alone, percent from
    the left and from above; `y_marks`: (percent from above, text or time). `reason`: why there is no line."""

    lines: list[str]
    bands: list[str]
    dots: list[tuple[float, float]]
    x_marks: list[Mark]
    y_marks: list[tuple[float, object]]
    gaps: list[Gap]
    reason: str = ""


def from_nothing(points: list[Point], claimed: int | None) -> list[Point]:
    """The points, and before them nothing done at the first claim: a short study is over when its first is noted."""
    if not points or claimed is None or claimed >= points[0].at:
        return points
    return [Point(at=claimed, progress=0.0, done_weight=0.0, p10_at=None, p50_at=None, p90_at=None), *points]


def axis_of(points: list[Point], now: int) -> Scale:
    """From the first point to the last or to now; before there are two, room for the next ones."""
    if not points:
        return Scale(now, now + ROOM)
    begin, last = points[0].at, points[-1].at
    return Scale(begin, last if points[-1].progress >= 100 and last > begin else max(now, last, begin + ROOM))


def progress_plot(points: list[Point], x: Scale) -> Plot:
    """Progress in percent."""
    y = Scale(0, 100)
    times = [it.at for it in points]
    pieces = lines.pieces(times, LONGEST)
    found = [
        lines.line([(it.at, it.progress) for it in lines.thinned(points[a:b], POINTS)], x, y)
        for a, b in pieces
        if b - a > 1
    ]
    dots = [(x.at(points[a].at), 100 - y.at(points[a].progress)) for a, b in pieces if b - a == 1]
    marks: list[tuple[float, object]] = [(100 - y.at(it), f"{it} %") for it in (0, 25, 50, 75, 100)]
    reason = "" if len(points) > 1 else ONE_POINT if points else "No history yet."
    return Plot(found, [], dots, time_marks(x), marks, lines.gaps(times, LONGEST, x), reason)


def finish_plot(points: list[Point], x: Scale) -> Plot:
    """When it was to be done: the median, and the band from p10 to p90."""
    told = [it for it in points if it.p10_at is not None and it.p50_at is not None and it.p90_at is not None]
    if not told:
        empty: list[tuple[float, object]] = [(it, "\N{EN DASH}") for it in (0, 25, 50, 75, 100)]
        reason = "No finish was foretold yet." if points else "No history yet."
        return Plot([], [], [], time_marks(x), empty, [], reason)
    low, high = min(it.p10_at or 0 for it in told), max(it.p90_at or 0 for it in told)
    room = max((high - low) // 20, HOUR // 4)
    y = Scale(low - room, high + room)
    times = [it.at for it in told]
    medians, bands, dots = [], [], []
    for a, b in lines.pieces(times, LONGEST):
        if b - a == 1:
            dots.append((x.at(told[a].at), 100 - y.at(told[a].p50_at or 0)))
            continue
        piece = lines.thinned(told[a:b], POINTS)
        medians.append(lines.line([(it.at, it.p50_at or 0) for it in piece], x, y))
        bands.append(lines.band([(it.at, it.p10_at or 0, it.p90_at or 0) for it in piece], x, y))
    marks: list[tuple[float, object]] = [(100 - mark.x, mark.value) for mark in time_marks(y, 5)]
    reason = ONE_POINT if len(told) == 1 else ""
    return Plot(medians, bands, dots, time_marks(x), marks, lines.gaps(times, LONGEST, x), reason)


def load(study_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    study = count_assignments(connection, study_id)
    points = points_of(connection, study_id)
    span = span_of(connection, study_id)
    curve = from_nothing(points, span[0] if span is not None else None)
    x = axis_of(curve, now)
    return {
        "title": "",
        "study": study,
        "points": points,
        "progress": progress_plot(curve, x),
        "finish": finish_plot(points, x),
        "rows": lines.thinned(points, ROWS)[::-1],
    }


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    del query, future
    return Made({}, partial(load, study_id))


TAB = Tab("burn-up", "Burn-up", make, live=False)

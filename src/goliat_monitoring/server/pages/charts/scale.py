"""Axes: where a value lies between two ends in percent, and where its marks are."""

from typing import NamedTuple

SECOND = 1_000_000
# Steps between marks of time, seconds: what people count in.
_STEPS = (
    60,
    300,
    900,
    1800,
    3600,
    2 * 3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    *(86400 * days for days in (1, 2, 7, 14, 28)),
)


class Scale(NamedTuple):
    """From `begin` to `end`."""

    begin: float
    end: float

    def at(self, value: float) -> float:
        """Percent of the way, 0 to 100; what lies outside is at the edge."""
        if self.end <= self.begin:
            return 0.0
        return round(min(max(100 * (value - self.begin) / (self.end - self.begin), 0.0), 100.0), 3)


class Mark(NamedTuple):
    """A line across the chart: where, percent, and of what value."""

    x: float
    value: int


def time_marks(scale: Scale, most: int = 6) -> list[Mark]:
    """Marks at round times, UTC microseconds; at most so many."""
    span = (scale.end - scale.begin) / SECOND
    step = next((it for it in _STEPS if span / it <= most), 0) or _STEPS[-1] * -(-int(span) // (_STEPS[-1] * most))
    width = step * SECOND
    first = -(-int(scale.begin) // width)
    return [Mark(scale.at(n * width), n * width) for n in range(first, int(scale.end) // width + 1)]

"""Lines and bands over time, as the points of SVG polylines on a canvas of 1000 by 1000."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from goliat_monitoring.server.pages.charts.scale import Scale

SIDE = 1000
T = TypeVar("T")


class Gap(NamedTuple):
    """A span without data: where it begins and how wide it is, percent, and how long, seconds."""

    x: float
    width: float
    seconds: float


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly, with the first and the last."""
    if len(items) <= most:
        return list(items)
    last = len(items) - 1
    return [items[round(i * last / (most - 1))] for i in range(most)]


def pieces(times: Sequence[int], longest: int) -> list[tuple[int, int]]:
    """Ranges of positions within which no two neighbours lie further apart than `longest`, microseconds."""
    found = []
    begin = 0
    for i in range(1, len(times) + 1):
        if i == len(times) or times[i] - times[i - 1] > longest:
            found.append((begin, i))
            begin = i
    return found


def gaps(times: Sequence[int], longest: int, scale: Scale) -> list[Gap]:
    """Where neighbours lie further apart than `longest`."""
    return [
        Gap(scale.at(a), round(scale.at(b) - scale.at(a), 3), (b - a) / 1_000_000)
        for a, b in pairwise(times)
        if b - a > longest
    ]


def line(points: Sequence[tuple[float, float]], x: Scale, y: Scale) -> str:
    """The points of a polyline through (x, y), upwards."""
    return " ".join(f"{_place(x.at(a))},{_place(100 - y.at(b))}" for a, b in points)


def band(points: Sequence[tuple[float, float, float]], x: Scale, y: Scale) -> str:
    """The points of a polygon between the lower and the upper of (x, lower, upper)."""
    there = [(a, low) for a, low, _ in points]
    back = [(a, high) for a, _, high in reversed(points)]
    return line([*there, *back], x, y)


def _place(percent: float) -> str:
    return f"{percent * SIDE / 100:.1f}".rstrip("0").rstrip(".")

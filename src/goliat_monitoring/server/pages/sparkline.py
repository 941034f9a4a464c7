"""A line of a few dozen points, as the points of an SVG, which a strict policy lets a page carry."""

from collections.abc import Sequence
from typing import NamedTuple

HEIGHT = 20
# So many values become one point: a list shows many lines.
TOGETHER = 2
# A minute that has just begun holds no value yet: what the minute before it said is still the present.
PRESENT = 2


class Spark(NamedTuple):
    """`lines`: points of each stretch without a gap, in a box of `width` by `height`; 100 % is at its top.

    `words`: the same for those who do not see it.
    """

    lines: list[str]
    width: int
    height: int
    words: str


def spark(values: Sequence[float | None]) -> Spark:
    """The line of `values` in percent, one a minute, the newest last; None breaks it."""
    known = [value for value in values if value is not None]
    points = [_mean(values[place : place + TOGETHER]) for place in range(0, len(values), TOGETHER)]
    width = max(len(points) - 1, 1)
    if not known:
        return Spark([], width, HEIGHT, "not known for an hour")
    lines: list[list[str]] = [[]]
    for place, value in enumerate(points):
        if value is None:
            lines.append([])
        else:
            lines[-1].append(f"{place},{HEIGHT - 1 - value * (HEIGHT - 2) / 100:.0f}")
    present = any(value is not None for value in values[-PRESENT:])
    now = f"{known[-1]:.0f} % now" if present else "not known now"
    words = f"{now}, {sum(known) / len(known):.0f} % on average of {len(known)} min"
    return Spark([" ".join(_wide(line)) for line in lines if line], width, HEIGHT, words)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _wide(points: list[str]) -> list[str]:
    # One point alone has no length and would not be seen.
    if len(points) > 1:
        return points
    x, y = points[0].split(",")
    return [f"{int(x) - 1},{y}", points[0]]

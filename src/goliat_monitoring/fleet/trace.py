"""How busy a GPU was in the last hour, a value a minute: small enough for its row, so lists read no samples."""

from collections.abc import Sequence
from typing import NamedTuple

from goliat_monitoring.fleet.timing import MINUTE

MINUTES = 60


class Trace(NamedTuple):
    """`values`: the mean of each minute in percent, None where nothing was heard; the last one is of `minute` (UTC
    minutes since 1970), and the mean of `heard` samples so far."""

    minute: int = 0
    heard: int = 0
    values: Sequence[float | None] = ()


def follow(trace: Trace, percent: float, now: int) -> Trace:
    """The trace with one more sample; `now` in UTC microseconds. Never longer than an hour."""
    minute = now // MINUTE
    gap = minute - trace.minute
    percent = min(max(percent, 0.0), 100.0)
    if not trace.values or not 0 <= gap < MINUTES:
        return Trace(minute, 1, (round(percent, 1),))
    if gap:
        values = [*trace.values, *[None] * (gap - 1), round(percent, 1)]
        return Trace(minute, 1, tuple(values[-MINUTES:]))
    mean = trace.values[-1] or 0.0
    heard = trace.heard + 1
    return Trace(minute, heard, (*trace.values[:-1], round(mean + (percent - mean) / heard, 1)))


def last_hour(trace: Trace, now: int) -> list[float | None]:
    """One value for each minute of the hour that ends `now`, the oldest first."""
    silent = max(now // MINUTE - trace.minute, 0)
    if silent >= MINUTES:
        return [None] * MINUTES
    values = [*trace.values, *[None] * silent][-MINUTES:]
    return [*[None] * (MINUTES - len(values)), *values]

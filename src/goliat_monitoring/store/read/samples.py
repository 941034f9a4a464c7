"""A run's progress, its machine's vitals and its forecasts, as columns for a plot of at most so many points."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.samples.age import STEPS
from goliat_monitoring.store.samples.buckets import SECOND, Last, Row, Spread, gathered, start_of
from goliat_monitoring.wire.errors import Refused

Kind = Literal["progress", "vitals", "forecast"]
DAY = 86_400
# Seconds between two points. Each is a multiple of all before it, so that no row falls into two spans.
WIDTHS = (5, 10, 60, 120, 600, 1200, 3600, 7200, 21_600, 43_200, DAY)

samples, runs = tables.samples, tables.runs


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """Points in order of time. `step`: seconds that a point stands for, 0 where each is one sample as it came.

    `times`: the beginning of each, by the sender's clock, UTC microseconds. `values`: name to one value a point, of
    numbers the mean, of texts the last, None where there is none. `smallest`, `largest`: likewise of numbers, empty
    where `step` is 0.
    """

    step: int
    times: list[int]
    values: dict[str, list[float | str | None]]
    smallest: dict[str, list[float | None]]
    largest: dict[str, list[float | None]]


def read_samples(
    connection: Connection, run_id: str, kind: Kind, *, since: int | None, until: int | None, points: int
) -> Columns:
    """Samples from `since` up to `until`, not included (sender's clock, UTC microseconds). Raises `Refused` 404."""
    if connection.execute(select(runs.c.id).where(runs.c.id == run_id)).one_or_none() is None:
        raise Refused(404, "no such run", run_id)
    rows: list[Row] = []
    for step in STEPS:
        query = select(samples.c.sender_at, samples.c.received_at, samples.c.body).where(
            samples.c.run_id == run_id, samples.c.kind == kind, samples.c.step == step
        )
        if since is not None:
            # A row that begins before may reach into what was asked for.
            query = query.where(samples.c.sender_at >= (start_of(since, step) if step else since))
        if until is not None:
            query = query.where(samples.c.sender_at < until)
        rows += [Row(step, it.sender_at, it.received_at, it.body) for it in connection.execute(query)]
    return columns_of(rows, points)


def columns_of(rows: Sequence[Row], points: int) -> Columns:
    """`rows` as at most `points` points, all of one step: the finest that fits and that all rows allow."""
    coarsest = max((row.step for row in rows), default=0)
    step = 0 if coarsest == 0 and len(rows) <= points else _width(rows, coarsest, points)
    spans = gathered(rows, step)
    times = sorted(spans)
    names = sorted({name for values in spans.values() for name in values})
    found = Columns(step=step, times=times, values={}, smallest={}, largest={})
    for name in names:
        column = [spans[at].get(name) for at in times]
        found.values[name] = [_shown(value) for value in column]
        if step and any(isinstance(value, Spread) for value in column):
            found.smallest[name] = [value.smallest if isinstance(value, Spread) else None for value in column]
            found.largest[name] = [value.largest if isinstance(value, Spread) else None for value in column]
    return found


def _width(rows: Sequence[Row], coarsest: int, points: int) -> int:
    first, last = min(row.at for row in rows), max(row.at for row in rows)
    for width in WIDTHS:
        if width >= coarsest and _spans(first, last, width) <= points:
            return width
    days = -(-(last - first) // (points * DAY * SECOND))
    while _spans(first, last, days * DAY) > points:
        days += 1
    return days * DAY


def _spans(first: int, last: int, width: int) -> int:
    return (start_of(last, width) - start_of(first, width)) // (width * SECOND) + 1


def _shown(value: Spread | Last | None) -> float | str | None:
    if isinstance(value, Spread):
        return value.mean
    return value.text if value is not None else None

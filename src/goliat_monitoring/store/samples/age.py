"""Samples get fewer with age, one bounded unit of work at a time: as they came, then a minute a row, then ten.

Those of a run and kind lie together, so they are taken together: a unit touches few pages of the database. A reader
finds out where something is due.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, delete, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import insert_rows
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.samples.buckets import Row, roll_up, start_of

samples, runs = tables.samples, tables.runs
COLUMNS = ("run_id", "kind", "step", "sender_at", "received_at", "body")
KINDS = ("progress", "vitals", "forecast")
# Seconds a row stands for; each divides the next.
AS_IT_CAME, MINUTE, TEN_MINUTES = 0, 60, 600
STEPS = (AS_IT_CAME, MINUTE, TEN_MINUTES)
# Rows that one unit of work takes up: some milliseconds of the writer.
AT_ONCE = 300


@dataclass(frozen=True, slots=True)
class SamplesKept:
    """How long, in microseconds since they were received; None is for ever. `raw`: as they came; `minutes`: a minute a
    row; `whole`: at all.
    """

    raw: int | None
    minutes: int | None
    whole: int | None


class Due(NamedTuple):
    """Rows of `step` received before `before` become rows of `target` seconds; None: they are deleted."""

    run_id: str
    kind: str
    step: int
    target: int | None
    before: int


def samples_due(connection: Connection, moment: Moment, kept: SamplesKept) -> list[Due]:
    """All that is due, in the order in which it is to be done. Looks at the oldest row of each run, kind and step; one
    that came late holds up the others, until it is old itself.
    """
    found: list[Due] = []
    for step, target, span in ((AS_IT_CAME, MINUTE, kept.raw), (MINUTE, TEN_MINUTES, kept.minutes)):
        if span is not None:
            # Whole spans where clocks agree, so that few rows are written twice.
            found += _due(connection, step, target, start_of(moment.now - span, target))
    if kept.whole is not None:
        for step in STEPS:
            found += _due(connection, step, None, moment.now - kept.whole)
    return found


def thin_samples(connection: Connection, due: Due) -> int:
    """Roll up or delete the next rows of what is due. Returns how many it took up; 0 when none is left."""
    of_run = and_(samples.c.run_id == due.run_id, samples.c.kind == due.kind)
    old = and_(of_run, samples.c.step == due.step, samples.c.received_at < due.before)
    rows = _rows(connection, select(samples).where(old).order_by(samples.c.sender_at).limit(AT_ONCE))
    if not rows:
        return 0
    connection.execute(delete(samples).where(old, samples.c.sender_at.between(rows[0].at, rows[-1].at)))
    if due.target is not None:
        # Only spans that get more: after a jump of a sender's clock there may be many between the first and the last.
        spans = sorted({start_of(row.at, due.target) for row in rows})
        known = and_(of_run, samples.c.step == due.target, samples.c.sender_at.in_(spans))
        found = _rows(connection, select(samples).where(known))
        if found:
            connection.execute(delete(samples).where(known))
        new = [(due.run_id, due.kind, *row) for row in roll_up([*found, *rows], due.target)]
        insert_rows(connection, samples, COLUMNS, new)
    return len(rows)


def _due(connection: Connection, step: int, target: int | None, before: int) -> list[Due]:
    found: list[Due] = []
    for kind in KINDS:
        oldest = (
            select(samples.c.received_at)
            .where(samples.c.run_id == runs.c.id, samples.c.kind == kind, samples.c.step == step)
            .order_by(samples.c.sender_at)
            .limit(1)
            .scalar_subquery()
        )
        ids = connection.execute(select(runs.c.id).where(runs.c.claimed_at < before, oldest < before)).scalars()
        found += [Due(run_id, kind, step, target, before) for run_id in ids]
    return found


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [Row(it.step, it.sender_at, it.received_at, it.body) for it in connection.execute(query)]

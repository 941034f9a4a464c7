"""Samples get fewer with age, one bounded unit of work at a time: as they came, then a minute a row, then ten."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, select, tuple_

from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import insert_rows
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.samples.buckets import Row, roll_up, start_of

samples = tables.samples
COLUMNS = ("run_id", "kind", "step", "sender_at", "received_at", "body")
# Seconds a row stands for; each divides the next.
AS_IT_CAME, MINUTE, TEN_MINUTES = 0, 60, 600
STEPS = (AS_IT_CAME, MINUTE, TEN_MINUTES)
# Rows that one unit of work takes up: some milliseconds of the writer.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SamplesKept:
    """How long, in microseconds since they were received; None is for ever. `raw`: as they came; `minutes`: a minute a
    row; `whole`: at all.
    """

    raw: int | None
    minutes: int | None
    whole: int | None


def thin_samples(connection: Connection, moment: Moment, kept: SamplesKept) -> int:
    """Roll up or delete the oldest of what is due. Returns how many rows it took up; 0 when nothing is due."""
    for step, target, span in ((AS_IT_CAME, MINUTE, kept.raw), (MINUTE, TEN_MINUTES, kept.minutes)):
        if span is not None:
            # Whole spans where clocks agree, so that few of them are written twice.
            done = _roll_up(connection, step, target, start_of(moment.now - span, target))
            if done:
                return done
    return 0 if kept.whole is None else _expire(connection, moment.now - kept.whole)


def _roll_up(connection: Connection, step: int, target: int, before: int) -> int:
    """Rows of one run and kind at a time: they fall into few spans, each of which is written once."""
    oldest = connection.execute(
        select(samples.c.run_id, samples.c.kind)
        .where(samples.c.step == step, samples.c.received_at < before)
        .order_by(samples.c.received_at)
        .limit(1)
    ).one_or_none()
    if oldest is None:
        return 0
    of_run = and_(samples.c.run_id == oldest.run_id, samples.c.kind == oldest.kind)
    due = and_(of_run, samples.c.step == step, samples.c.received_at < before)
    rows = _rows(connection, select(samples).where(due).order_by(samples.c.sender_at).limit(AT_ONCE))
    # Only spans that get more: after a jump of a sender's clock there may be many between the first and the last.
    spans = sorted({start_of(row.at, target) for row in rows})
    known = and_(of_run, samples.c.step == target, samples.c.sender_at.in_(spans))
    found = _rows(connection, select(samples).where(known))
    taken = samples.c.sender_at.between(rows[0].at, rows[-1].at)
    connection.execute(delete(samples).where(due, taken))
    if found:
        connection.execute(delete(samples).where(known))
    insert_rows(
        connection,
        samples,
        COLUMNS,
        [
            (oldest.run_id, oldest.kind, row.step, row.at, row.received_at, row.body)
            for row in roll_up([*found, *rows], target)
        ],
    )
    return len(rows)


def _rows(connection: Connection, query: Select[Any]) -> list[Row]:
    return [Row(it.step, it.sender_at, it.received_at, it.body) for it in connection.execute(query)]


def _expire(connection: Connection, before: int) -> int:
    key = tuple_(samples.c.run_id, samples.c.kind, samples.c.step, samples.c.sender_at)
    for step in STEPS:
        old = select(samples.c.run_id, samples.c.kind, samples.c.step, samples.c.sender_at).where(
            samples.c.step == step, samples.c.received_at < before
        )
        gone = connection.execute(
            delete(samples).where(key.in_(old.order_by(samples.c.received_at).limit(AT_ONCE)))
        ).rowcount
        if gone:
            return gone
    return 0

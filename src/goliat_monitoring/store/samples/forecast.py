"""Samples of when a run was thought to be done: its time left as a range, noted about once a minute while it lives.

An assignment's history is that of its runs.
"""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.store import tables
from goliat_monitoring.store.samples import progress
from goliat_monitoring.store.samples.age import AS_IT_CAME
from goliat_monitoring.wire.clock import SECOND

runs, workers, samples = tables.runs, tables.workers, tables.samples

EVERY = 60 * SECOND


def due(connection: Connection, now: int, future: Outlook) -> list[tuple[Any, ...]]:
    """The samples that are due, for `keep`: of each live run whose end is foretold. It is for a reader.

    What they hold: `p10`, `p50`, `p90`, seconds from then on.
    """
    if not future.runs:
        return []
    newest = (
        select(samples.c.received_at)
        .where(samples.c.run_id == runs.c.id, samples.c.kind == "forecast", samples.c.step == AS_IT_CAME)
        .order_by(samples.c.sender_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(runs.c.id, workers.c.clock_skew, newest.label("newest"))
        .join(workers, workers.c.id == runs.c.worker_id)
        .where(tables.LIVE_RUN)
    )
    return [
        # By the clock of its machine, as its other samples are.
        (row.id, "forecast", AS_IT_CAME, now + int(row.clock_skew or 0), now, _body(future, row.id))
        for row in rows
        if row.id in future.runs and (row.newest is None or now - row.newest >= EVERY)
    ]


def keep(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """Note the samples that were due. A run that was deleted meanwhile has none."""
    known = set(connection.execute(select(runs.c.id).where(runs.c.id.in_([row[0] for row in rows]))).scalars())
    kept = [row for row in rows if row[0] in known]
    if kept:
        progress.keep(connection, kept)


def _body(future: Outlook, run_id: str) -> str:
    left = future.runs[run_id]
    return msgspec.json.encode({name: round(seconds, 1) for name, seconds in left._asdict().items()}).decode()

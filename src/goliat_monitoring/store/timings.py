"""What finished simulations taught about time: noted once for each, read as the rules of `fleet.rates` want it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, or_, select

from goliat_monitoring.fleet.progress import Phases
from goliat_monitoring.fleet.rates import Kind, Timing
from goliat_monitoring.store import tables
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.predictions import UNKNOWN_S, Predictions
from goliat_monitoring.store.read.runs import LIVE
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.clock import SECOND

timings, simulations, runs, cases = tables.timings, tables.simulations, tables.runs, tables.cases

# One transaction notes at most so many: nobody should wait long for the writer.
AT_ONCE = 200
# Runs that ended so long before the last look may still have had a simulation judged after it.
OVERLAP = 3600 * SECOND
# The newest tell most; older ones say nothing about the machines of today.
NEWEST = 2000


def learn(connection: Connection, moment: Moment) -> int:
    """Note what is done and was not noted. Returns how many that were; call again while it is `AT_ONCE`."""
    last = connection.execute(select(func.max(timings.c.learned_at))).scalar() or 0
    done = connection.execute(
        select(
            simulations.c.id, simulations.c.run_id, simulations.c.ended_sender_at,
            func.coalesce(simulations.c.started_line_at, simulations.c.started_sender_at).label("began_at"),
            runs.c.worker_id, tables.assignments.c.super_study_id, tables.workers.c.facts,
            cases.c.phantom, cases.c.frequency, cases.c.weight,
        )
        .join(runs, runs.c.id == simulations.c.run_id)
        .join(tables.assignments, tables.assignments.c.id == runs.c.assignment_id)
        .join(tables.workers, tables.workers.c.id == runs.c.worker_id)
        .outerjoin(
            cases, (cases.c.assignment_id == runs.c.assignment_id) & (cases.c.case_key == simulations.c.case_key)
        )
        .outerjoin(timings, timings.c.simulation_id == simulations.c.id)
        .where(
            or_(LIVE, runs.c.ended_at >= last - OVERLAP),
            simulations.c.state == "done",
            timings.c.simulation_id.is_(None),
        )
        .order_by(simulations.c.id)
        .limit(AT_ONCE)
    ).all()  # fmt: skip
    if done:
        predictions = Predictions(connection)
        connection.execute(insert(timings), [_values(connection, moment, row, predictions) for row in done])
    return len(done)


def newest(connection: Connection) -> list[Timing]:
    """What there is to learn from, newest first."""
    rows = connection.execute(
        select(timings)
        .where(timings.c.cached.is_(False))
        .order_by(timings.c.learned_at.desc(), timings.c.simulation_id.desc())
        .limit(NEWEST)
    )
    return [
        Timing(
            row.worker_id, row.gpu, Kind(row.super_study_id, row.phantom, row.frequency), row.predicted_s, row.seconds
        )
        for row in rows
    ]


def phases(connection: Connection) -> dict[str, list[Phases]]:
    """By study, where setup and run ended in the newest simulations that told."""
    rows = connection.execute(
        select(timings)
        .where(timings.c.cached.is_(False), timings.c.run_s.is_not(None), timings.c.seconds > 0)
        .order_by(timings.c.learned_at.desc(), timings.c.simulation_id.desc())
        .limit(NEWEST)
    )
    found: dict[str, list[Phases]] = {}
    for row in rows:
        it = Phases(row.setup_s / row.seconds, (row.setup_s + row.run_s) / row.seconds)
        found.setdefault(row.super_study_id, []).append(it)
    return found


def _values(
    connection: Connection, moment: Moment, row: Row[Any, *tuple[Any, ...]], predictions: Predictions
) -> dict[str, Any]:
    gpu = msgspec.json.decode(row.facts, type=Facts).gpu_name
    kind = Kind(row.super_study_id, row.phantom or "", row.frequency or "")
    ended = row.ended_sender_at
    known = row.began_at is not None and ended is not None and ended > row.began_at
    weight = row.weight if row.weight is not None else UNKNOWN_S
    setup, ran, extracted = _phases(connection, row.run_id, row.began_at, ended) if known else (None, None, None)
    return {
        "simulation_id": row.id,
        "super_study_id": kind.study,
        "worker_id": row.worker_id,
        "gpu": gpu,
        "phantom": kind.phantom,
        "frequency": kind.frequency,
        "predicted_s": weight * predictions.on_gpu(kind, gpu),
        "seconds": (ended - row.began_at) / SECOND if known else 0.0,
        "cached": known and _was_cached(connection, row.run_id, row.began_at, ended),
        "setup_s": setup,
        "run_s": ran,
        "extract_s": extracted,
        "learned_at": moment.now,
    }


def _was_cached(connection: Connection, run_id: str, began: int, ended: int) -> bool:
    """Whether its files were there already: it says so while it is under way."""
    table = tables.evidence
    found = select(table.c.id).where(
        table.c.run_id == run_id, table.c.kind == "cached", table.c.sender_at >= began, table.c.sender_at <= ended
    )
    return connection.execute(found.limit(1)).scalar() is not None


def _phases(connection: Connection, run_id: str, began: int, ended: int) -> Sequence[float | None]:
    """Seconds of setup, run and extraction, from the first sample that shows each."""
    table = tables.samples
    rows = connection.execute(
        select(table.c.sender_at, table.c.body)
        .where(
            table.c.run_id == run_id, table.c.kind == "progress", table.c.step == 0,
            table.c.sender_at >= began, table.c.sender_at <= ended,
        )
        .order_by(table.c.sender_at)
    )  # fmt: skip
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(str(msgspec.json.decode(row.body).get("stage")), row.sender_at)
    run = first.get("Run")
    # The one is named when the run has just ended, the other follows at once: a sample may hold either.
    extract = min((first[stage] for stage in ("Running Simulation", "Extract") if stage in first), default=None)
    if run is None or extract is None or run >= extract:
        return (None, None, None)
    return ((run - began) / SECOND, (extract - run) / SECOND, (ended - extract) / SECOND)

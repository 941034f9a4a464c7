"""What finished simulations taught about time: noted once for each, read as the rules of `fleet.rates` want it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Table, func, insert, select, update

from goliat_monitoring.fleet.progress import Phases
from goliat_monitoring.fleet.rates import Kind, Timing
from goliat_monitoring.store import tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.predictions import UNKNOWN_S, Predictions
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.clock import SECOND

timings, simulations, runs, cases = tables.timings, tables.simulations, tables.runs, tables.cases
BEGAN = func.coalesce(simulations.c.started_line_at, simulations.c.started_sender_at)

# One transaction notes at most so many: nobody should wait long for the writer.
AT_ONCE = 25
# The newest tell most; older ones say nothing about the machines of today.
NEWEST = 2000


class Lesson(NamedTuple):
    """A simulation that is done, and its row among the timings; None if it is of no study: nobody predicted it."""

    simulation: int
    timing: dict[str, Any] | None


def due(connection: Connection, now: int) -> list[Lesson]:
    """What is done and was not looked at, for `keep`; call again until there is none. Its cost does not depend on what
    was learned before. Samples and evidence are gone through, so it is for a reader: the writer's turn is everybody's.
    """
    waiting = select(simulations.c.id).where(tables.TO_LEARN).order_by(simulations.c.id).limit(AT_ONCE)
    ids = connection.execute(waiting).scalars().all()
    if not ids:
        return []
    rows = connection.execute(
        select(
            simulations.c.id, simulations.c.ended_sender_at, BEGAN.label("began_at"),
            runs.c.worker_id, tables.assignments.c.super_study_id, tables.workers.c.facts,
            cases.c.phantom, cases.c.frequency, cases.c.weight,
        )
        .join(runs, runs.c.id == simulations.c.run_id)
        .join(tables.workers, tables.workers.c.id == runs.c.worker_id)
        .outerjoin(tables.assignments, tables.assignments.c.id == runs.c.assignment_id)
        .outerjoin(
            cases, (cases.c.assignment_id == runs.c.assignment_id) & (cases.c.case_key == simulations.c.case_key)
        )
        .where(simulations.c.id.in_(ids))
        .order_by(simulations.c.id)
    )  # fmt: skip
    predictions, cached, stages = Predictions(connection), _cached(connection, ids), _stages(connection, ids)
    return [
        Lesson(
            row.id,
            None
            if row.super_study_id is None
            else _values(now, row, predictions, row.id in cached, stages.get(row.id, {})),
        )
        for row in rows
    ]


def keep(connection: Connection, lessons: Sequence[Lesson]) -> None:
    """Note what was due. What was deleted meanwhile, or noted by another server, is left out."""
    fresh = set(
        connection.execute(
            update(simulations)
            .where(simulations.c.id.in_([it.simulation for it in lessons]), simulations.c.learned.is_(False))
            .values(learned=True)
            .returning(simulations.c.id)
        ).scalars()
    )
    taught = [it.timing for it in lessons if it.timing is not None and it.simulation in fresh]
    if taught:
        connection.execute(insert(timings), taught)
        touch(connection, "studies", *(f"study:{study_id}" for study_id in studies_of(lessons)))


def studies_of(lessons: Sequence[Lesson]) -> set[str]:
    """The studies about whose times something was taught."""
    return {it.timing["super_study_id"] for it in lessons if it.timing is not None and not it.timing["cached"]}


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
    now: int,
    row: Row[Any, *tuple[Any, ...]],
    predictions: Predictions,
    cached: bool,
    stages: Mapping[str, int],
) -> dict[str, Any]:
    gpu = msgspec.json.decode(row.facts, type=Facts).gpu_name
    kind = Kind(row.super_study_id, row.phantom or "", row.frequency or "")
    ended = row.ended_sender_at
    known = row.began_at is not None and ended is not None and ended > row.began_at
    weight = row.weight if row.weight is not None else UNKNOWN_S
    setup, ran, extracted = _phases(stages, row.began_at, ended) if known else (None, None, None)
    return {
        "simulation_id": row.id,
        "super_study_id": kind.study,
        "worker_id": row.worker_id,
        "gpu": gpu,
        "phantom": kind.phantom,
        "frequency": kind.frequency,
        "predicted_s": weight * predictions.on_gpu(kind, gpu),
        "seconds": (ended - row.began_at) / SECOND if known else 0.0,
        "cached": known and cached,
        "setup_s": setup,
        "run_s": ran,
        "extract_s": extracted,
        "learned_at": now,
    }


def _cached(connection: Connection, ids: Sequence[int]) -> set[int]:
    """The simulations whose files were there already: they say so while they are under way."""
    table = tables.evidence
    said = (table.c.run_id == simulations.c.run_id) & (table.c.kind == "cached") & _while_under_way(table)
    return set(
        connection.execute(select(simulations.c.id).join(table, said).where(simulations.c.id.in_(ids))).scalars()
    )


def _stages(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """By simulation, when a sample first showed each stage."""
    table = tables.samples
    shown = (table.c.run_id == simulations.c.run_id) & (table.c.kind == "progress") & (table.c.step == 0)
    rows = connection.execute(
        select(simulations.c.id, table.c.sender_at, table.c.body)
        .join(table, shown & _while_under_way(table))
        .where(simulations.c.id.in_(ids))
        .order_by(simulations.c.id, table.c.sender_at)
    )
    found: dict[int, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row.id, {}).setdefault(str(msgspec.json.decode(row.body).get("stage")), row.sender_at)
    return found


def _while_under_way(table: Table) -> ColumnElement[bool]:
    return table.c.sender_at.between(BEGAN, simulations.c.ended_sender_at)


def _phases(first: Mapping[str, int], began: int, ended: int) -> Sequence[float | None]:
    """Seconds of setup, run and extraction, from the first sample that shows each."""
    run = first.get("Run")
    # The one is named when the run has just ended, the other follows at once: a sample may hold either.
    extract = min((first[stage] for stage in ("Running Simulation", "Extract") if stage in first), default=None)
    if run is None or extract is None or run >= extract:
        return (None, None, None)
    return ((run - began) / SECOND, (extract - run) / SECOND, (ended - extract) / SECOND)

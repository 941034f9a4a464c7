"""What a live run does just now, beside what lists show of it."""

import msgspec
from sqlalchemy import Connection, and_, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.studies import assignment_progress
from goliat_monitoring.store.read.underway import under_way
from goliat_monitoring.wire.clock import SECOND

runs, simulations, workers = tables.runs, tables.simulations, tables.workers


class AtWork(msgspec.Struct, frozen=True, kw_only=True):
    """`share`: 0 to 100, the part of its assignment's weight that is proven; None where nobody knows the weights.
    `solver`: the solver's own percentage, while it is of the simulation at hand; `mcells_per_s`: million cells a
    second. `proven_s`: seconds that went into simulations which are done. `clock_skew`: of its machine, microseconds.
    """

    share: float | None
    solver: float | None
    mcells_per_s: float | None
    proven_s: float
    clock_skew: int


def at_work(connection: Connection, run: RunSummary) -> AtWork:
    """What a run does just now."""
    row = connection.execute(
        select(
            runs.c.solver_percent, runs.c.mcells_per_s, runs.c.solver_sender_at, workers.c.clock_skew,
            func.coalesce(simulations.c.started_line_at, simulations.c.started_sender_at).label("began_at"),
            simulations.c.state.label("sim_state"),
        )
        .join(workers, workers.c.id == runs.c.worker_id)
        .outerjoin(simulations, and_(simulations.c.run_id == runs.c.id, simulations.c.ordinal == runs.c.sim_index))
        .where(runs.c.id == run.id)
    ).one()  # fmt: skip
    solving = (
        run.live
        and row.sim_state == "running"
        and row.solver_sender_at is not None
        and row.began_at is not None
        and row.solver_sender_at >= row.began_at
        and run.stage == "Run"
    )
    return AtWork(
        share=_share(connection, run),
        solver=row.solver_percent if solving else None,
        mcells_per_s=row.mcells_per_s if solving else None,
        proven_s=proven_seconds(connection, run.id),
        clock_skew=row.clock_skew or 0,
    )


def proven_seconds(connection: Connection, run_id: str) -> float:
    """Seconds that a run spent on simulations which are done."""
    spent = func.sum(simulations.c.ended_sender_at - simulations.c.started_sender_at)
    query = select(spent).where(simulations.c.run_id == run_id, simulations.c.state == "done")
    return max(float(connection.execute(query).scalar() or 0), 0.0) / SECOND


def _share(connection: Connection, run: RunSummary) -> float | None:
    found = under_way(connection, run_ids=[run.id]) if run.live and run.assignment_id is not None else []
    return next((assignment_progress("RUNNING", it.assignment_weight, it.proven, it.more) for it in found), None)

"""Whether finished simulations have something to teach that was not noted yet."""

from collections.abc import Sequence

from sqlalchemy import Connection, exists, select

from goliat_monitoring.store import tables

simulations, runs, assignments, timings = tables.simulations, tables.runs, tables.assignments, tables.timings


def any_to_learn(connection: Connection, study_ids: Sequence[str]) -> bool:
    """Of any of these studies."""
    found = (
        select(simulations.c.id)
        .join(runs, runs.c.id == simulations.c.run_id)
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(
            assignments.c.super_study_id.in_(study_ids),
            simulations.c.state == "done",
            ~exists().where(timings.c.simulation_id == simulations.c.id),
        )
    )
    return connection.execute(found.limit(1)).first() is not None

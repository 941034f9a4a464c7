"""What further attempts compute: the missing simulations, and those done before that no smaller config leaves out."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, or_, select

from goliat_monitoring.store import tables
from goliat_monitoring.study.cases import enumerate_cases
from goliat_monitoring.study.extends import ConfigProblem
from goliat_monitoring.study.missing import covering

assignments, cases, runs, simulations = tables.assignments, tables.cases, tables.runs, tables.simulations


class Asked(NamedTuple):
    """A simulation that will be computed, or is."""

    phantom: str
    frequency: str
    weight: float


def further_attempts(connection: Connection) -> dict[str, list[Asked]]:
    """By assignment of which something is done already, and that waits or runs again: what its attempt has before it.

    Of a running attempt, without what it did itself. Such assignments are few; all others have before them what is not
    done of them.
    """
    rows = connection.execute(
        select(assignments.c.id, assignments.c.config, assignments.c.state, assignments.c.last_run_id)
        .where(
            assignments.c.done_weight > 0,
            assignments.c.replaced_at.is_(None),
            or_(
                assignments.c.state == "PENDING",
                (assignments.c.state == "RUNNING") & (assignments.c.attempts > 1),
            ),
        )
        .order_by(assignments.c.id)
    ).all()
    found = {}
    for row in rows:
        known = connection.execute(select(cases).where(cases.c.assignment_id == row.id)).all()
        asked = _asked(connection, row, known)
        found[row.id] = [Asked(it.phantom, it.frequency, it.weight) for it in known if it.case_key in asked]
    return found


def _asked(connection: Connection, assignment: Any, known: Sequence[Any]) -> frozenset[str]:
    everything = frozenset(case.case_key for case in known)
    if assignment.state == "PENDING":
        missing = frozenset(case.case_key for case in known if case.state != "done")
        return (_smallest(assignment.config, missing) if missing else None) or everything
    own = tables.run_configs
    config = connection.execute(select(own.c.config).where(own.c.run_id == assignment.last_run_id)).scalar()
    done = connection.execute(
        select(simulations.c.case_key).where(
            simulations.c.run_id == assignment.last_run_id, simulations.c.state.in_(("done", "failed"))
        )
    ).scalars()
    return (everything if config is None else _keys(config)) - frozenset(done)


@lru_cache(maxsize=1024)
def _smallest(config: str, missing: frozenset[str]) -> frozenset[str] | None:
    """What the smallest config that covers these cases asks for; None where there is none but the whole."""
    try:
        found = covering(msgspec.json.decode(config), missing)
    except ConfigProblem:
        return None
    return None if found is None else frozenset(case.key for case in enumerate_cases(found.config))


@lru_cache(maxsize=1024)
def _keys(config: str) -> frozenset[str]:
    return frozenset(case.key for case in enumerate_cases(msgspec.json.decode(config)))

"""How complete a study is: proven of expected simulations for each phantom at each frequency."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from goliat_monitoring.store import tables

assignments, cases, runs = tables.assignments, tables.cases, tables.runs


class Cell(NamedTuple):
    """The simulations of one phantom at one frequency, of a near field of one scenario ("" for a far field).

    Of `expected`, `proven` are done; of the rest, `running` are with a live run, `failed` wait for a person,
    `cancelled` nobody computes. What is left waits."""

    phantom: str
    frequency: str
    scenario: str
    expected: int
    proven: int
    running: int
    failed: int
    cancelled: int


class Unknown(NamedTuple):
    """Assignments whose simulations nobody knows one by one: how many, and how many simulations they say they hold;
    None where some say nothing."""

    assignments: int
    simulations: int | None


class Proven(NamedTuple):
    """Simulations of a study: `proven` of `expected`; `complete`: how many it holds is known."""

    proven: int
    expected: int
    complete: bool


def cells_of(connection: Connection, study_id: str, scenarios: Sequence[str] = ()) -> list[Cell]:
    """All cells, in the order in which the study names them. `scenarios`: those of a near field."""
    rest = cases.c.state != "done"
    axes = [cases.c.phantom, cases.c.frequency]
    if scenarios:
        axes.append(cases.c.placement)
    query = (
        select(
            *axes,
            func.count().label("expected"),
            _tally(cases.c.state == "done").label("proven"),
            _tally(rest, assignments.c.state == "RUNNING").label("running"),
            _tally(rest, assignments.c.state == "FAILED").label("failed"),
            _tally(rest, assignments.c.state == "CANCELLED").label("cancelled"),
        )
        .join(assignments, assignments.c.id == cases.c.assignment_id)
        .where(assignments.c.super_study_id == study_id, cases.c.state != "moved")
        .group_by(*axes)
        .order_by(func.min(assignments.c.index), func.min(cases.c.ordinal))
    )
    found: dict[tuple[str, str, str], Cell] = {}
    longest_first = sorted(scenarios, key=len, reverse=True)
    for row in connection.execute(query):
        placement = row.placement if scenarios else ""
        scenario = next((name for name in longest_first if placement.startswith(f"{name}_")), "")
        key = row.phantom, row.frequency, scenario
        old = found.get(key, Cell(*key, 0, 0, 0, 0, 0))
        numbers = (row.expected, row.proven, row.running, row.failed, row.cancelled)
        found[key] = Cell(*key, *(int(a) + int(b) for a, b in zip(old[3:], numbers, strict=True)))
    return list(found.values())


def unknown_of(connection: Connection, study_id: str) -> Unknown:
    """The assignments that are in no cell."""
    none = ~select(cases.c.id).where(cases.c.assignment_id == assignments.c.id).exists()
    row = connection.execute(
        select(
            func.count().label("how_many"),
            func.sum(assignments.c.expected_total).label("simulations"),
            func.count(assignments.c.expected_total).label("told"),
        ).where(assignments.c.super_study_id == study_id, assignments.c.replaced_at.is_(None), none)
    ).one()
    return Unknown(row.how_many, int(row.simulations or 0) if row.told == row.how_many else None)


def proven_of(connection: Connection, study_id: str) -> Proven:
    """How many simulations of a study are proven. Those of configs that nobody knows count as their runs say."""
    row = connection.execute(
        select(func.count().label("expected"), _tally(cases.c.state == "done").label("proven"))
        .select_from(cases.join(assignments, assignments.c.id == cases.c.assignment_id))
        .where(assignments.c.super_study_id == study_id, cases.c.state != "moved")
    ).one()
    unknown = unknown_of(connection, study_id)
    done = 0
    if unknown.assignments:
        none = ~select(cases.c.id).where(cases.c.assignment_id == assignments.c.id).exists()
        done = connection.execute(
            select(func.coalesce(func.sum(runs.c.done_cases), 0))
            .join(assignments, assignments.c.last_run_id == runs.c.id)
            .where(assignments.c.super_study_id == study_id, none)
        ).scalar_one()
    return Proven(
        int(row.proven or 0) + int(done), row.expected + (unknown.simulations or 0), unknown.simulations is not None
    )


def _tally(*conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((and_(*conditions), 1), else_=0))

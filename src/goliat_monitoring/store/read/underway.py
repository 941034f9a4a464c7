"""The simulation at work in each live run: how far it proves to be, for progress and for the time to go."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select

from goliat_monitoring.fleet.progress import ALMOST, TYPICAL, Phases, case_span
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import LIVE

runs, assignments, cases, simulations = tables.runs, tables.assignments, tables.cases, tables.simulations


class UnderWay(msgspec.Struct, frozen=True, gc=False):
    """One live run of an assignment. Times in UTC microseconds, `began_at` on the sender's clock.

    `case_key`, `phantom`, `frequency`, `weight`: of the simulation at work; None and 0 where it is not known. `stage`:
    GOLIAT's name of what it does, "" before it says so; `solver`: how far the solver is, 0 to 1, None without its word.
    `done`: of `total` simulations, for configs whose cases nobody knows. `proven`: weight of the proven cases.
    """

    run_id: str
    state: str
    assignment_id: str
    study_id: str
    worker_id: str
    claimed_at: int
    began_at: int | None
    case_key: str | None
    phantom: str
    frequency: str
    weight: float
    stage: str
    solver: float | None
    mcells_per_s: float | None
    assignment_weight: float
    proven: float
    done: int
    total: int | None
    cases_known: bool

    def span(self, phases: Phases = TYPICAL) -> tuple[float, float]:
        """Between which fractions, 0 to 1, the simulation at work proves to be. The bar of a stage is an animation
        and proves nothing; the solver's own percentage does."""
        begin, end = case_span(self.stage, phases)
        if self.stage == "Run" and self.solver is not None:
            begin = end = begin + (end - begin) * self.solver
        return (begin, end) if self.stage else (0.0, phases.setup)

    @property
    def more(self) -> float:
        """Weight that counts as done on top of `proven`. All of the assignment is never done by this alone."""
        begin = min(self.span()[0], ALMOST)
        if self.cases_known:
            return self.weight * begin
        if not self.total:
            return 0.0
        reached = min(self.done + (begin if self.began_at is not None else 0.0), self.total * ALMOST)
        return max(self.assignment_weight * reached / self.total - self.proven, 0.0)


class _Row(NamedTuple):
    """What `UnderWay` is made of. By name a row of SQLAlchemy is slow to look into, and there may be a thousand."""

    id: str
    state: str
    assignment_id: str
    worker_id: str
    claimed_at: int
    stage: str | None
    stage_sender_at: int | None
    solver_percent: float | None
    solver_sender_at: int | None
    mcells_per_s: float | None
    done_cases: int
    sim_total: int | None
    super_study_id: str
    whole: float
    done_weight: float
    expected_total: int | None
    sim_state: str | None
    case_key: str | None
    began_at: int | None
    told_at: int | None
    phantom: str | None
    frequency: str | None
    weight: float | None
    case_state: str | None
    any_case: int | None


def under_way(
    connection: Connection, *, study_ids: Iterable[str] | None = None, run_ids: Iterable[str] | None = None
) -> list[UnderWay]:
    """Every live run of an assignment, or of these studies, or these runs. The cost does not grow with what they
    did before."""
    where: list[ColumnElement[bool]] = []
    if run_ids is not None:
        where.append(runs.c.id.in_(list(run_ids)))
    if study_ids is not None:
        where.append(assignments.c.super_study_id.in_(list(study_ids)))
    query = (
        select(
            *(runs.c[name] for name in (
                "id", "state", "assignment_id", "worker_id", "claimed_at", "stage", "stage_sender_at", "solver_percent",
                "solver_sender_at", "mcells_per_s", "done_cases", "sim_total",
            )),
            assignments.c.super_study_id, assignments.c.weight.label("whole"), assignments.c.done_weight,
            assignments.c.expected_total,
            simulations.c.state.label("sim_state"), simulations.c.case_key,
            func.coalesce(simulations.c.started_line_at, simulations.c.started_sender_at).label("began_at"),
            func.coalesce(simulations.c.started_sender_at, simulations.c.started_line_at).label("told_at"),
            cases.c.phantom, cases.c.frequency, cases.c.weight, cases.c.state.label("case_state"),
            select(cases.c.id).where(cases.c.assignment_id == runs.c.assignment_id).limit(1)
            .correlate(runs).scalar_subquery().label("any_case"),
        )
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .outerjoin(simulations, and_(simulations.c.run_id == runs.c.id, simulations.c.ordinal == runs.c.sim_index))
        .outerjoin(cases, and_(cases.c.assignment_id == assignments.c.id, cases.c.case_key == simulations.c.case_key))
        .where(LIVE, *where)
    )  # fmt: skip
    found = []
    # Sorted here: for an order SQLite would go through all runs there ever were.
    for row in sorted(map(_Row._make, connection.execute(query)), key=lambda row: row.id):
        working = row.sim_state == "running"
        counts = working and row.case_state not in (None, "done", "moved")
        since = row.told_at if working else None
        fresh = since is not None and row.stage_sender_at is not None and row.stage_sender_at >= since
        told, began = row.solver_sender_at, row.began_at if working else None
        heard = told is not None and began is not None and told >= began
        found.append(
            # By position: with names it takes twenty times as long.
            UnderWay(
                row.id,
                row.state,
                row.assignment_id,
                row.super_study_id,
                row.worker_id,
                row.claimed_at,
                began,
                row.case_key if counts else None,
                (row.phantom or "") if counts else "",
                (row.frequency or "") if counts else "",
                (row.weight or 0.0) if counts else 0.0,
                (row.stage or "") if fresh else "",
                min(max(row.solver_percent / 100, 0.0), 1.0) if heard and row.solver_percent is not None else None,
                row.mcells_per_s if heard else None,
                row.whole,
                row.done_weight,
                row.done_cases,
                row.expected_total or row.sim_total,
                row.any_case is not None,
            )
        )
    return found

"""The assignments of a study a page at a time, and what each of them holds. The cost is that of the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import RunSummary, runs, summary_of, summary_query
from goliat_monitoring.store.read.studies import assignment_progress
from goliat_monitoring.store.read.underway import under_way
from goliat_monitoring.study.requirements import Requirements

assignments, cases = tables.assignments, tables.cases
LIVE_STATES = ("claimed", "running", "unreachable")
# Stored states, and those that the newest run tells. `replaced`: others ask for what it lacks now.
STATES = ("PENDING", "ASSIGNED", "RUNNING", "COMPLETED", "FAILED", "CANCELLED")
TROUBLES = ("stalled", "waiting_for_licence", "unreachable")
FILTERS = (*STATES, *TROUBLES, "replaced")
SORTS = ("index", "progress", "tries", "newest")


class Wanted(NamedTuple):
    """Which assignments. `state`: one of FILTERS or "", all that were not split again. The others name cases that they
    must hold; `scenario` is the beginning of a placement."""

    state: str = ""
    phantom: str = ""
    frequency: str = ""
    scenario: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment as the table shows it. `state`: ASSIGNED while its run has not spoken. `proven`: of `expected`
    simulations, None where nobody knows how many. `run`: its newest. Times in UTC microseconds."""

    id: str
    index: int
    state: str
    label: str
    progress: float
    attempts: int
    proven: int
    expected: int | None
    ask: str
    not_before: int | None
    replaced: bool
    requirements: str
    run: RunSummary | None


def parts_page(
    connection: Connection, study_id: str, wanted: Wanted, *, sort: str = "index", limit: int = 100, offset: int = 0
) -> tuple[list[Part], int]:
    """One page of the assignments that are wanted, and how many there are in all."""
    query = _wanted(study_id, wanted)
    total = int(connection.execute(select(func.count()).select_from(query.subquery())).scalar_one())
    rows = connection.execute(query.order_by(*_order(sort)).limit(limit).offset(offset)).all()
    return parts_of(connection, [row.id for row in rows]), total


def part_by_index(connection: Connection, study_id: str, index: int) -> Part | None:
    """The assignment of that index."""
    query = select(assignments.c.id).where(assignments.c.super_study_id == study_id, assignments.c.index == index)
    found = connection.execute(query).scalar()
    return None if found is None else parts_of(connection, [found])[0]


def parts_of(connection: Connection, ids: Sequence[str]) -> list[Part]:
    """These assignments, in this order."""
    if not ids:
        return []
    found = {
        row.id: row
        for row in connection.execute(
            select(
                assignments.c.index.label("place"),
                *(column for column in assignments.c if column.name not in ("index", "config")),
            ).where(assignments.c.id.in_(ids))
        )
    }
    rows = [found[it] for it in ids]
    newest = {
        it.id: summary_of(it)
        for it in connection.execute(
            summary_query().where(runs.c.id.in_([row.last_run_id for row in rows if row.last_run_id]))
        )
    }
    more = {}
    live = [run.id for run in newest.values() if run.live]
    if live:
        more = {it.run_id: it.more for it in under_way(connection, run_ids=live)}
    labels = _labels(connection, ids)
    return [_part(row, newest.get(row.last_run_id or ""), more, labels.get(row.id)) for row in rows]


def replaced_count(connection: Connection, study_id: str) -> int:
    """How many assignments were split again."""
    query = select(func.count()).where(assignments.c.super_study_id == study_id, assignments.c.replaced_at.is_not(None))
    return int(connection.execute(query).scalar_one())


def demands_of(connection: Connection, study_id: str) -> list[tuple[str, int]]:
    """(what it needs of a machine, how many) of assignments that wait, the most frequent first; "" for nothing."""
    query = (
        select(assignments.c.requirements, func.count().label("how_many"))
        .where(assignments.c.super_study_id == study_id, assignments.c.state == "PENDING")
        .group_by(assignments.c.requirements)
        .order_by(func.count().desc(), assignments.c.requirements)
    )
    return [(_demand(row.requirements), row.how_many) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class _Label:
    phantoms: list[str]
    frequencies: list[str]
    count: int
    proven: int
    details: str
    placements: int
    placement: str
    far: bool


def _labels(connection: Connection, ids: Sequence[str]) -> dict[str, _Label]:
    found: dict[str, _Label] = {}
    done = func.sum(case((cases.c.state == "done", 1), else_=0))
    whole = (
        select(
            cases.c.assignment_id, func.count().label("how_many"), done.label("proven"),
            func.min(cases.c.details).label("details"), func.min(cases.c.placement).label("placement"),
            func.count(func.distinct(cases.c.placement)).label("placements"),
            func.min(cases.c.relative_path).label("path"),
        )
        .where(cases.c.assignment_id.in_(ids))
        .group_by(cases.c.assignment_id)
    )  # fmt: skip
    for row in connection.execute(whole):
        far = row.path.startswith("far_field/")
        found[row.assignment_id] = _Label(
            [], [], row.how_many, row.proven, row.details, row.placements, row.placement, far
        )
    first = func.min(cases.c.ordinal)
    axes = (
        select(cases.c.assignment_id, cases.c.phantom, cases.c.frequency)
        .where(cases.c.assignment_id.in_(ids))
        .group_by(cases.c.assignment_id, cases.c.phantom, cases.c.frequency)
        .order_by(first)
    )
    for row in connection.execute(axes):
        label = found[row.assignment_id]
        if row.phantom not in label.phantoms:
            label.phantoms.append(row.phantom)
        if row.frequency not in label.frequencies:
            label.frequencies.append(row.frequency)
    return found


def _text(label: _Label) -> str:
    if label.count == 1:
        return label.details
    words = [_listed(label.phantoms), f"{_listed(label.frequencies)} MHz"]
    # Of a far field each is a direction and a polarization.
    many = "plane waves" if label.far else "placements"
    words.append(label.placement if label.placements == 1 else f"{label.placements} {many}")
    return " · ".join(words)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]} ({len(names)})"


def _part(row: Any, run: RunSummary | None, more: dict[str, float], label: _Label | None) -> Part:
    live = run is not None and run.live
    silent = row.state == "RUNNING" and run is not None and run.state == "claimed"
    reached = more.get(run.id, 0.0) if run is not None and live else 0.0
    return Part(
        id=row.id,
        index=row.place,
        state="ASSIGNED" if silent else row.state,
        label=_text(label) if label is not None else "",
        progress=assignment_progress(row.state, row.weight, row.done_weight, reached),
        attempts=row.attempts,
        proven=label.proven if label is not None else run.done_cases if run is not None else 0,
        expected=row.expected_total,
        ask=row.ask,
        not_before=row.not_before,
        replaced=row.replaced_at is not None,
        requirements=_demand(row.requirements),
        run=run,
    )


def _demand(text: str) -> str:
    return str(Requirements.from_json(msgspec.json.decode(text)))


def _wanted(study_id: str, wanted: Wanted) -> Select[Any]:
    query = (
        select(assignments.c.id)
        .outerjoin(runs, runs.c.id == assignments.c.last_run_id)
        .where(assignments.c.super_study_id == study_id)
    )
    state = wanted.state
    if state == "replaced":
        query = query.where(assignments.c.replaced_at.is_not(None))
    else:
        query = query.where(assignments.c.replaced_at.is_(None))
    if state == "ASSIGNED":
        query = query.where(assignments.c.state == "RUNNING", runs.c.state == "claimed")
    elif state == "RUNNING":
        query = query.where(assignments.c.state == "RUNNING", or_(runs.c.state != "claimed", runs.c.id.is_(None)))
    elif state == "unreachable":
        query = query.where(runs.c.state == "unreachable")
    elif state in TROUBLES:
        query = query.where(runs.c.state.in_(LIVE_STATES), runs.c.flag == state)
    elif state in STATES:
        query = query.where(assignments.c.state == state)
    held: list[ColumnElement[bool]] = []
    if wanted.phantom:
        held.append(cases.c.phantom == wanted.phantom)
    if wanted.frequency:
        held.append(cases.c.frequency == wanted.frequency)
    if wanted.scenario:
        held.append(cases.c.placement.startswith(f"{wanted.scenario}_", autoescape=True))
    if held:
        # What was moved is asked for by another assignment.
        held.append(cases.c.state != "moved")
        query = query.where(select(cases.c.id).where(and_(cases.c.assignment_id == assignments.c.id, *held)).exists())
    return query


def _order(sort: str) -> list[ColumnElement[Any]]:
    place = assignments.c.index.asc()
    weight = case((assignments.c.weight > 0, assignments.c.weight), else_=1.0)
    if sort == "progress":
        done = case((assignments.c.state == "COMPLETED", 1.0), else_=assignments.c.done_weight / weight)
        return [done.desc(), place]
    if sort == "tries":
        return [assignments.c.attempts.desc(), place]
    if sort == "newest":
        return [assignments.c.updated_at.desc(), place]
    return [place]

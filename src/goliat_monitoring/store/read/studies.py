"""Super studies and their assignments, with progress. Never reads a log."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, case, func, select

from goliat_monitoring.fleet.states import AssignmentState, StudyState, study_state
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.library import Source
from goliat_monitoring.store.read.runs import LIVE, RunSummary, runs, summary_of, summary_query
from goliat_monitoring.store.read.underway import UnderWay, under_way
from goliat_monitoring.store.read.workers import WorkerView, workers_by_id
from goliat_monitoring.wire.errors import Refused

studies, assignments, cases = tables.super_studies, tables.assignments, tables.cases

# Only a proven end is 100 %.
NEARLY = 99.0
_OVER = frozenset({StudyState.COMPLETED, StudyState.ENDED_WITH_FAILURES, StudyState.CANCELLED})


class _Share(NamedTuple):
    """The assignments of one state in a study. `last`: when the newest of them came to it, if nothing follows."""

    weight: float = 0.0
    done: float = 0.0
    many: int = 0
    last: int = 0


class StudySummary(msgspec.Struct, frozen=True, kw_only=True):
    """A super study as lists show it. `counts`: assignments by state. `progress`: 0 to 100, weighted, from proven
    cases and how far the simulations at work are. `ended_at`: when the last of it was done; None while it is not over.
    """

    id: str
    name: str
    description: str
    state: str
    priority: int
    paused: bool
    cancelled: bool
    retries_stopped: str
    counts: dict[str, int]
    total: int
    completed: int
    progress: float
    created_at: int
    updated_at: int
    ended_at: int | None = None


class StudyCounts(msgspec.Struct, frozen=True, kw_only=True):
    """As many as `StudySummary` counts; what needs no look at each live run."""

    id: str
    cancelled: bool
    counts: dict[str, int]
    total: int


class StudyDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A super study with its configs. `base_config` keeps its key order; `sources`: the files it was made from."""

    summary: StudySummary
    base_config: dict[str, Any]
    base_sha256: str
    split: dict[str, Any]
    sources: list[Source]


class AssignmentView(msgspec.Struct, frozen=True, kw_only=True):
    """One assignment. `state` is ASSIGNED while its run has not spoken. `run`: its newest; `worker`: that run's."""

    id: str
    index: int
    study_id: str
    study_name: str
    state: str
    weight: float
    requirements: dict[str, Any]
    done_weight: float
    progress: float
    expected_total: int | None
    attempts: int
    memory_errors: int
    not_before: int | None
    ask: str
    replaced: bool
    started_at: int | None
    completed_at: int | None
    created_at: int
    updated_at: int
    run: RunSummary | None
    worker: WorkerView | None
    config: dict[str, Any] | None = None


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One simulation that an assignment asks for. `run_id`: the run that completed it."""

    case_key: str
    ordinal: int
    phantom: str
    frequency: str
    placement: str
    details: str
    relative_path: str
    weight: float
    state: str
    run_id: str | None


def list_studies(
    connection: Connection,
    *,
    name: str | None = None,
    limit: int = 1000,
    study_id: str | None = None,
    ids: Collection[str] | None = None,
    live: Sequence[UnderWay] | None = None,
) -> list[StudySummary]:
    """Super studies, newest first; with `name` only the one so called (case does not matter), with `ids` only these.
    `live`: all that is under way in them, where the caller has looked it up.
    """
    query = select(studies).order_by(studies.c.created_at.desc(), studies.c.id.desc()).limit(limit)
    if name is not None:
        query = query.where(studies.c.name_key == name.casefold())
    if study_id is not None:
        query = query.where(studies.c.id == study_id)
    if ids is not None:
        query = query.where(studies.c.id.in_(ids))
    rows = connection.execute(query).all()
    shares = _shares(connection, [row.id for row in rows], live)
    return [_summary(row, shares.get(row.id, {})) for row in rows]


def count_assignments(connection: Connection, study_id: str) -> StudyCounts:
    """How many assignments of a study are in which state. Raises `Refused` 404."""
    row = connection.execute(select(studies.c.cancelled).where(studies.c.id == study_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such super study", study_id)
    counts = {
        it.state: int(it.how_many)
        for it in connection.execute(
            select(assignments.c.state, func.count().label("how_many"))
            .where(assignments.c.super_study_id == study_id, assignments.c.replaced_at.is_(None))
            .group_by(assignments.c.state)
        )
    }
    silent = connection.execute(
        select(func.count())
        .select_from(runs.join(assignments, assignments.c.id == runs.c.assignment_id))
        .where(LIVE, runs.c.state == "claimed", assignments.c.super_study_id == study_id)
    ).scalar_one()
    total = sum(counts.values())
    if silent := min(int(silent), counts.get("RUNNING", 0)):
        counts |= {"RUNNING": counts["RUNNING"] - silent, "ASSIGNED": silent}
    return StudyCounts(id=study_id, cancelled=row.cancelled, counts=counts, total=total)


def brief_assignments(connection: Connection, study_ids: list[str]) -> dict[str, list[tuple[str, str, str | None]]]:
    """(id, stored state, worker's id) of all assignments of these studies, by index. For lists of studies."""
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    for start in range(0, len(study_ids), 500):
        query = (
            select(assignments.c.super_study_id, assignments.c.id, assignments.c.state, runs.c.worker_id)
            .outerjoin(runs, runs.c.id == assignments.c.last_run_id)
            .where(assignments.c.super_study_id.in_(study_ids[start : start + 500]))
            .order_by(assignments.c.super_study_id, assignments.c.index)
        )
        for row in connection.execute(query):
            found.setdefault(row.super_study_id, []).append((row.id, row.state, row.worker_id))
    return found


def get_study(connection: Connection, study_id: str) -> StudyDetail:
    """One super study by its id. Raises `Refused` 404."""
    row = connection.execute(select(studies).where(studies.c.id == study_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such super study", study_id)
    return StudyDetail(
        summary=_summary(row, _shares(connection, [study_id]).get(study_id, {})),
        base_config=msgspec.json.decode(row.base_config, type=dict[str, Any]),
        base_sha256=row.base_sha256,
        split=msgspec.json.decode(row.split, type=dict[str, Any]),
        sources=msgspec.json.decode(row.sources, type=list[Source]),
    )


def list_assignments(
    connection: Connection, now: int, study_id: str, *, with_config: bool = False
) -> list[AssignmentView]:
    """Assignments of a study by index. Raises `Refused` 404 for an unknown study."""
    name = connection.execute(select(studies.c.name).where(studies.c.id == study_id)).scalar_one_or_none()
    if name is None:
        raise Refused(404, "no such super study", study_id)
    rows = connection.execute(
        _assignment_query(with_config=with_config)
        .where(assignments.c.super_study_id == study_id)
        .order_by(assignments.c.index)
    ).all()
    return _views(connection, now, rows, name, with_config=with_config)


def get_assignment(connection: Connection, now: int, assignment_id: str) -> AssignmentView:
    """One assignment with its config. Raises `Refused` 404."""
    row = connection.execute(_assignment_query(with_config=True).where(assignments.c.id == assignment_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such assignment", assignment_id)
    name = connection.execute(select(studies.c.name).where(studies.c.id == row.super_study_id)).scalar_one()
    return _views(connection, now, [row], name, with_config=True)[0]


def assignment_config(connection: Connection, assignment_id: str) -> tuple[str, str]:
    """(study name, index) as a file name, and the config's JSON text with its key order. Raises `Refused` 404."""
    row = connection.execute(
        select(assignments.c.config, assignments.c.index.label("place"), studies.c.name)
        .join(studies, studies.c.id == assignments.c.super_study_id)
        .where(assignments.c.id == assignment_id)
    ).one_or_none()
    if row is None:
        raise Refused(404, "no such assignment", assignment_id)
    return f"{row.name}_assignment_{row.place}.json", row.config


def base_config(connection: Connection, study_id: str) -> tuple[str, str]:
    """A file name for it, and the base config's JSON text with its key order. Raises `Refused` 404."""
    row = connection.execute(
        select(studies.c.name, studies.c.base_config).where(studies.c.id == study_id)
    ).one_or_none()
    if row is None:
        raise Refused(404, "no such super study", study_id)
    return f"{row.name}_base.json", row.base_config


def list_cases(connection: Connection, assignment_id: str) -> list[CaseView]:
    """The simulations an assignment asks for, in the order they are computed. Empty while nobody knows them."""
    query = select(cases).where(cases.c.assignment_id == assignment_id).order_by(cases.c.ordinal)
    return [
        CaseView(**{name: getattr(row, name) for name in CaseView.__struct_fields__})
        for row in connection.execute(query)
    ]


def assignment_progress(state: str, weight: float, done_weight: float, more: float = 0.0) -> float:
    """0 to 100. What is proven counts, and `more`, the weight that the simulation at work has behind it; what GOLIAT
    says of itself does not."""
    if state == "COMPLETED":
        return 100.0
    return min(100 * max(done_weight + more, 0.0) / weight, NEARLY) if weight > 0 else 0.0


def _shares(
    connection: Connection, study_ids: list[str], live: Sequence[UnderWay] | None = None
) -> dict[str, dict[str, _Share]]:
    """For each study its assignments by shown state."""
    found: dict[str, dict[str, _Share]] = {}
    for start in range(0, len(study_ids), 500):
        chunk = study_ids[start : start + 500]
        grouped = (
            select(
                assignments.c.super_study_id,
                assignments.c.state,
                # What was split again counts with the assignments that took it over; what it had done stays its own.
                func.sum(case((assignments.c.replaced_at.is_(None), 1), else_=0)).label("how_many"),
                func.sum(assignments.c.weight).label("weight"),
                func.sum(assignments.c.done_weight).label("done"),
                func.max(func.coalesce(assignments.c.completed_at, assignments.c.updated_at)).label("last"),
            )
            .where(assignments.c.super_study_id.in_(chunk))
            .group_by(assignments.c.super_study_id, assignments.c.state)
        )
        for row in connection.execute(grouped):
            done = row.weight if row.state == "COMPLETED" else min(row.done, row.weight)
            found.setdefault(row.super_study_id, {})[row.state] = _Share(row.weight, done, int(row.how_many), row.last)
        # What the live runs add on top of what is proven, and which of them have not spoken yet.
        wanted = set(chunk)
        for run in under_way(connection, study_ids=chunk) if live is None else live:
            if run.study_id not in wanted:
                continue
            states = found.setdefault(run.study_id, {})
            share = states.get("RUNNING", _Share())
            more = min(run.more, max(run.assignment_weight - run.proven, 0.0))
            states["RUNNING"] = share = share._replace(done=share.done + more)
            if run.state == "claimed" and share.many:
                states["RUNNING"] = share._replace(many=share.many - 1)
                states["ASSIGNED"] = _Share(many=states.get("ASSIGNED", _Share()).many + 1)
    return found


def _summary(row: Row[Any], shares: Mapping[str, _Share]) -> StudySummary:
    counts = {state: share.many for state, share in shares.items() if share.many}
    known: dict[AssignmentState, int] = {}
    for state, count in counts.items():
        key = AssignmentState.RUNNING if state == "ASSIGNED" else AssignmentState(state)
        known[key] = known.get(key, 0) + count
    weight = sum(share.weight for share in shares.values())
    done = sum(share.done for share in shares.values())
    state = study_state(known, paused=row.paused, cancelled=row.cancelled)
    last = max((share.last for share in shares.values()), default=None)
    if row.cancelled and state == StudyState.CANCELLED:
        # That is the last change of a study; its runs take a while to end.
        last = row.updated_at
    total = sum(counts.values())
    completed = counts.get("COMPLETED", 0)
    whole = 100 * done / weight if weight > 0 else 0.0
    return StudySummary(
        id=row.id,
        name=row.name,
        description=row.description,
        state=state,
        priority=row.priority,
        paused=row.paused,
        cancelled=row.cancelled,
        retries_stopped=row.retries_stopped,
        counts=counts,
        total=total,
        completed=completed,
        progress=100.0 if total and completed == total else round(min(whole, NEARLY), 2),
        created_at=row.created_at,
        updated_at=row.updated_at,
        ended_at=last if state in _OVER else None,
    )


def _assignment_query(*, with_config: bool) -> Any:
    # A row is a tuple, whose own `index` hides the column's.
    return select(
        assignments.c.index.label("place"),
        *(column for column in assignments.c if column.name != "index" and (with_config or column.name != "config")),
    )


def _views(
    connection: Connection, now: int, rows: Iterable[Row[Any]], study_name: str, *, with_config: bool
) -> list[AssignmentView]:
    rows = list(rows)
    newest: dict[str, RunSummary] = {}
    more: dict[str, float] = {}
    ids = [row.last_run_id for row in rows if row.last_run_id]
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        found = [summary_of(it) for it in connection.execute(summary_query().where(runs.c.id.in_(some)))]
        newest.update((run.id, run) for run in found)
        live = [run.id for run in found if run.live]
        more.update((it.run_id, it.more) for it in (under_way(connection, run_ids=live) if live else ()))
    fleet = workers_by_id(connection, now, {run.worker_id for run in newest.values()})
    views = []
    for row in rows:
        run = newest.get(row.last_run_id or "")
        state = "ASSIGNED" if row.state == "RUNNING" and run is not None and run.state == "claimed" else row.state
        reached = more.get(run.id, 0.0) if run is not None and run.live else 0.0
        views.append(
            AssignmentView(
                id=row.id,
                index=row.place,
                study_id=row.super_study_id,
                study_name=study_name,
                state=state,
                weight=row.weight,
                requirements=msgspec.json.decode(row.requirements, type=dict[str, Any]),
                done_weight=row.done_weight,
                progress=round(assignment_progress(row.state, row.weight, row.done_weight, reached), 2),
                expected_total=row.expected_total,
                attempts=row.attempts,
                memory_errors=row.memory_errors,
                not_before=row.not_before,
                ask=row.ask,
                replaced=row.replaced_at is not None,
                started_at=row.started_at,
                completed_at=row.completed_at,
                created_at=row.created_at,
                updated_at=row.updated_at,
                run=run,
                worker=fleet.get(run.worker_id) if run is not None else None,
                config=msgspec.json.decode(row.config, type=dict[str, Any]) if with_config else None,
            )
        )
    return views

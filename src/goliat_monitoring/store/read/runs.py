"""Runs: the summary that lists show, and all there is to know of one run except its log."""

from collections.abc import Collection
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, exists, select, text, true

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.screenshots import Screenshot, screenshots_of
from goliat_monitoring.wire.errors import Refused

runs, assignments, studies, workers = tables.runs, tables.assignments, tables.super_studies, tables.workers
# Spelled as the partial indexes are, or SQLite does not use them.
LIVE_STATES = "state IN ('claimed', 'running', 'unreachable')"
LIVE = text(f"runs.{LIVE_STATES}")


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run as lists show it. Times in UTC microseconds, `..._sender_at` on the sender's clock, percentages 0 to 100.

    `percent`, `stage` and `eta_seconds` are what GOLIAT says, which proves nothing. `live`: not over yet.
    """

    id: str
    worker_id: str
    worker_name: str
    assignment_id: str | None
    index: int | None
    study_id: str | None
    study_name: str | None
    attempt: int
    kind: str
    state: str
    live: bool
    reason: str
    exit_code: int | None
    directive: str
    claimed_at: int
    first_sign_at: int | None
    last_sign_at: int | None
    last_life_at: int | None
    lease_until: int
    finished_at: int | None
    ended_at: int | None
    percent: float | None
    stage: str | None
    stage_percent: float | None
    sim_index: int | None
    sim_total: int | None
    sim_details: str | None
    eta_seconds: float | None
    eta_sender_at: int | None
    animation: dict[str, Any] | None
    warnings: int
    errors: int
    line_count: int
    last_line: str | None
    last_line_sender_at: int | None
    done_cases: int
    cause: str
    flag: str
    flag_reason: str
    flagged_at: int | None


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence: what was heard that speaks for or against a case."""

    kind: str
    sender_at: int
    received_at: int
    text: str
    case_key: str | None
    ordinal: int | None


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """One case as this run computes it. `state`: running, done, failed, missing or unproven; `why` says the reason."""

    ordinal: int
    case_key: str | None
    details: str
    state: str
    why: str
    started_sender_at: int | None
    ended_sender_at: int | None
    evidence: list[Sign]


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """One result file of one run. `size` in bytes. `late`: it came after the run was over."""

    id: str
    run_id: str
    relative_path: str
    filename: str
    version: int
    case_key: str | None
    size: int
    sha256: str
    storage_key: str
    late: bool
    received_at: int


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A run with its simulations and their evidence; `evidence` holds what belongs to no single simulation."""

    summary: RunSummary
    simulations: list[Simulation]
    evidence: list[Sign]
    artifacts: list[Artifact]
    screenshots: list[Screenshot]


def worker_name(label: str, hostname: str, machine_id: str | None, worker_id: str) -> str:
    """What people call a worker: its label, else its hostname, else its machine id."""
    return label or hostname or machine_id or worker_id


def summary_query() -> Select[Any]:
    """All that `summary_of` needs; add conditions and an order."""
    return select(*_COLUMNS).select_from(
        runs.join(workers, workers.c.id == runs.c.worker_id)
        .outerjoin(assignments, assignments.c.id == runs.c.assignment_id)
        .outerjoin(studies, studies.c.id == assignments.c.super_study_id)
    )


def summary_of(row: Row[Any]) -> RunSummary:
    """The summary in one row of `summary_query`."""
    return RunSummary(
        **dict(zip(_PLAIN, _plain(row), strict=True)),
        worker_name=worker_name(row.worker_label, row.worker_hostname, row.worker_machine_id, row.worker_id),
        index=row.assignment_index,
        live=not RunState(row.state).terminal,
        animation=msgspec.json.decode(row.animation) if row.animation else None,
    )


_DERIVED = {"worker_name", "index", "live", "animation"}
_PLAIN = [name for name in RunSummary.__struct_fields__ if name not in _DERIVED]
_COLUMNS = [
    *(column for column in runs.c if column.name in {*_PLAIN, "animation"}),
    assignments.c.index.label("assignment_index"),
    studies.c.id.label("study_id"),
    studies.c.name.label("study_name"),
    workers.c.label.label("worker_label"),
    workers.c.hostname.label("worker_hostname"),
    workers.c.machine_id.label("worker_machine_id"),
]
# By position: a list of a thousand runs would look up fifty thousand names.
_plain = itemgetter(*([column.name for column in _COLUMNS].index(name) for name in _PLAIN))


def list_runs(
    connection: Connection, *, worker_id: str | None = None, assignment_id: str | None = None, limit: int = 200
) -> list[RunSummary]:
    """Runs, newest first."""
    query = summary_query().order_by(runs.c.claimed_at.desc(), runs.c.id.desc()).limit(limit)
    if worker_id is not None:
        query = query.where(runs.c.worker_id == worker_id)
    if assignment_id is not None:
        query = query.where(runs.c.assignment_id == assignment_id)
    return [summary_of(row) for row in connection.execute(query)]


def run_summary(connection: Connection, run_id: str) -> RunSummary:
    """One run's summary. Raises `Refused` 404."""
    row = connection.execute(summary_query().where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such run", run_id)
    return summary_of(row)


def newest_per_worker(connection: Connection, of: Collection[str] | None = None) -> dict[str, RunSummary]:
    """For each worker, or each of these, its newest live run, else its newest run. The cost does not grow with past
    runs.
    """
    chosen = true() if of is None else runs.c.worker_id.in_(of)
    # An alias: the same table inside and outside would be taken for one.
    past = runs.alias("past")
    newest = (
        select(past.c.id)
        .where(past.c.worker_id == workers.c.id)
        .order_by(past.c.claimed_at.desc(), past.c.id.desc())
        .limit(1)
        .correlate(workers)
        .scalar_subquery()
    )
    live = summary_query().where(LIVE, chosen).order_by(runs.c.claimed_at, runs.c.id)
    found = {row.worker_id: row for row in connection.execute(live).all()}
    # Of workers with a live run the newest run of all is not looked at.
    other = runs.alias("other")
    busy = exists().where(other.c.worker_id == workers.c.id, text(f"other.{LIVE_STATES}")).correlate(workers)
    over = summary_query().where(runs.c.id == newest, ~busy, chosen)
    for row in connection.execute(over).all():
        found.setdefault(row.worker_id, row)
    return {worker_id: summary_of(row) for worker_id, row in found.items()}


def get_run(connection: Connection, run_id: str) -> RunDetail:
    """All there is to know of a run except its log. Raises `Refused` 404."""
    summary = run_summary(connection, run_id)
    simulations, loose = simulations_of(connection, run_id)
    return RunDetail(
        summary=summary,
        simulations=simulations,
        evidence=loose,
        artifacts=artifacts_of(connection, run_id),
        screenshots=screenshots_of(connection, run_id),
    )


def simulations_of(connection: Connection, run_id: str) -> tuple[list[Simulation], list[Sign]]:
    """The simulations of a run with the evidence for each, and the evidence that belongs to none."""
    table = tables.evidence
    signs: dict[int | None, list[Sign]] = {}
    by_key: dict[str, list[Sign]] = {}
    simulations = connection.execute(
        select(tables.simulations).where(tables.simulations.c.run_id == run_id).order_by(tables.simulations.c.ordinal)
    ).all()
    keys = {row.case_key for row in simulations if row.case_key}
    ordinals = {row.ordinal for row in simulations}
    loose: list[Sign] = []
    for row in connection.execute(select(table).where(table.c.run_id == run_id).order_by(table.c.id)):
        sign = Sign(**{name: getattr(row, name) for name in Sign.__struct_fields__})
        if sign.case_key in keys:
            by_key.setdefault(sign.case_key or "", []).append(sign)
        elif sign.ordinal is not None and sign.ordinal + 1 in ordinals:  # signs count from 0, simulations from 1
            signs.setdefault(sign.ordinal + 1, []).append(sign)
        else:
            loose.append(sign)
    found = [
        Simulation(
            ordinal=row.ordinal,
            case_key=row.case_key,
            details=row.details,
            state=row.state,
            why=row.why,
            started_sender_at=row.started_sender_at,
            ended_sender_at=row.ended_sender_at,
            evidence=by_key.get(row.case_key or "", []) + signs.get(row.ordinal, []),
        )
        for row in simulations
    ]
    return found, loose


def artifacts_of(connection: Connection, run_id: str) -> list[Artifact]:
    """Every file of a run with all versions, by path and name."""
    table = tables.artifacts
    query = (
        select(table)
        .where(table.c.run_id == run_id)
        .order_by(table.c.relative_path, table.c.filename, table.c.version.desc())
    )
    return [artifact_of(row) for row in connection.execute(query)]


def artifact_of(row: Row[Any]) -> Artifact:
    """The artifact in a row that holds the table's columns."""
    return Artifact(**{name: getattr(row, name) for name in Artifact.__struct_fields__})

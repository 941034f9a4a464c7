"""Runs: the summary that lists show, and all there is to know of one run except its log."""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Row, Select, and_, exists, select, text, true

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.read.evidence import Sign, Simulation, simulations_of
from goliat_monitoring.store.read.screenshots import Screenshot, screenshots_of
from goliat_monitoring.wire.errors import Refused

runs, assignments, studies, workers = tables.runs, tables.assignments, tables.super_studies, tables.workers
# Spelled as the partial indexes are, or SQLite does not use them.
LIVE_STATES = "state IN ('claimed', 'running', 'unreachable')"
LIVE = text(f"runs.{LIVE_STATES}")


class RunBrief(msgspec.Struct, frozen=True, gc=False):
    """The little of a run that the list of all workers tells. `live`: not over yet.

    `percent` (0 to 100), `stage` and `eta_seconds` are what GOLIAT says, which proves nothing. Times in UTC
    microseconds, `..._sender_at` on the sender's clock.
    """

    live: bool
    id: str
    worker_id: str
    claimed_at: int
    state: str
    percent: float | None
    stage: str | None
    stage_percent: float | None
    eta_seconds: float | None
    eta_sender_at: int | None
    warnings: int
    errors: int


class RunSummary(RunBrief, frozen=True, gc=False):
    """A run as lists show it."""

    worker_name: str
    animation: dict[str, Any] | None
    assignment_id: str | None
    attempt: int
    kind: str
    reason: str
    exit_code: int | None
    directive: str
    first_sign_at: int | None
    last_sign_at: int | None
    last_life_at: int | None
    lease_until: int
    finished_at: int | None
    ended_at: int | None
    sim_index: int | None
    sim_total: int | None
    sim_details: str | None
    line_count: int
    last_line: str | None
    last_line_sender_at: int | None
    done_cases: int
    cause: str
    flag: str
    flag_reason: str
    flagged_at: int | None
    index: int | None
    study_id: str | None
    study_name: str | None


R = TypeVar("R", bound=RunBrief)


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
    animation, label, hostname, machine_id = row[_BRIEF:_REST]
    # By position: a struct with forty names takes twenty times as long to make.
    values = (
        row[_STATE] in _LIVE_STATES,
        *row[:_BRIEF],
        worker_name(label, hostname, machine_id, row[_WORKER]),
        msgspec.json.decode(animation) if animation else None,
        *row[_REST:],
    )
    return RunSummary(*values)


_LIVE_STATES = frozenset(state.value for state in RunState if not state.terminal)
_BRIEF_COLUMNS = RunBrief.__struct_fields__[1:]
_BRIEF, _STATE, _WORKER = len(_BRIEF_COLUMNS), _BRIEF_COLUMNS.index("state"), _BRIEF_COLUMNS.index("worker_id")
# In the order of the fields; in the midst what the derived ones are made of.
_OTHERS = RunSummary.__struct_fields__[_BRIEF + 3 : -3]
_COLUMNS = [
    *(runs.c[name] for name in _BRIEF_COLUMNS),
    runs.c.animation,
    workers.c.label.label("worker_label"),
    workers.c.hostname.label("worker_hostname"),
    workers.c.machine_id.label("worker_machine_id"),
    *(runs.c[name] for name in _OTHERS),
    assignments.c.index.label("assignment_index"),
    studies.c.id.label("study_id"),
    studies.c.name.label("study_name"),
]
_REST = _BRIEF + 4


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
    # Aliases: the same table inside and outside would be taken for one.
    who, past, other = workers.alias("who"), runs.alias("past"), runs.alias("other")
    newest = (
        select(past.c.id)
        .where(past.c.worker_id == who.c.id)
        .order_by(past.c.claimed_at.desc(), past.c.id.desc())
        .limit(1)
        .correlate(who)
        .scalar_subquery()
    )
    # Of workers with a live run the newest run of all is not looked at.
    busy = exists().where(other.c.worker_id == who.c.id, text(f"other.{LIVE_STATES}")).correlate(who)
    # As a list: SQLite would join from the runs, of all times, to the workers.
    over = runs.c.id.in_(select(newest).select_from(who).where(~busy, true() if of is None else who.c.id.in_(of)))
    live = and_(LIVE, true() if of is None else runs.c.worker_id.in_(of))
    queries = [summary_query().where(condition) for condition in (live, over)]
    found = [summary_of(row) for query in queries for row in connection.execute(query)]
    return _newest(found)


_OF_WORKERS = f"""
    SELECT {", ".join(f"r.{name}" for name in _BRIEF_COLUMNS)} FROM runs AS r WHERE r.{LIVE_STATES}
    UNION ALL
    SELECT {", ".join(f"r.{name}" for name in _BRIEF_COLUMNS)} FROM workers AS w JOIN runs AS r ON r.id = (
        SELECT past.id FROM runs AS past WHERE past.worker_id = w.id
        ORDER BY past.claimed_at DESC, past.id DESC LIMIT 1
    )
    WHERE NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.worker_id = w.id AND other.{LIVE_STATES})
"""  # noqa: S608 - own names


def briefs_per_worker(connection: Connection) -> dict[str, RunBrief]:
    """`newest_per_worker` of all, in brief."""
    return _newest(RunBrief(row[_STATE] in _LIVE_STATES, *row) for row in driver.fetch(connection, _OF_WORKERS))


def _newest(found: Iterable[R]) -> dict[str, R]:
    """By worker. Sorted here: for an order by time SQLite would go through all runs there ever were."""
    newest: dict[str, R] = {}
    for run in found:
        other = newest.get(run.worker_id)
        if other is None or (run.claimed_at, run.id) > (other.claimed_at, other.id):
            newest[run.worker_id] = run
    return newest


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

"""JSON of the dashboard's API: the field names that pages and scripts have always read, and what came since.

Times are ISO 8601 with `Z`. Statuses are the old words in capitals; the product's own words stand beside them.
"""

from typing import Any, TypeVar

import msgspec

from goliat_monitoring.fleet.states import legacy_worker
from goliat_monitoring.store.read.logs import LogPage
from goliat_monitoring.store.read.runs import RunBrief, RunSummary
from goliat_monitoring.store.read.workers import WorkerBrief, WorkerView
from goliat_monitoring.wire.clock import SECOND, iso

GIB = 2**30


class Success(msgspec.Struct, rename="camel", omit_defaults=True):
    success: bool
    message: str = ""


class SummaryJson(msgspec.Struct, rename="camel", kw_only=True):
    """What lists show of a worker's newest run. `progress` and `stageProgress` in percent, as GOLIAT says."""

    progress: float
    stage_progress: float
    stage: str
    warning_count: int
    error_count: int
    eta: str | None


class LogMessageJson(msgspec.Struct, rename="camel", kw_only=True):
    message: str
    log_type: str
    timestamp: str


class GuiStateJson(msgspec.Struct, rename="camel", kw_only=True):
    """A worker's newest run in the form of the old dashboard. `id` is the run's."""

    id: str
    worker_id: str
    stage: str
    progress: float
    stage_progress: float
    log_messages: list[LogMessageJson]
    eta: str | None
    status: str
    warning_count: int
    error_count: int
    updated_at: str


class WorkerJson(msgspec.Struct, rename="camel"):
    """A worker. `ambiguous`: ids of the other live workers under the same machine id. `set_aside`: names of studies.
    `has_left`: its agent ended itself in good order, so that it is offline without alarm."""

    id: str
    ip_address: str
    hostname: str
    status: str
    last_seen: str
    machine_label: str | None
    gpu_name: str | None
    cpu_cores: int | None
    total_ram_gb: float | None = msgspec.field(name="totalRamGB")
    created_at: str
    updated_at: str
    is_stale: bool
    kind: str
    machine_id: str | None
    address: str
    state: str
    presence: str
    has_left: bool
    wish: str
    notes: list[str]
    vitals: dict[str, float]
    clock_skew_s: float | None
    price_per_hour: float | None
    run_id: str | None
    ambiguous: list[str]
    set_aside: list[str]


class ListedWorkerJson(WorkerJson, rename="camel"):
    gui_state: SummaryJson | None


W = TypeVar("W", bound=WorkerJson)


class WorkerAnswer(msgspec.Struct, rename="camel", kw_only=True):
    worker: WorkerJson
    gui_state: GuiStateJson | None
    ambiguous: list[str]


def worker_json(worker: WorkerBrief[Any]) -> WorkerJson:
    """A worker. `ipAddress` has always been the machine id of a bare client; `address` is where it calls from."""
    return _worker(WorkerJson, worker)


def listed_worker_json(worker: WorkerBrief[Any]) -> ListedWorkerJson:
    """A worker with the summary of its newest run."""
    run = worker.run
    return _worker(ListedWorkerJson, worker, None if run is None else _summary_json(run, worker))


def _worker(kind: type[W], worker: WorkerBrief[Any], *more: Any) -> W:
    """`more`: the fields that `kind` has besides."""
    facts, run, last_seen = worker.facts, worker.run, iso(worker.last_seen)
    # By position: with names it takes twenty times as long.
    return kind(
        worker.id,
        worker.machine_id or worker.ip,
        worker.hostname,
        worker_status(worker),
        last_seen,
        worker.label or None,
        facts.gpu_name or None,
        facts.cpu_cores or None,
        facts.ram_bytes / GIB if facts.ram_bytes else None,
        iso(worker.created_at),
        last_seen,
        worker.wish == "removed",
        worker.kind,
        worker.machine_id,
        worker.ip,
        worker.state,
        worker.presence,
        worker.has_left,
        worker.wish,
        worker.notes,
        worker.vitals,
        None if worker.clock_skew is None else worker.clock_skew / SECOND,
        worker.price_per_hour,
        None if run is None else run.id,
        worker.ambiguous,
        worker.set_aside,
        *more,
    )


def worker_status(worker: WorkerBrief[Any]) -> str:
    """IDLE, RUNNING, ERROR or OFFLINE."""
    return legacy_worker(worker.state, worker.presence, worker.run is not None and worker.run.live)


def eta_of(run: RunBrief, skew: int | None = None) -> str | None:
    """When GOLIAT says it will be done, on the server's clock. Its 0 means "unknown" as often as "done"."""
    if not run.live or not run.eta_seconds or run.eta_sender_at is None:
        return None
    return iso(run.eta_sender_at - (skew or 0) + round(run.eta_seconds * SECOND))


def _summary_json(run: RunBrief, worker: WorkerBrief[Any]) -> SummaryJson:
    return SummaryJson(
        progress=run.percent or 0.0,
        stage_progress=run.stage_percent or 0.0,
        stage=run.stage or "",
        warning_count=run.warnings,
        error_count=run.errors,
        eta=eta_of(run, worker.clock_skew),
    )


def gui_state_json(worker: WorkerView, run: RunSummary, log: LogPage) -> GuiStateJson:
    """A worker's newest run with the end of its log."""
    summary = _summary_json(run, worker)
    return GuiStateJson(
        id=run.id,
        worker_id=worker.id,
        stage=summary.stage,
        progress=summary.progress,
        stage_progress=summary.stage_progress,
        log_messages=[
            LogMessageJson(message=line.text, log_type=line.level, timestamp=iso(line.time)) for line in log.lines
        ],
        eta=summary.eta,
        status=worker_status(worker),
        warning_count=summary.warning_count,
        error_count=summary.error_count,
        updated_at=iso(run.last_sign_at or run.claimed_at),
    )

"""JSON of the dashboard's API: the field names that pages and scripts have always read, and what came since.

Times are ISO 8601 with `Z`. Statuses are the old words in capitals; the product's own words stand beside them.
"""

from typing import Any

import msgspec

from goliat_monitoring.fleet.states import Presence, WorkerState, legacy_worker
from goliat_monitoring.store.read.logs import LogPage
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.workers import WorkerView
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


class WorkerJson(msgspec.Struct, rename="camel", kw_only=True):
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


class ListedWorkerJson(WorkerJson, rename="camel", kw_only=True):
    gui_state: SummaryJson | None


class WorkerAnswer(msgspec.Struct, rename="camel", kw_only=True):
    worker: WorkerJson
    gui_state: GuiStateJson | None
    ambiguous: list[str]


def worker_json(worker: WorkerView) -> WorkerJson:
    """A worker. `ipAddress` has always been the machine id of a bare client; `address` is where it calls from."""
    return WorkerJson(**_worker_fields(worker))


def listed_worker_json(worker: WorkerView) -> ListedWorkerJson:
    """A worker with the summary of its newest run."""
    run = worker.run
    return ListedWorkerJson(**_worker_fields(worker), gui_state=None if run is None else _summary_json(run, worker))


def _worker_fields(worker: WorkerView) -> dict[str, Any]:
    facts, run = worker.facts, worker.run
    return {
        "id": worker.id,
        "ip_address": worker.machine_id or worker.ip,
        "hostname": worker.hostname,
        "status": worker_status(worker),
        "last_seen": iso(worker.last_seen),
        "machine_label": worker.label or None,
        "gpu_name": facts.gpu_name or None,
        "cpu_cores": facts.cpu_cores or None,
        "total_ram_gb": facts.ram_bytes / GIB if facts.ram_bytes else None,
        "created_at": iso(worker.created_at),
        "updated_at": iso(worker.last_seen),
        "is_stale": worker.wish == "removed",
        "kind": worker.kind,
        "machine_id": worker.machine_id,
        "address": worker.ip,
        "state": worker.state,
        "presence": worker.presence,
        "has_left": worker.has_left,
        "wish": worker.wish,
        "notes": worker.notes,
        "vitals": worker.vitals,
        "clock_skew_s": None if worker.clock_skew is None else worker.clock_skew / SECOND,
        "price_per_hour": worker.price_per_hour,
        "run_id": None if run is None else run.id,
        "ambiguous": worker.ambiguous,
        "set_aside": worker.set_aside,
    }


def worker_status(worker: WorkerView) -> str:
    """IDLE, RUNNING, ERROR or OFFLINE."""
    busy = worker.run is not None and worker.run.live
    return legacy_worker(WorkerState(worker.state), Presence(worker.presence), busy)


def eta_of(run: RunSummary, skew: int | None = None) -> str | None:
    """When GOLIAT says it will be done, on the server's clock. Its 0 means "unknown" as often as "done"."""
    if not run.live or not run.eta_seconds or run.eta_sender_at is None:
        return None
    return iso(run.eta_sender_at - (skew or 0) + round(run.eta_seconds * SECOND))


def _summary_json(run: RunSummary, worker: WorkerView) -> SummaryJson:
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

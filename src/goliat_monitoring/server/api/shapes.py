"""JSON of the dashboard's API: the field names that pages and scripts have always read, and what came since.

Times are ISO 8601 with `Z`. Statuses are the old words in capitals; the product's own words stand beside them.
"""

from typing import Any

import msgspec

from goliat_monitoring.fleet.states import Presence, StudyState, WorkerState, legacy_study, legacy_worker
from goliat_monitoring.store.read.logs import LogLine, LogPage
from goliat_monitoring.store.read.runs import Artifact, RunDetail, RunSummary, Screenshot, Sign
from goliat_monitoring.store.read.studies import AssignmentView, StudyDetail, StudySummary
from goliat_monitoring.store.read.workers import WorkerView
from goliat_monitoring.wire.clock import SECOND, iso, iso_or_none

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
    """A worker. `ambiguous`: ids of the other live workers under the same machine id."""

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
    wish: str
    notes: list[str]
    vitals: dict[str, float]
    clock_skew_s: float | None
    run_id: str | None
    ambiguous: list[str]


class ListedWorkerJson(WorkerJson, rename="camel", kw_only=True):
    gui_state: SummaryJson | None


class WorkerAnswer(msgspec.Struct, rename="camel", kw_only=True):
    worker: WorkerJson
    gui_state: GuiStateJson | None
    ambiguous: list[str]


class AssignmentBrief(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    status: str
    worker_id: str | None


class AssignmentJson(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=False):
    """An assignment. `state` is ASSIGNED while its run has not spoken; `configUrl`: where its config lies as a file."""

    id: str
    index: int
    worker_id: str | None
    super_study_id: str
    split_config: dict[str, Any]
    status: str
    progress: float
    current_stage: str | None
    eta: str | None
    result_data: dict[str, Any] | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    updated_at: str
    worker: WorkerJson | None
    state: str
    weight: float
    expected_total: int | None
    attempts: int
    run_id: str | None
    run_state: str | None
    reason: str | None
    super_study_name: str
    config_url: str


class StudyJson(msgspec.Struct, rename="camel", kw_only=True):
    """A super study in a list."""

    id: str
    name: str
    description: str
    status: str
    total_assignments: int
    completed_assignments: int
    master_progress: float
    created_at: str
    updated_at: str
    base_config_path: str | None
    state: str
    counts: dict[str, int]
    assignments: list[AssignmentBrief]


class StudyAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """A super study with its configs and assignments."""

    id: str
    name: str
    description: str
    status: str
    total_assignments: int
    completed_assignments: int
    master_progress: float
    created_at: str
    updated_at: str
    base_config_path: str | None
    state: str
    counts: dict[str, int]
    base_config: dict[str, Any]
    assignments: list[AssignmentJson]


class RunJson(msgspec.Struct, rename="camel", kw_only=True):
    """One attempt. What GOLIAT says of its progress proves nothing; `state` and `reason` are the server's judgement."""

    id: str
    worker_id: str
    worker_name: str
    assignment_id: str | None
    index: int | None
    super_study_id: str | None
    super_study_name: str | None
    attempt: int
    kind: str
    state: str
    live: bool
    reason: str
    exit_code: int | None
    directive: str
    claimed_at: str
    first_sign_at: str | None
    last_sign_at: str | None
    lease_until: str
    finished_at: str | None
    ended_at: str | None
    percent: float | None
    stage: str | None
    stage_percent: float | None
    simulation: int | None
    simulations: int | None
    simulation_details: str | None
    eta_seconds: float | None
    warnings: int
    errors: int
    lines: int
    last_line: str | None
    done_cases: int


class SignJson(msgspec.Struct, rename="camel", kw_only=True):
    kind: str
    time: str
    received_at: str
    text: str


class SimulationJson(msgspec.Struct, rename="camel", kw_only=True):
    """One case as this run computed it. `state`: running, done, failed, missing or unproven."""

    ordinal: int
    case_key: str | None
    details: str
    state: str
    why: str
    started_at: str | None
    ended_at: str | None
    evidence: list[SignJson]


class ArtifactJson(msgspec.Struct, rename="camel", kw_only=True):
    """One result file. `size` in bytes."""

    id: str
    relative_path: str
    filename: str
    version: int
    case_key: str | None
    size: int
    sha256: str
    late: bool
    received_at: str
    url: str


class ScreenshotJson(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    tab: str
    received_at: str
    sent_at: str | None
    size: int
    url: str


class RunAnswer(msgspec.Struct, rename="camel", kw_only=True):
    run: RunJson
    cases: list[SimulationJson]
    evidence: list[SignJson]
    artifacts: list[ArtifactJson]
    screenshots: list[ScreenshotJson]


class LineJson(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A log line. `n` is null while it waits for lines that raced with it. `time` on the sender's clock."""

    n: int | None
    time: str
    level: str
    source: str
    text: str
    late: bool = False


class LogAnswer(msgspec.Struct, rename="camel", kw_only=True):
    lines: list[LineJson]
    total: int


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
        "wish": worker.wish,
        "notes": worker.notes,
        "vitals": worker.vitals,
        "clock_skew_s": None if worker.clock_skew is None else worker.clock_skew / SECOND,
        "run_id": None if run is None else run.id,
        "ambiguous": worker.ambiguous,
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


def assignment_json(assignment: AssignmentView) -> AssignmentJson:
    """An assignment with its config; the view must have been read with it."""
    run, worker = assignment.run, assignment.worker
    live = run is not None and run.live
    return AssignmentJson(
        id=assignment.id,
        index=assignment.index,
        worker_id=worker.id if worker is not None else None,
        super_study_id=assignment.study_id,
        split_config=assignment.config or {},
        status=assignment_status(assignment.state),
        progress=assignment.progress,
        current_stage=run.stage if run is not None else None,
        eta=eta_of(run, worker.clock_skew if worker else None) if run is not None and live else None,
        result_data=None,
        started_at=iso_or_none(assignment.started_at),
        completed_at=iso_or_none(assignment.completed_at),
        created_at=iso(assignment.created_at),
        updated_at=iso(assignment.updated_at),
        worker=worker_json(worker) if worker is not None else None,
        state=assignment.state,
        weight=assignment.weight,
        expected_total=assignment.expected_total,
        attempts=assignment.attempts,
        run_id=run.id if run is not None else None,
        run_state=run.state if run is not None else None,
        reason=run.reason if run is not None else None,
        super_study_name=assignment.study_name,
        config_url=f"/api/assignments/{assignment.id}/config",
    )


def assignment_status(state: str) -> str:
    """The old word: it knows no ASSIGNED."""
    return "RUNNING" if state == "ASSIGNED" else state


def _study_fields(study: StudySummary) -> dict[str, Any]:
    return {
        "id": study.id,
        "name": study.name,
        "description": study.description,
        "status": legacy_study(StudyState(study.state)),
        "total_assignments": study.total,
        "completed_assignments": study.completed,
        "master_progress": study.progress,
        "created_at": iso(study.created_at),
        "updated_at": iso(study.updated_at),
        "base_config_path": None,
        "state": study.state,
        "counts": study.counts,
    }


def study_json(study: StudySummary, assignments: list[AssignmentBrief]) -> StudyJson:
    """A super study in a list."""
    return StudyJson(**_study_fields(study), assignments=assignments)


def study_answer(study: StudyDetail, assignments: list[AssignmentView]) -> StudyAnswer:
    """A whole super study."""
    return StudyAnswer(
        **_study_fields(study.summary),
        base_config=study.base_config,
        assignments=[assignment_json(assignment) for assignment in assignments],
    )


def run_json(run: RunSummary) -> RunJson:
    """A run in a list."""
    return RunJson(
        id=run.id,
        worker_id=run.worker_id,
        worker_name=run.worker_name,
        assignment_id=run.assignment_id,
        index=run.index,
        super_study_id=run.study_id,
        super_study_name=run.study_name,
        attempt=run.attempt,
        kind=run.kind,
        state=run.state,
        live=run.live,
        reason=run.reason,
        exit_code=run.exit_code,
        directive=run.directive,
        claimed_at=iso(run.claimed_at),
        first_sign_at=iso_or_none(run.first_sign_at),
        last_sign_at=iso_or_none(run.last_sign_at),
        lease_until=iso(run.lease_until),
        finished_at=iso_or_none(run.finished_at),
        ended_at=iso_or_none(run.ended_at),
        percent=run.percent,
        stage=run.stage,
        stage_percent=run.stage_percent,
        simulation=run.sim_index,
        simulations=run.sim_total,
        simulation_details=run.sim_details,
        eta_seconds=run.eta_seconds,
        warnings=run.warnings,
        errors=run.errors,
        lines=run.line_count,
        last_line=run.last_line,
        done_cases=run.done_cases,
    )


def run_answer(detail: RunDetail) -> RunAnswer:
    """All of a run but its log."""
    return RunAnswer(
        run=run_json(detail.summary),
        cases=[
            SimulationJson(
                ordinal=simulation.ordinal,
                case_key=simulation.case_key,
                details=simulation.details,
                state=simulation.state,
                why=simulation.why,
                started_at=iso_or_none(simulation.started_sender_at),
                ended_at=iso_or_none(simulation.ended_sender_at),
                evidence=[_sign_json(sign) for sign in simulation.evidence],
            )
            for simulation in detail.simulations
        ],
        evidence=[_sign_json(sign) for sign in detail.evidence],
        artifacts=[artifact_json(artifact) for artifact in detail.artifacts],
        screenshots=[screenshot_json(screenshot) for screenshot in detail.screenshots],
    )


def _sign_json(sign: Sign) -> SignJson:
    return SignJson(kind=sign.kind, time=iso(sign.sender_at), received_at=iso(sign.received_at), text=sign.text)


def artifact_json(artifact: Artifact) -> ArtifactJson:
    """A result file of a run."""
    return ArtifactJson(
        id=artifact.id,
        relative_path=artifact.relative_path,
        filename=artifact.filename,
        version=artifact.version,
        case_key=artifact.case_key,
        size=artifact.size,
        sha256=artifact.sha256,
        late=artifact.late,
        received_at=iso(artifact.received_at),
        url=f"/api/runs/{artifact.run_id}/artifacts/{artifact.id}",
    )


def screenshot_json(screenshot: Screenshot) -> ScreenshotJson:
    """A picture of a tab of GOLIAT's window."""
    return ScreenshotJson(
        id=screenshot.id,
        tab=screenshot.tab,
        received_at=iso(screenshot.received_at),
        sent_at=iso_or_none(screenshot.sender_at),
        size=screenshot.size,
        url=f"/api/runs/{screenshot.run_id}/screenshots/{screenshot.id}",
    )


def log_answer(page: LogPage) -> LogAnswer:
    """A stretch of a log."""
    return LogAnswer(lines=[_line_json(line) for line in page.lines], total=page.total)


def _line_json(line: LogLine) -> LineJson:
    return LineJson(n=line.n, time=iso(line.time), level=line.level, source=line.source, text=line.text, late=line.late)

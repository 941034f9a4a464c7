"""JSON of runs: one attempt, its evidence, files and pictures."""

import msgspec

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.api.time_shapes import RangeJson, TimesJson, finish_json, range_json
from goliat_monitoring.store.read.evidence import Sign
from goliat_monitoring.store.read.phase_times import PhaseTime
from goliat_monitoring.store.read.runs import Artifact, RunDetail, RunSummary
from goliat_monitoring.store.read.screenshots import Screenshot
from goliat_monitoring.wire.clock import iso, iso_or_none


class RunJson(msgspec.Struct, rename="camel", kw_only=True):
    """One attempt. What GOLIAT says of its progress proves nothing; `state` and `reason` are the server's judgement.

    `percent` and `etaSeconds` are GOLIAT's, `eta` and `finishAt` the server's; null where nobody can tell.
    """

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
    eta: RangeJson | None
    finish_at: TimesJson | None
    warnings: int
    errors: int
    lines: int
    last_line: str | None
    done_cases: int
    cause: str
    flag: str
    flag_reason: str


class SignJson(msgspec.Struct, rename="camel", kw_only=True):
    """`line`: the number of the log line that told it, where that is known: of warnings and errors the first and the
    last of each text."""

    kind: str
    time: str
    received_at: str
    text: str
    line: int | None


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


class PhaseTimeJson(msgspec.Struct, rename="camel", kw_only=True):
    """A phase (`subtask` null) or a subtask of it: how often it was done, and seconds; `p50` is the median."""

    phase: str
    subtask: str | None
    count: int
    total: float
    mean: float
    min: float
    max: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float


class RunAnswer(msgspec.Struct, rename="camel", kw_only=True):
    run: RunJson
    cases: list[SimulationJson]
    evidence: list[SignJson]
    artifacts: list[ArtifactJson]
    screenshots: list[ScreenshotJson]


def run_json(run: RunSummary, future: Outlook | None = None, now: int = 0) -> RunJson:
    """A run in a list; `future` as of `now`, UTC microseconds."""
    told = future.runs.get(run.id) if future is not None and run.live else None
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
        eta=range_json(told),
        finish_at=finish_json(told, now),
        warnings=run.warnings,
        errors=run.errors,
        lines=run.line_count,
        last_line=run.last_line,
        done_cases=run.done_cases,
        cause=run.cause,
        flag=run.flag,
        flag_reason=run.flag_reason,
    )


def run_answer(detail: RunDetail, future: Outlook, now: int) -> RunAnswer:
    """All of a run but its log; `future` as of `now`, UTC microseconds."""
    return RunAnswer(
        run=run_json(detail.summary, future, now),
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
    return SignJson(
        kind=sign.kind,
        time=iso(sign.sender_at),
        received_at=iso(sign.received_at),
        text=sign.text,
        line=sign.line,
    )


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


def phase_time_json(it: PhaseTime) -> PhaseTimeJson:
    """How long a phase or subtask took."""
    return PhaseTimeJson(
        phase=it.phase, subtask=it.subtask or None, count=it.count, total=round(it.total, 3), mean=round(it.mean, 3),
        min=it.smallest, max=it.largest, p10=it.p10, p25=it.p25, p50=it.p50, p75=it.p75, p90=it.p90,
    )  # fmt: skip


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

"""JSON of super studies and assignments. `status` is an old word in capitals, `state` the product's own."""

from typing import Any

import msgspec

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.states import StudyState, legacy_study
from goliat_monitoring.server.api.time_shapes import (
    AmountJson,
    BriefAmountJson,
    CostJson,
    RangeJson,
    TimesJson,
    brief_cost_json,
    brief_hours_json,
    cost_json,
    eta_note,
    finish_json,
    hours_json,
    range_json,
)
from goliat_monitoring.server.api.worker_shapes import WorkerJson, eta_of, worker_json
from goliat_monitoring.store.read.library import Source
from goliat_monitoring.store.read.studies import AssignmentView, StudyDetail, StudySummary
from goliat_monitoring.store.read.usage import BriefUsage, StudyUsage
from goliat_monitoring.wire.clock import iso, iso_or_none


class AssignmentBrief(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    status: str
    worker_id: str | None


class AssignmentJson(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=False):
    """An assignment. `state` is ASSIGNED while its run has not spoken; `configUrl`: where its config lies as a file.

    `notBefore`: when it is tried again; `ask`: what a person must decide; `replaced`: others ask for what it lacks.
    `eta`: when it will probably be done; before the study's first simulation is done, when GOLIAT says so. `etaRange`
    and `finishAt`: the server's own range. null where nobody can tell, or was not asked (a claim is answered at once).
    """

    id: str
    index: int
    worker_id: str | None
    super_study_id: str
    split_config: dict[str, Any]
    status: str
    progress: float
    current_stage: str | None
    eta: str | None
    eta_range: RangeJson | None
    finish_at: TimesJson | None
    result_data: dict[str, Any] | None
    started_at: str | None
    completed_at: str | None
    created_at: str
    updated_at: str
    worker: WorkerJson | None
    state: str
    weight: float
    requirements: dict[str, Any]
    expected_total: int | None
    attempts: int
    not_before: str | None
    ask: str
    replaced: bool
    run_id: str | None
    run_state: str | None
    reason: str | None
    super_study_name: str
    config_url: str


class StudyHead(msgspec.Struct, rename="camel", kw_only=True):
    """What every answer about a super study begins with. `masterProgress` and `progress`: the same, percent, weighted.

    `eta` and `finishAt`: when all of it is done, with the fleet as it is. `etaNote`: why there is none, or what it
    leaves out.
    `retriesStopped`: why nothing of it is tried again; "" where it is.
    """

    id: str
    name: str
    description: str
    status: str
    total_assignments: int
    completed_assignments: int
    master_progress: float
    progress: float
    eta: RangeJson | None
    finish_at: TimesJson | None
    eta_note: str | None
    created_at: str
    updated_at: str
    base_config_path: str | None
    state: str
    priority: int
    retries_stopped: str
    counts: dict[str, int]


class StudyJson(StudyHead, rename="camel", kw_only=True):
    """A super study in a list. `gpuHours` and `cost` (euro) as with the study itself, but for what was idle."""

    gpu_hours: BriefAmountJson
    cost: BriefAmountJson | None
    assignments: list[AssignmentBrief]


class StudyAnswer(StudyHead, rename="camel", kw_only=True):
    """A super study with its configs and assignments. `split`: how they were made; empty if that was not here.
    `sources`: the files that `baseConfig` was resolved from, the config itself first where its name is known.

    `warnings`: what there is to say about a split that was just made; empty later on.

    `gpuHours`: each worker counts as one GPU. `cost`: null while no worker of the study has a price.
    """

    gpu_hours: AmountJson
    cost: CostJson | None

    base_config: dict[str, Any]
    split: dict[str, Any]
    sources: list[Source]
    assignments: list[AssignmentJson]
    warnings: list[str] = []


def assignment_json(assignment: AssignmentView, future: Outlook | None = None, now: int = 0) -> AssignmentJson:
    """An assignment with its config; the view must have been read with it. `future`: as of `now`, UTC microseconds."""
    run, worker = assignment.run, assignment.worker
    unfinished = future is not None and assignment.state in ("PENDING", "ASSIGNED", "RUNNING")
    told = future.assignments.get(assignment.id) if future is not None and unfinished else None
    finish = finish_json(told, now)
    live, skew = run is not None and run.live, worker.clock_skew if worker is not None else None
    return AssignmentJson(
        id=assignment.id,
        index=assignment.index,
        worker_id=worker.id if worker is not None else None,
        super_study_id=assignment.study_id,
        split_config=assignment.config or {},
        status=assignment_status(assignment.state),
        progress=assignment.progress,
        current_stage=run.stage if run is not None else None,
        eta=finish.p50 if finish is not None else eta_of(run, skew) if run is not None and live else None,
        eta_range=range_json(told),
        finish_at=finish,
        result_data=None,
        started_at=iso_or_none(assignment.started_at),
        completed_at=iso_or_none(assignment.completed_at),
        created_at=iso(assignment.created_at),
        updated_at=iso(assignment.updated_at),
        worker=worker_json(worker) if worker is not None else None,
        state=assignment.state,
        weight=assignment.weight,
        requirements=assignment.requirements,
        expected_total=assignment.expected_total,
        attempts=assignment.attempts,
        not_before=iso_or_none(assignment.not_before),
        ask=assignment.ask,
        replaced=assignment.replaced,
        run_id=run.id if run is not None else None,
        run_state=run.state if run is not None else None,
        reason=run.reason if run is not None else None,
        super_study_name=assignment.study_name,
        config_url=f"/api/assignments/{assignment.id}/config",
    )


def assignment_status(state: str) -> str:
    """The old word: it knows no ASSIGNED."""
    return "RUNNING" if state == "ASSIGNED" else state


def _study_fields(study: StudySummary, future: Outlook, now: int) -> dict[str, Any]:
    told = future.studies.get(study.id)
    eta = told.eta if told is not None else None
    over = study.state in (StudyState.COMPLETED, StudyState.CANCELLED, StudyState.ENDED_WITH_FAILURES)
    return {
        "id": study.id,
        "name": study.name,
        "description": study.description,
        "status": legacy_study(StudyState(study.state)),
        "total_assignments": study.total,
        "completed_assignments": study.completed,
        "master_progress": study.progress,
        "progress": study.progress,
        "eta": None if over else range_json(eta),
        "finish_at": None if over else finish_json(eta, now),
        "eta_note": eta_note(told, over=over, paused=study.paused, failed=study.counts.get("FAILED", 0)),
        "created_at": iso(study.created_at),
        "updated_at": iso(study.updated_at),
        "base_config_path": None,
        "state": study.state,
        "priority": study.priority,
        "retries_stopped": study.retries_stopped,
        "counts": study.counts,
    }


def study_json(
    study: StudySummary, assignments: list[AssignmentBrief], usage: BriefUsage | None, future: Outlook, now: int
) -> StudyJson:
    """A super study in a list; `future` as of `now`, UTC microseconds. `usage`: None before anything was done."""
    return StudyJson(
        **_study_fields(study, future, now),
        gpu_hours=brief_hours_json(usage),
        cost=brief_cost_json(usage),
        assignments=assignments,
    )


def study_answer(
    study: StudyDetail, assignments: list[AssignmentView], usage: StudyUsage, future: Outlook, now: int
) -> StudyAnswer:
    """A whole super study; `future` as of `now`, UTC microseconds."""
    return StudyAnswer(
        **_study_fields(study.summary, future, now),
        gpu_hours=hours_json(usage),
        cost=cost_json(usage),
        base_config=study.base_config,
        split=study.split,
        sources=study.sources,
        assignments=[assignment_json(assignment, future, now) for assignment in assignments],
    )

"""JSON of super studies and assignments. `status` is an old word in capitals, `state` the product's own."""

from typing import Any

import msgspec

from goliat_monitoring.fleet.states import StudyState, legacy_study
from goliat_monitoring.server.api.worker_shapes import WorkerJson, eta_of, worker_json
from goliat_monitoring.store.read.studies import AssignmentView, StudyDetail, StudySummary
from goliat_monitoring.wire.clock import iso, iso_or_none


class AssignmentBrief(msgspec.Struct, rename="camel", kw_only=True):
    id: str
    status: str
    worker_id: str | None


class AssignmentJson(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=False):
    """An assignment. `state` is ASSIGNED while its run has not spoken; `configUrl`: where its config lies as a file.

    `notBefore`: when it is tried again; `ask`: what a person must decide; `replaced`: others ask for what it lacks.
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
    """What every answer about a super study begins with. `masterProgress` in percent, weighted.

    `retriesStopped`: why nothing of it is tried again; "" where it is.
    """

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
    priority: int
    retries_stopped: str
    counts: dict[str, int]


class StudyJson(StudyHead, rename="camel", kw_only=True):
    """A super study in a list."""

    assignments: list[AssignmentBrief]


class StudyAnswer(StudyHead, rename="camel", kw_only=True):
    """A super study with its configs and assignments. `split`: how they were made; empty if that was not here."""

    base_config: dict[str, Any]
    split: dict[str, Any]
    assignments: list[AssignmentJson]


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
        "priority": study.priority,
        "retries_stopped": study.retries_stopped,
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
        split=study.split,
        assignments=[assignment_json(assignment) for assignment in assignments],
    )

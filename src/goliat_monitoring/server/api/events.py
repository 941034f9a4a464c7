"""The record of claims, state changes and people's actions."""

from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter

from goliat_monitoring.server.context import Given
from goliat_monitoring.store.read.events import list_events
from goliat_monitoring.wire.clock import iso


class EventJson(msgspec.Struct, rename="camel", kw_only=True):
    id: int
    at: str
    kind: str
    actor: str
    worker_id: str | None
    super_study_id: str | None
    assignment_id: str | None
    run_id: str | None
    data: dict[str, Any]


@get("/api/events", tags=["Events"])
async def events_list(
    services: Given,
    run_id: Annotated[str | None, QueryParameter(name="runId")] = None,
    worker_id: Annotated[str | None, QueryParameter(name="workerId")] = None,
    assignment_id: Annotated[str | None, QueryParameter(name="assignmentId")] = None,
    super_study_id: Annotated[str | None, QueryParameter(name="superStudyId")] = None,
    before: Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 200,
) -> list[EventJson]:
    """Events about all given subjects, newest first; `before` an id, to page on."""
    found = await services.db.read(
        lambda c: list_events(
            c,
            limit=limit,
            before=before,
            run_id=run_id,
            worker_id=worker_id,
            assignment_id=assignment_id,
            super_study_id=super_study_id,
        )
    )
    return [EventJson(**{**msgspec.structs.asdict(event), "at": iso(event.at)}) for event in found]

"""Super studies: preview, create from a config to split or from ready-made assignments, list, show, delete."""

from functools import partial
from typing import Any

import msgspec
from litestar import Response, delete, get, post
from litestar.background_tasks import BackgroundTask
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy import Connection

from goliat_monitoring.server.api.split_shapes import PreviewWish, StudyWish, demanded
from goliat_monitoring.server.api.study_shapes import (
    AssignmentBrief,
    AssignmentJson,
    StudyAnswer,
    StudyJson,
    assignment_json,
    study_answer,
    study_json,
)
from goliat_monitoring.server.api.time_shapes import HistoryJson, history_json
from goliat_monitoring.server.api.worker_shapes import Success
from goliat_monitoring.server.auth import Principal
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.server.files import disposition
from goliat_monitoring.server.planning import look_at, planned
from goliat_monitoring.server.services import Services
from goliat_monitoring.store import studies
from goliat_monitoring.store.history import points_of
from goliat_monitoring.store.read.studies import (
    AssignmentView,
    StudyDetail,
    StudySummary,
    base_config,
    brief_assignments,
    get_study,
    list_assignments,
    list_studies,
)
from goliat_monitoring.store.read.usage import BriefUsage, StudyUsage, brief_usage, study_usage
from goliat_monitoring.wire.errors import Refused


class NewStudy(StudyWish, rename="camel", kw_only=True):
    """A study to split, or one with its parts ready-made. Key order in configs is kept."""

    name: str
    description: str | None = None


@post("/api/super-studies/preview", status_code=200, tags=["Super studies"])
async def preview_study(services: Given, data: JSONBody[PreviewWish]) -> dict[str, Any]:
    """What a study would be: its assignments, with predicted hours and cost. Nothing is stored."""
    return await look_at(services, data)


@post("/api/super-studies", status_code=200, tags=["Super studies"])
async def create_study(services: Given, principal: Caller, data: JSONBody[NewStudy]) -> StudyAnswer:
    """Create a super study whole or not at all. Answered with the warnings that its preview shows, too."""
    study_id, warnings = await create(services, data, principal.id)
    return msgspec.structs.replace(await whole_study(services, study_id), warnings=warnings)


async def create(services: Services, data: NewStudy, actor: str) -> tuple[str, list[str]]:
    """Create a super study; its id, and what its split warns of. Raises `Refused`."""
    demand = demanded(data.requirements)
    base, made, sources = await planned(services, data)
    study_id = await services.db.write(
        partial(
            studies.create,
            moment=services.moment(),
            name=data.name,
            description=data.description or "",
            base_config=base,
            split_configs=[assignment.config for assignment in made.assignments],
            actor=actor,
            split=msgspec.to_builtins(data.split) if data.split is not None else {},
            sources=sources,
            priority=data.priority,
            requirements=demand,
        )
    )
    return study_id, list(made.warnings)


@get("/api/super-studies", tags=["Super studies"])
async def studies_list(services: Given, name: FromQuery[str | None] = None) -> list[StudyJson]:
    """All super studies, newest first; with `name` the one so called, or none."""

    future, now = await services.outlook(), services.clock()

    def unit(c: Connection) -> list[tuple[StudySummary, list[AssignmentBrief], BriefUsage | None]]:
        found, used = list_studies(c, name=name), brief_usage(c, now, future.studies)
        brief = brief_assignments(c, [study.id for study in found])
        parts = {key: [AssignmentBrief(id=i, status=s, worker_id=w) for i, s, w in rows] for key, rows in brief.items()}
        return [(study, parts.get(study.id, []), used.get(study.id)) for study in found]

    return [study_json(study, parts, used, future, now) for study, parts, used in await services.db.read(unit)]


@get("/api/super-studies/{study_id:str}", tags=["Super studies"])
async def study_detail(services: Given, study_id: FromPath[str]) -> StudyAnswer:
    """A super study with its configs and assignments."""
    return await whole_study(services, study_id)


@get("/api/super-studies/{study_id:str}/assignments", tags=["Super studies"])
async def study_assignments(services: Given, study_id: FromPath[str]) -> list[AssignmentJson]:
    """The assignments of a super study by index."""
    future, now = await services.outlook(), services.clock()
    found = await services.db.read(lambda c: list_assignments(c, now, study_id, with_config=True))
    return [assignment_json(assignment, future, now) for assignment in found]


@get("/api/super-studies/{study_id:str}/config", tags=["Super studies"])
async def base_config_file(services: Given, study_id: FromPath[str]) -> Response[bytes]:
    """The study's base config as a file; its `sha256` is that of the config as it is stored, without the layout."""
    name, text = await services.db.read(partial(base_config, study_id=study_id))
    headers = {"Content-Disposition": disposition(name)}
    return Response(msgspec.json.format(text.encode(), indent=2), media_type="application/json", headers=headers)


@get("/api/super-studies/{study_id:str}/history", tags=["Super studies"])
async def study_history(services: Given, study_id: FromPath[str]) -> HistoryJson:
    """How far the study was, and when it was to be done, about every five minutes of its life; oldest first."""
    return history_json(await services.db.read(lambda c: points_of(c, study_id)))


@delete("/api/super-studies/{study_id:str}", status_code=200, tags=["Super studies"])
async def delete_study(services: Given, principal: Caller, study_id: FromPath[str]) -> Response[Success]:
    """Delete a super study with its runs and results. Not while machines work on it."""
    return await _delete(services, principal, study_id)


@delete("/api/super-studies", status_code=200, tags=["Super studies"])
async def delete_study_by_query(
    services: Given, principal: Caller, id: FromQuery[str | None] = None  # noqa: A002 - the query's name
) -> Response[Success]:  # fmt: skip
    """The same with the id in the query, as the old dashboard asks."""
    if not id:
        raise Refused(400, "id is missing", "send the study's id as ?id=...")
    return await _delete(services, principal, id)


async def _delete(services: Services, principal: Principal, study_id: str) -> Response[Success]:
    moment = services.moment()
    keys = await services.db.write(partial(studies.delete_study, moment=moment, study_id=study_id, actor=principal.id))
    # Files that a crash leaves behind now cost space, no more: nothing names them.
    return Response(
        Success(success=True, message="the super study, its runs and its results were deleted"),
        background=BackgroundTask(services.storage.delete, *keys),
    )


async def whole_study(services: Services, study_id: str) -> StudyAnswer:
    """A super study with its configs and assignments, as it is now. Raises `Refused` 404."""
    future, now = await services.outlook(), services.clock()

    def unit(c: Connection) -> tuple[StudyDetail, list[AssignmentView], StudyUsage]:
        used = study_usage(c, now, study_id, future.studies.get(study_id))
        return get_study(c, study_id), list_assignments(c, now, study_id, with_config=True), used

    return study_answer(*await services.db.read(unit), future, now)

"""Runs: list, evidence, pictures, files, and what a person asks of a live one."""

from functools import partial
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from sqlalchemy import Connection

from goliat_monitoring.server.api.run_shapes import (
    PhaseTimeJson,
    RunAnswer,
    RunJson,
    ScreenshotJson,
    phase_time_json,
    run_answer,
    run_json,
    screenshot_json,
)
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.server.files import file_answer
from goliat_monitoring.store import runs
from goliat_monitoring.store.read.phase_times import phase_times
from goliat_monitoring.store.read.results import get_artifact
from goliat_monitoring.store.read.runs import get_run, list_runs, run_summary
from goliat_monitoring.store.read.screenshots import Screenshot, screenshot, screenshot_history, screenshots_of
from goliat_monitoring.wire.errors import Refused


class Stop(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """`kill`: do not wait for GOLIAT to end by itself."""

    kill: bool = False


class GiveUp(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    reason: str = "a person says so"


@get("/api/runs", tags=["Runs"])
async def runs_list(
    services: Given,
    worker_id: Annotated[str | None, QueryParameter(name="workerId")] = None,
    assignment_id: Annotated[str | None, QueryParameter(name="assignmentId")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 200,
) -> list[RunJson]:
    """Runs, newest first."""
    found = await services.db.read(
        lambda c: list_runs(c, worker_id=worker_id, assignment_id=assignment_id, limit=limit)
    )
    future, now = await services.outlook(), services.clock()
    return [run_json(run, future, now) for run in found]


@get("/api/runs/{run_id:str}", tags=["Runs"])
async def run_detail(services: Given, run_id: FromPath[str]) -> RunAnswer:
    """A run with its simulations, the evidence for each, its files and newest pictures."""
    future, now = await services.outlook(), services.clock()
    return run_answer(await services.db.read(lambda c: get_run(c, run_id)), future, now)


@get("/api/runs/{run_id:str}/timings", tags=["Runs"])
async def run_timings(services: Given, run_id: FromPath[str]) -> list[PhaseTimeJson]:
    """How long GOLIAT's phases and their subtasks took in a run, over all its simulations, as its lines say."""
    found = await services.db.read(lambda c: (run_summary(c, run_id), phase_times(c, run_id))[1])
    return [phase_time_json(one) for one in found]


@get("/api/runs/{run_id:str}/screenshots", tags=["Runs"])
async def run_screenshots(
    services: Given, run_id: FromPath[str], tab: FromQuery[str | None] = None
) -> list[ScreenshotJson]:
    """The newest picture of each tab of GOLIAT's window; with `tab` those kept of this one, oldest first, evenly
    thinned to 500 at most.
    """

    def unit(c: Connection) -> list[Screenshot]:
        run_summary(c, run_id)
        return screenshots_of(c, run_id) if tab is None else screenshot_history(c, run_id, tab)

    return [screenshot_json(one) for one in await services.db.read(unit)]


@get("/api/runs/{run_id:str}/screenshots/{screenshot_id:str}", tags=["Runs"])
async def run_screenshot(services: Given, run_id: FromPath[str], screenshot_id: FromPath[str]) -> Stream:
    """One picture."""
    found = await services.db.read(lambda c: screenshot(c, run_id, screenshot_id))
    return await file_answer(services, found.storage_key, f"{found.id}.jpg", found.size, show=True)


@get("/api/runs/{run_id:str}/artifacts/{artifact_id:str}", tags=["Runs"])
async def run_artifact(
    services: Given, run_id: FromPath[str], artifact_id: FromPath[str], show: FromQuery[bool] = False
) -> Stream:
    """One file of a run as a download; with `show` to look at, in a sandbox without scripts."""
    found = await services.db.read(lambda c: get_artifact(c, artifact_id))
    if found.run_id != run_id:
        raise Refused(404, "no such artifact", f"run {run_id} has none with id {artifact_id}")
    return await file_answer(services, found.storage_key, found.filename, found.size, show=show)


@post("/api/runs/{run_id:str}/stop", status_code=200, tags=["Runs"])
async def stop_run(
    services: Given, principal: Caller, run_id: FromPath[str], data: JSONBody[Stop | None] = None
) -> RunJson:
    """Ask the machine to end a run: GOLIAT's own Stop, or with `kill` at once."""
    moment, directive = services.moment(), "kill" if data is not None and data.kill else "stop"
    await services.db.write(partial(runs.ask, moment=moment, run_id=run_id, directive=directive, actor=principal.id))
    return run_json(await services.db.read(lambda c: run_summary(c, run_id)))


@post("/api/runs/{run_id:str}/cancel", status_code=200, tags=["Runs"])
async def cancel_run(services: Given, principal: Caller, run_id: FromPath[str]) -> RunJson:
    """End a run at once, with all its processes; one whose machine cannot be told is over from now on."""
    moment = services.moment()
    await services.db.write(partial(runs.cancel, moment=moment, run_id=run_id, actor=principal.id))
    return run_json(await services.db.read(lambda c: run_summary(c, run_id)))


@post("/api/runs/{run_id:str}/give-up", status_code=200, tags=["Runs"])
async def give_up_run(
    services: Given, principal: Caller, run_id: FromPath[str], data: JSONBody[GiveUp | None] = None
) -> RunJson:
    """Say that a run is lost, so that its assignment can go to another machine."""
    moment, reason = services.moment(), (data or GiveUp()).reason
    await services.db.write(partial(runs.give_up, moment=moment, run_id=run_id, reason=reason, actor=principal.id))
    return run_json(await services.db.read(lambda c: run_summary(c, run_id)))

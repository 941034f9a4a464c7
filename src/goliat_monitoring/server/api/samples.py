"""How a run's progress, its forecast and its machine's vitals were, as columns for a plot."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter
from sqlalchemy import Connection

from goliat_monitoring.server.api.workers import the_only
from goliat_monitoring.server.context import Given
from goliat_monitoring.store.read.runs import run_summary
from goliat_monitoring.store.read.samples import Columns, Kind, read_samples
from goliat_monitoring.store.read.workers import find_workers
from goliat_monitoring.wire.clock import EPOCH, SECOND
from goliat_monitoring.wire.errors import Refused

Points = Annotated[int, QueryParameter(ge=1, le=5000)]


class SamplesAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """Points in order of time. `step`: seconds a point stands for; 0: each is one sample as it came.

    `times`: where each begins, unix seconds by the sender's clock, as plots take them. `values`: name to a value a
    point, of numbers the mean, of texts the last, null where there is none. `smallest`, `largest`: the same of numbers
    where a point stands for several samples.
    """

    run_id: str | None
    kind: str
    step: int
    times: list[float]
    values: dict[str, list[float | str | None]]
    smallest: dict[str, list[float | None]]
    largest: dict[str, list[float | None]]


@get("/api/runs/{run_id:str}/samples", tags=["Runs"])
async def run_samples(
    services: Given,
    run_id: FromPath[str],
    kind: FromQuery[Kind] = "progress",
    since: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
    points: Points = 500,
) -> SamplesAnswer:
    """The history of a run from `since` up to `until` (ISO 8601, by the sender's clock), as at most `points` points.

    `progress`: percent, stage, stage_percent, sim_index, sim_total, eta_seconds, solver_percent, mcells_per_s.
    `vitals` of its machine: cpu, ram, gpu, vram in percent, gpu_temp in C, disk_read and disk_write in MB/s,
    disk_free in bytes, page_faults a second. `forecast`: p10, p50, p90, the seconds that it was to take from then on;
    its end is the time plus these.
    """
    begin, end = micros_of(since, "since"), micros_of(until, "until")
    found = await services.db.read(lambda c: read_samples(c, run_id, kind, since=begin, until=end, points=points))
    return _answer(run_id, kind, found)


@get("/api/workers/{key:str}/samples", tags=["Workers"])
async def worker_samples(
    services: Given,
    key: FromPath[str],
    run_id: Annotated[str | None, QueryParameter(name="runId")] = None,
    kind: FromQuery[Kind] = "vitals",
    since: FromQuery[str | None] = None,
    until: FromQuery[str | None] = None,
    points: Points = 500,
) -> SamplesAnswer:
    """The same of a worker's newest run, or of its run `runId`. Empty for a worker that never had one."""
    begin, end, now = micros_of(since, "since"), micros_of(until, "until"), services.clock()

    def unit(c: Connection) -> tuple[str | None, Columns]:
        worker = the_only(find_workers(c, now, key), key)
        if run_id is not None and run_summary(c, run_id).worker_id != worker.id:
            raise Refused(404, "no such run of this worker", f"run {run_id} is another worker's")
        wanted = run_id or (worker.run.id if worker.run is not None else None)
        if wanted is None:
            return None, Columns(step=0, times=[], values={}, smallest={}, largest={})
        return wanted, read_samples(c, wanted, kind, since=begin, until=end, points=points)

    found_of, found = await services.db.read(unit)
    return _answer(found_of, kind, found)


def micros_of(text: str | None, name: str) -> int | None:
    """UTC microseconds of an ISO 8601 text; without an offset it is UTC. Raises `Refused` 400 that names `name`."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "the request has the wrong form", f"{name}={text!r}: ISO 8601 is needed") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    span = moment - EPOCH
    return (span.days * 86_400 + span.seconds) * SECOND + span.microseconds


def _answer(run_id: str | None, kind: str, found: Columns) -> SamplesAnswer:
    return SamplesAnswer(
        run_id=run_id,
        kind=kind,
        step=found.step,
        times=[at / SECOND for at in found.times],
        values=found.values,
        smallest=found.smallest,
        largest=found.largest,
    )

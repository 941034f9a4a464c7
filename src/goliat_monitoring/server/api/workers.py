"""The fleet: list, one worker with the end of its log, rename, pause, remove."""

from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy import Connection

from goliat_monitoring.server.api.worker_shapes import (
    GuiStateJson,
    ListedWorkerJson,
    Success,
    WorkerAnswer,
    WorkerJson,
    gui_state_json,
    listed_worker_json,
    worker_json,
)
from goliat_monitoring.server.context import Caller, ClientIp, Given
from goliat_monitoring.server.services import Services
from goliat_monitoring.store import retries, workers
from goliat_monitoring.store.read.log_pieces import Load
from goliat_monitoring.store.read.logs import newest_lines
from goliat_monitoring.store.read.workers import WorkerView, find_workers, get_worker, list_briefly
from goliat_monitoring.store.workers import Asked
from goliat_monitoring.wire.errors import Refused

# As many lines of the log as the old answer holds.
NEWEST_LINES = 500


class Register(msgspec.Struct, rename="camel", kw_only=True):
    """Names a machine by the machine id of its client."""

    ip_address: str = ""
    machine_id: str = ""
    hostname: str | None = None
    machine_label: str | None = None


class Change(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change. `wish`: paused and draining workers claim nothing new; a stopping one also ends its agent when
    the run at hand is delivered. `pricePerHour`: euro; null forgets it."""

    label: str | None = None
    wish: Literal["active", "paused", "draining", "stopping"] | None = None
    price_per_hour: float | msgspec.UnsetType | None = msgspec.UNSET


class AskAll(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What is asked of many workers together. `force`: also remove those that hold a run, which is then lost."""

    workers: Annotated[list[str], msgspec.Meta(min_length=1, max_length=1000)]
    wish: Asked
    force: bool = False


class AskedAll(msgspec.Struct, rename="camel"):
    """Ids of the workers of which that was not asked before."""

    changed: list[str]


class TakeBack(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """For which study."""

    study_id: str


@get("/api/workers", tags=["Workers"])
async def workers_list(
    services: Given, include_stale: Annotated[bool, QueryParameter(name="includeStale")] = False
) -> Response[list[ListedWorkerJson]]:
    """All workers, newest seen first; with `includeStale` also those that were removed."""
    now = services.clock()

    def unit(c: Connection) -> bytes:
        found = list_briefly(c, now, with_removed=include_stale)
        return msgspec.json.encode([listed_worker_json(worker) for worker in found])

    # Of a thousand workers that takes a while, in which the event loop has messages to answer.
    body: Any = await services.db.read(unit)
    return Response(body, media_type="application/json")


@post("/api/workers", status_code=200, tags=["Workers"])
async def register(services: Given, client_ip: ClientIp, data: JSONBody[Register]) -> WorkerJson:
    """Register a machine before it speaks, or rename it."""
    moment, machine_id = services.moment(), data.ip_address or data.machine_id
    if not machine_id:
        raise Refused(400, "ipAddress is missing", "send the machine's id as `ipAddress`")
    worker_id = await services.db.write(
        partial(
            workers.register,
            moment=moment,
            machine_id=machine_id,
            hostname=data.hostname,
            label=data.machine_label,
            ip=client_ip,
        )
    )
    return worker_json(await services.db.read(lambda c: get_worker(c, moment.now, worker_id)))


@post("/api/workers/wish", status_code=200, tags=["Workers"])
async def ask_all(services: Given, principal: Caller, data: JSONBody[AskAll]) -> AskedAll:
    """Pause, drain, resume (`active`) or remove many workers: all of them or, where one cannot be, none. The same
    again changes nothing."""
    moment = services.moment()
    return AskedAll(
        await services.db.write(
            partial(
                workers.ask_all,
                moment=moment,
                worker_ids=data.workers,
                asked=data.wish,
                force=data.force,
                actor=principal.id,
            )
        )
    )


@get("/api/workers/{key:str}", tags=["Workers"])
async def worker_detail(services: Given, key: FromPath[str]) -> WorkerAnswer:
    """A worker by its id, machine id, address or name, with the newest 500 lines of its newest run. With several
    matches: the newest live one, and the ids of the others in `ambiguous`.
    """
    now = services.clock()

    def unit(c: Connection) -> tuple[list[WorkerView], GuiStateJson | None]:
        found = find_workers(c, now, key)
        return found, gui_state(c, services.storage.read_part, found[0]) if found else None

    found, state = await services.db.read(unit)
    if not found:
        raise unknown(key)
    others = [worker.id for worker in found[1:]]
    ambiguous = list(dict.fromkeys([*found[0].ambiguous, *others]))
    return WorkerAnswer(worker=worker_json(found[0]), gui_state=state, ambiguous=ambiguous)


@patch("/api/workers/{key:str}", tags=["Workers"])
async def change_worker(services: Given, principal: Caller, key: FromPath[str], data: JSONBody[Change]) -> WorkerJson:
    """Rename a worker, say whether it may claim work, or what an hour of it costs."""
    moment = services.moment()
    price = data.price_per_hour
    if data.label is None and data.wish is None and price is msgspec.UNSET:
        raise Refused(400, "nothing to change", "send `label`, `wish` or `pricePerHour`")
    worker_id = (await _named(services, key)).id
    changes = [partial(workers.rename, label=data.label)] if data.label is not None else []
    changes += [partial(workers.set_wish, wish=data.wish)] if data.wish is not None else []
    changes += [partial(workers.set_price, price=price)] if price is not msgspec.UNSET else []
    await services.db.write(
        partial(workers.change, moment=moment, worker_id=worker_id, actor=principal.id, changes=changes)
    )
    return worker_json(await services.db.read(lambda c: get_worker(c, moment.now, worker_id)))


@post("/api/workers/{key:str}/take-back", status_code=200, tags=["Workers"])
async def take_back(services: Given, principal: Caller, key: FromPath[str], data: JSONBody[TakeBack]) -> WorkerJson:
    """Give a worker that was set aside for a study work of it again; its earlier failures count no more."""
    moment = services.moment()
    worker = await _named(services, key)
    lift = partial(retries.lift, moment=moment, study_id=data.study_id, worker_id=worker.id, actor=principal.id)
    if not await services.db.write(lift):
        raise Refused(409, "this worker is not set aside", f"{worker.name} gets work of that study")
    return worker_json(await services.db.read(lambda c: get_worker(c, moment.now, worker.id)))


@delete("/api/workers/{key:str}", status_code=200, tags=["Workers"])
async def remove_worker(
    services: Given, principal: Caller, key: FromPath[str], force: FromQuery[bool] = False
) -> Success:
    """Take a worker off the list; its finished work stays. With a live run only with `force`: that run is then lost."""
    moment, worker = services.moment(), await _named(services, key)
    await services.db.write(
        partial(workers.remove, moment=moment, worker_id=worker.id, force=force, actor=principal.id)
    )
    return Success(success=True, message=f"{worker.name} was removed; its finished work stays")


def gui_state(connection: Connection, load: Load, worker: WorkerView) -> GuiStateJson | None:
    """A worker's newest run with the end of its log; None without a run."""
    if worker.run is None:
        return None
    return gui_state_json(worker, worker.run, newest_lines(connection, worker.run.id, load, NEWEST_LINES))


async def _named(services: Services, key: str) -> WorkerView:
    now = services.clock()
    return the_only(await services.db.read(lambda c: find_workers(c, now, key)), key)


def the_only(found: list[WorkerView], key: str) -> WorkerView:
    """The worker that `key` names. A change never guesses: raises `Refused` 404 for none, 409 for several."""
    if not found:
        raise unknown(key)
    if len(found) > 1:
        ids = [worker.id for worker in found]
        raise Refused(409, f"{key!r} names {len(found)} workers", "use the id of one of them", {"ambiguous": ids})
    return found[0]


def unknown(key: str) -> Refused:
    """The refusal of a name that no worker has."""
    return Refused(404, "no such worker", f"{key!r:.80} is no id, machine id, address or name of a worker")

"""Heartbeats of bare clients, and what the old dashboard asked about a machine by its address."""

from functools import partial
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from sqlalchemy import Connection

from goliat_monitoring.server.api.study_shapes import AssignmentJson, assignment_json
from goliat_monitoring.server.api.worker_shapes import GuiStateJson, WorkerJson, worker_json
from goliat_monitoring.server.api.workers import gui_state
from goliat_monitoring.server.context import ClientIp, Given
from goliat_monitoring.store import workers
from goliat_monitoring.store.read.runs import list_runs
from goliat_monitoring.store.read.studies import AssignmentView, get_assignment
from goliat_monitoring.store.read.workers import WorkerView, get_worker
from goliat_monitoring.wire.client import Heartbeat
from goliat_monitoring.wire.clock import iso
from goliat_monitoring.wire.errors import Refused


class HeardJson(msgspec.Struct, rename="camel", kw_only=True):
    success: bool
    timestamp: str


class MachineAnswer(WorkerJson, rename="camel", kw_only=True):
    gui_state: GuiStateJson | None
    assignments: list[AssignmentJson]
    is_offline: bool


@post("/api/heartbeat", status_code=200, tags=["GOLIAT"])
async def heartbeat(services: Given, client_ip: ClientIp, data: JSONBody[Heartbeat]) -> HeardJson:
    """A machine says that it lives and what it is."""
    moment = services.moment()
    await services.db.write(partial(workers.hear_heartbeat, moment=moment, beat=data, ip=client_ip))
    return HeardJson(success=True, timestamp=iso(moment.now))


@get("/api/heartbeat", tags=["Workers"])
async def machine(
    services: Given, ip_address: Annotated[str | None, QueryParameter(name="ipAddress")] = None
) -> MachineAnswer:
    """The machine with this machine id or address, its newest run and the assignments it runs."""
    if not ip_address:
        raise Refused(400, "ipAddress is missing", "ask as GET /api/heartbeat?ipAddress=...")
    now = services.clock()

    def unit(c: Connection) -> tuple[WorkerView, GuiStateJson | None, list[AssignmentView]]:
        worker = get_worker(c, now, ip_address)
        held = [run.assignment_id for run in list_runs(c, worker_id=worker.id, limit=20) if run.live]
        return (
            worker,
            gui_state(c, services.storage.read_part, worker),
            [get_assignment(c, now, key) for key in held if key is not None],
        )

    worker, state, held = await services.db.read(unit)
    return MachineAnswer(
        **msgspec.structs.asdict(worker_json(worker)),
        gui_state=state,
        assignments=[assignment_json(assignment) for assignment in held],
        is_offline=worker.presence == "offline",
    )

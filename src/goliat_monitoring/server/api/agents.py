"""The agent's side of the server: `wire.agent` over HTTP."""

import time
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, post, put
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody

from goliat_monitoring.server.api.waiting import Departure, wait_for
from goliat_monitoring.server.claiming import LONGEST_WAIT_S, take_claim
from goliat_monitoring.server.context import Caller, ClientIp, Given
from goliat_monitoring.server.hot import FENCE, agent_id, take_batch
from goliat_monitoring.server.uploads import FILE_LIMIT, SCREENSHOT_LIMIT, read_file
from goliat_monitoring.store import admission, agents, credentials, uploads
from goliat_monitoring.store.beats import AgentBeat, beat_together
from goliat_monitoring.study.paths import PathProblem, clean_file_name, clean_relative_path
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND, iso
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

Fence = Annotated[str | None, HeaderParameter(name=FENCE)]
LONGEST_LIFETIME_H = 24 * 30


class NewToken(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """How long the token may be used, hours."""

    hours: float = 24.0


class TokenAnswer(msgspec.Struct, rename="camel"):
    """`token` is shown this once."""

    token: str
    expires_at: str


@post("/api/enrolment-tokens", status_code=200, tags=["Agents"])
async def make_token(services: Given, principal: Caller, data: JSONBody[NewToken | None] = None) -> TokenAnswer:
    """Make a token with which one machine may enrol, once."""
    moment, hours = services.moment(), (data or NewToken()).hours
    if not 0 < hours <= LONGEST_LIFETIME_H:
        raise Refused(400, "bad lifetime", f"hours must lie between 0 and {LONGEST_LIFETIME_H}")
    lifetime = round(hours * 3600 * SECOND)
    token, expires_at = await services.db.write(
        partial(credentials.make_enrolment, moment=moment, lifetime=lifetime, actor=principal.id)
    )
    return TokenAnswer(token, iso(expires_at))


@post("/api/agent/v1/enrol", status_code=200, tags=["Agents"])
async def enrol(services: Given, principal: Caller, client_ip: ClientIp, data: JSONBody[wire.Enrol]) -> wire.Enrolled:
    """A machine gets its identity and its credential."""
    token_id = None
    if principal.kind == "enrolment":
        token_id = principal.credential_id
        # A token makes a new machine. Taking over a known one needs more: its old credential would end.
        data.worker_id = None
    elif principal.kind == "agent" and data.worker_id != principal.worker_id:
        raise Refused(403, "an agent can enrol only itself again", "leave out its credential to enrol another")
    return await services.db.write(
        partial(agents.enrol, moment=services.moment(), asked=data, ip=client_ip, token_id=token_id)
    )


@post("/api/agent/v1/session", status_code=200, tags=["Agents"])
async def session(
    services: Given, principal: Caller, client_ip: ClientIp, data: JSONBody[wire.OpenSession]
) -> wire.SessionOpened:
    """An agent starts."""
    worker_id, moment = agent_id(principal), services.moment()
    return await services.db.write(
        partial(agents.open_session, moment=moment, worker_id=worker_id, asked=data, ip=client_ip)
    )


@post("/api/agent/v1/session/end", status_code=200, tags=["Agents"])
async def end_session(
    services: Given, principal: Caller, client_ip: ClientIp, data: JSONBody[wire.EndSession]
) -> wire.Accepted:
    """An agent ends itself and leaves no run behind."""
    worker_id, moment = agent_id(principal), services.moment()
    return await services.db.write(
        partial(agents.end_session, moment=moment, worker_id=worker_id, said=data, ip=client_ip)
    )


@post("/api/agent/v1/heartbeat", status_code=200, tags=["Agents"])
async def heartbeat(
    services: Given, principal: Caller, client_ip: ClientIp, data: JSONBody[wire.Beat], fence: Fence = None
) -> wire.BeatReply:
    """An agent lives; with a run its lease is renewed. 409 `fenced`: the run is another's now."""
    worker_id, moment = agent_id(principal), services.moment()
    return await services.db.write_together(beat_together, AgentBeat(moment, worker_id, fence, data, client_ip))


@post("/api/agent/v1/claim", status_code=200, tags=["Agents"])
async def claim(
    request: Request[Any, Any, Any], services: Given, principal: Caller, data: JSONBody[wire.Claim]
) -> wire.Claimed:
    """Ask for work; held open up to `waitS` seconds while there is none. In the server a faster path answers this."""
    return await take_claim(services, agent_id(principal), data, request.receive)


@post("/api/agent/v1/orders", status_code=200, tags=["Agents"])
async def orders(
    request: Request[Any, Any, Any],
    services: Given,
    principal: Caller,
    data: JSONBody[wire.Listen],
    fence: Fence = None,
) -> wire.Orders:
    """What people ask of an agent and of its run, as soon as it is another than the agent knows; held open up to
    `waitS` seconds. 409 `fenced`: the run is over or another's."""
    worker_id = agent_id(principal)
    ends = time.monotonic() + min(max(data.wait_s, 0.0), LONGEST_WAIT_S)
    async with Departure(request.receive) as departure:
        while True:
            stamp = services.hub.stamp()
            found = await services.db.read(lambda c: agents.orders(c, worker_id, fence, data))
            rest = ends - time.monotonic()
            if rest <= 0 or (found.directive, found.wish) != (data.directive, data.wish):
                return found
            await wait_for(services.hub, f"directive:{worker_id}", stamp, rest, departure)


@post("/api/agent/v1/runs/{run_id:str}/batch", status_code=200, tags=["Agents"])
async def batch(
    services: Given, principal: Caller, run_id: FromPath[str], data: JSONBody[wire.Batch], fence: Fence = None
) -> wire.Accepted:
    """What an agent relays, exactly once. In the server a faster path answers this."""
    return await take_batch(services, agent_id(principal), run_id, fence, data)


@put("/api/agent/v1/runs/{run_id:str}/artifacts", status_code=200, tags=["Agents"], request_max_body_size=None)
async def artifact(
    request: Request[Any, Any, Any],
    services: Given,
    principal: Caller,
    run_id: FromPath[str],
    path: FromQuery[str],
    name: FromQuery[str],
    sha256: FromQuery[str] = "",
    cached: FromQuery[bool] = False,  # noqa: ARG001 - what the file proves is in the log
    fence: Fence = None,
) -> wire.Stored:
    """One result file as the raw body. The bytes of the newest version again are no new one."""
    worker_id = agent_id(principal)
    try:
        folder, filename = clean_relative_path(path), clean_file_name(name)
    except PathProblem as problem:
        raise Refused(400, "the path or the file name cannot be stored", str(problem)) from None
    await services.db.read(lambda c: admission.admit(c, worker_id, run_id, fence))
    spool = await read_file(request.stream(), services.storage, FILE_LIMIT)
    key = f"artifacts/{run_id}/{new_id()}"
    try:
        await services.storage.keep(spool, key)
    finally:
        spool.discard()
    if sha256 and spool.sha256 != sha256.lower():
        await services.storage.delete(key)
        raise Refused(400, "the file arrived damaged", f"sha256 is {spool.sha256}, {sha256} was announced")
    moment, file = services.moment(), uploads.StoredFile(filename, spool.size, spool.sha256, key)
    deliver = partial(
        uploads.deliver,
        moment=moment,
        worker_id=worker_id,
        run_id=run_id,
        fence=fence,
        relative_path=folder,
        file=file,
    )
    try:
        kept, kept_key = await services.db.write(deliver)
    except Exception:
        await services.storage.delete(key)
        raise
    if kept_key != key:
        await services.storage.delete(key)
    return kept


@put("/api/agent/v1/runs/{run_id:str}/screenshots", status_code=200, tags=["Agents"], request_max_body_size=None)
async def screenshot(
    request: Request[Any, Any, Any],
    services: Given,
    principal: Caller,
    run_id: FromPath[str],
    tab: FromQuery[str],
    at: FromQuery[int | None] = None,
    fence: Fence = None,
) -> wire.Accepted:
    """One picture of a tab of GOLIAT's window as the raw body. `at`: the sender's clock, UTC microseconds."""
    worker_id = agent_id(principal)
    await services.db.read(lambda c: admission.admit(c, worker_id, run_id, fence))
    spool = await read_file(request.stream(), services.storage, SCREENSHOT_LIMIT)
    key = f"screenshots/{run_id}/{new_id()}"
    try:
        await services.storage.keep(spool, key, durable=False)
    finally:
        spool.discard()
    moment, file = services.moment(), uploads.StoredFile(tab, spool.size, spool.sha256, key)
    await services.db.write(partial(uploads.add_screenshot, moment=moment, run_id=run_id, at=at, file=file))
    return wire.Accepted()


@post("/api/agent/v1/runs/{run_id:str}/end", status_code=200, tags=["Agents"])
async def end(
    services: Given, principal: Caller, run_id: FromPath[str], data: JSONBody[wire.End], fence: Fence = None
) -> wire.Ended:
    """How the process ended, after everything was delivered. Answered with the server's judgement."""
    worker_id, moment = agent_id(principal), services.moment()
    return await services.db.write(
        partial(agents.end, moment=moment, worker_id=worker_id, run_id=run_id, fence=fence, said=data)
    )

"""The calls that come often or all at once, as one raw ASGI handler: GOLIAT's GUI updates, agents' batches and claims.

They are documented with the other routes in `api`, which call the same functions; this only skips the framework.
"""

import re
from typing import Any, Protocol

import msgspec

from goliat_monitoring.server.auth import Principal
from goliat_monitoring.server.body import Headers
from goliat_monitoring.server.claiming import take_claim
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.ingest.bare import gui_message
from goliat_monitoring.store.ingest.batches import agent_batch
from goliat_monitoring.store.ingest.hear import hear
from goliat_monitoring.store.ingest.posts import BatchPost, GuiPost, hear_posts
from goliat_monitoring.wire.agent import FENCE_HEADER, Accepted, Batch, Claim
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.decode import decode
from goliat_monitoring.wire.errors import Refused

GUI_UPDATE = "/api/gui-update"
CLAIM = "/api/agent/v1/claim"
BATCH = re.compile(r"/api/agent/v1/runs/([^/]+)/batch")
FENCE = FENCE_HEADER.lower()


class Receiving(Protocol):
    """A request that is being read."""

    async def body(self, headers: Headers) -> bytes:
        """All of its body. Raises `Refused` 413, 400."""

    async def receive(self) -> Any:
        """The next message of it."""


_claims = msgspec.json.Decoder(Claim)
_encode = msgspec.json.Encoder().encode
_DONE = b'{"success":true}'


def is_hot(path: str) -> bool:
    """Whether a POST to `path` is answered here."""
    if path == GUI_UPDATE:
        return True
    path = path.rstrip("/")
    return path in (GUI_UPDATE, CLAIM) or BATCH.fullmatch(path) is not None


async def answer_hot(
    services: Services, principal: Principal, path: str, headers: Headers, client_ip: str, call: Receiving
) -> bytes:
    """The JSON to answer a POST to `path` with, of which `is_hot` is true. Raises what refuses it."""
    body = await call.body(headers)
    path = path.rstrip("/")
    if path == GUI_UPDATE:
        await services.db.write_together(hear_posts, GuiPost(body, services.clock(), services.windows, client_ip))
        return _DONE
    if path == CLAIM:
        return _encode(await take_claim(services, agent_id(principal), decode(body, _claims), call.receive))
    found = BATCH.fullmatch(path)
    assert found is not None  # noqa: S101 - it is hot
    worker_id, run_id = agent_id(principal), found.group(1)
    fence = headers.get(FENCE, "") or None
    post = BatchPost(body, services.clock(), services.windows, worker_id, run_id, fence)
    return _encode(await services.db.write_together(hear_posts, post))


async def hear_gui_update(services: Services, said: GuiUpdate, client_ip: str) -> None:
    """Apply one GUI update; returns when it is committed."""
    await services.db.write_together(hear, gui_message(said, services.moment(), client_ip))


async def take_batch(services: Services, worker_id: str, run_id: str, fence: str | None, said: Batch) -> Accepted:
    """Apply one batch of an agent; returns when it is committed."""
    batch = agent_batch(services.moment(), worker_id, run_id, fence, said)
    answer = await services.db.write_together(hear, batch)
    assert isinstance(answer, Accepted)  # noqa: S101 - what a batch is answered
    return answer


def agent_id(principal: Principal) -> str:
    """The worker that calls. Raises `Refused` 401 for anybody but an agent."""
    if principal.kind != "agent":
        raise Refused(401, "an agent's credential is needed", "enrol first: POST /api/agent/v1/enrol")
    return principal.worker_id

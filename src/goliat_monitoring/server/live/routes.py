"""GET /live: one stream of server-sent events per open page. It says what changed; the page fetches it.

retry: 3211                         when to try again, with jitter
event: hello                        data: {"build": "…", "now": "…Z"}; another build: the page reloads itself
event: run                          data: {"topics": ["run:…"]}; also server, fleet, worker, studies, study, log,
                                    settings
event: refresh                      something was missed: fetch everything once
: still here                        every 15 s
"""

import random
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated, Any

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, HeaderParameter
from litestar.response import Stream

from goliat_monitoring.server.live.budget import Budget
from goliat_monitoring.server.live.hub import MOST_TOPICS, Change, Crowded, Hub
from goliat_monitoring.server.pages.assets import BUILD
from goliat_monitoring.server.services import Services
from goliat_monitoring.wire.clock import iso
from goliat_monitoring.wire.errors import Refused

KINDS = frozenset({"server", "fleet", "worker", "studies", "study", "run", "log", "settings"})
WITHOUT_ID = frozenset({"server", "fleet", "studies", "settings"})
# A stream ends after this long and its page takes up where it stopped. So nothing that a proxy or
# a vanished client lets pile up can grow for ever.
LIFE = 900.0


def live_routes() -> list[HTTPRouteHandler]:
    """The handlers of this module."""
    return [live]


def topics_of(text: str) -> frozenset[str]:
    """The topics named in a query, checked: refused rather than silently never told of."""
    topics = frozenset(part for part in text.split(",") if part)
    if not topics or len(topics) > MOST_TOPICS:
        raise Refused(400, "bad topics", f"name 1 to {MOST_TOPICS} topics, separated by commas")
    for topic in topics:
        kind, _, key = topic.partition(":")
        if kind not in KINDS or (kind in WITHOUT_ID) != (key == "") or len(key) > 200:
            raise Refused(400, "unknown topic", f"use one of {', '.join(sorted(KINDS))}, with :ID where it has one")
    return topics


@get("/live", include_in_schema=False)
async def live(
    request: Request[Any, Any, Any],
    topics: FromQuery[str],
    since: FromQuery[str | None] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> Stream:
    """Open a stream for `topics`, from `since` (a stamp the page was rendered at) or the last event it saw."""
    services: Services = request.app.state.services
    hub = services.hub
    wanted = topics_of(topics)
    if hub.crowded:
        raise Refused(503, "too many live pages are open", "close some, or read without live updates")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    text = stream_text(hub, wanted, last_event_id or since or hub.stamp(), services.fragments.budget)
    return Stream(text, media_type="text/event-stream", headers=headers)


async def stream_text(
    hub: Hub, topics: frozenset[str], since: str, budget: Budget, life: float = LIFE
) -> AsyncIterator[bytes]:
    """The text of one stream."""

    def turn(kind: str) -> float:
        # New lines are few and small, whatever else their page shows; and what is wrong with the server does not wait.
        return 0.0 if kind in ("log", "server") else budget.turn()

    hello = msgspec.json.encode({"build": BUILD, "now": iso(time.time_ns() // 1000)}).decode()
    # Spread, so that a thousand pages do not all come back in the same second after a restart.
    yield f"retry: {random.randint(2000, 5000)}\nevent: hello\ndata: {hello}\n\n".encode()  # noqa: S311 - no secret
    ends = time.monotonic() + life
    with suppress(Crowded):
        async with aclosing(hub.subscribe(topics, since, turn=turn)) as stream:
            async for changes in stream:
                yield b"".join(map(event_text, changes)) if changes else b": still here\n\n"
                if time.monotonic() > ends:
                    return


def event_text(change: Change) -> bytes:
    """One event on the wire."""
    data = msgspec.json.encode({"topics": change.topics}).decode()
    return f"id: {change.stamp}\nevent: {change.kind}\ndata: {data}\n\n".encode()

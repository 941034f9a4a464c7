"""Holding a call open until something changes, its time is over, or the one who asked is gone."""

import asyncio
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Self

from goliat_monitoring.server.live.hub import Crowded, Hub
from goliat_monitoring.wire.errors import Refused

# Whoever waits also looks by himself: what he waits for may be true without a commit that tells.
LOOK_AGAIN_S = 5.0


class Departure:
    """Notices that the client of a call went away. Its body must have been read."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return

    @property
    def happened(self) -> bool:
        """Whether the client is gone."""
        return self._task is not None and self._task.done()

    async def during(self, seconds: float) -> None:
        """Return when the client goes away, or after `seconds`."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)


async def wait_for(hub: Hub, topic: str, since: str, seconds: float, departure: Departure) -> None:
    """Return when `topic` changed after `since`, or after at most `seconds`. Raises `Refused` when the client left: a
    grant that nobody hears of would keep the work from others.
    """
    seconds = min(seconds, LOOK_AGAIN_S)

    async def change() -> bool:
        """False when the hub closed: the server is going down."""
        try:
            async with aclosing(hub.subscribe({topic}, since, pause=seconds)) as changes:
                async for _ in changes:
                    return True
        except Crowded:
            if hub.crowded:
                await asyncio.sleep(seconds)
                return True
        return False

    waiting = asyncio.create_task(change())
    gone = asyncio.create_task(departure.during(seconds))
    try:
        await asyncio.wait({waiting, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        closed = waiting.done() and not waiting.result()
    finally:
        for task in (waiting, gone):
            task.cancel()
        await asyncio.gather(waiting, gone, return_exceptions=True)
    if departure.happened:
        raise Refused(400, "the request ended early", "the sender closed the connection")
    if closed:
        raise Refused(503, "the server is shutting down", "try again in a few seconds")

"""The background task that learns from finished simulations and keeps the history of each study's ETA."""

import asyncio
from contextlib import suppress

import structlog

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import history, timings
from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()

EVERY_S = 30.0


async def record(services: Services) -> None:
    """Learn what there is to learn, then note what is due."""
    while await services.db.write(lambda c: timings.learn(c, services.moment())) == timings.AT_ONCE:
        pass
    future = await services.outlook()
    await services.db.write(lambda c: history.record(c, services.moment(), future))


class Recorder:
    """Records until stopped. A failure is logged and tried again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="recorder")

    async def stop(self) -> None:
        """End after what is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await record(self._services)
            except Refused as refusal:
                log.warning("recording put off", reason=refusal.error)
            except Exception as problem:
                log.error("recording failed", exc_info=problem)

"""The background task that seals logs: it packs in a reader's thread, and the writer only swaps rows for chunks."""

import asyncio
from contextlib import suppress
from functools import partial

import structlog

from goliat_monitoring.server.services import Services
from goliat_monitoring.store.log import seal
from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()

# Between two looks, seconds. A busy run fills a chunk in some seconds; a longer tail costs space, nothing else.
PAUSE_S = 5.0


class Sealer:
    """Seals until stopped. What fails is logged and tried again at the next look."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="sealer")

    async def stop(self) -> None:
        """End; a step under way may be lost, which does no harm."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Seal what is due now."""
        db, moment = self._services.db, self._services.moment()
        for candidate in await db.read(partial(seal.candidates, moment=moment)):
            with suppress(seal.Overtaken):
                while parcel := await db.read(partial(seal.prepare, moment=moment, candidate=candidate)):
                    await db.write(partial(seal.put, parcel=parcel))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                await self.look()
            except Refused as refusal:
                log.warning("sealing put off", reason=refusal.error)
            except Exception as problem:
                log.error("sealing failed", exc_info=problem)

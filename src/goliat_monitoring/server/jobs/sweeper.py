"""The background task that lets time pass: windows close, runs are judged, leases end."""

import asyncio
import time
from contextlib import suppress
from functools import partial

import structlog

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import stalls, sweep
from goliat_monitoring.store.health import prove
from goliat_monitoring.store.log import window
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()

# The two clocks may drift apart by this much between two sweeps, seconds. More is a jump, or the machine slept.
JUMP_S = 10.0
# A stall lasts for minutes: no need to look each time.
LOOK_AFTER_S = 15.0


class Sweeper:
    """Sweeps until stopped. A failed sweep is logged and tried again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """End after the sweep that is under way."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        interval = self._services.settings.sweep_interval_s
        wall, steady = self._services.clock(), time.monotonic()
        looked = steady
        while True:
            await asyncio.sleep(interval)
            drift = (self._services.clock() - wall) / SECOND - (time.monotonic() - steady)
            wall, steady = self._services.clock(), time.monotonic()
            if abs(drift) > JUMP_S:
                log.warning("the clock jumped; nothing expires for a while", seconds=round(drift, 1))
                self._services.keep_quiet()
            try:
                if self._services.db.trouble is not None:
                    await self._services.db.write(partial(prove, now=self._services.clock()))
                moment = self._services.moment()
                await self._release(moment)
                # At the same moment: what came due since then would be numbered in one go, while senders wait.
                await self._services.db.write(partial(sweep.sweep, moment=moment))
                if time.monotonic() - looked >= LOOK_AFTER_S:
                    looked = time.monotonic()
                    await self._services.db.write(partial(stalls.look_after, moment=self._services.moment()))
            except Refused as refusal:
                log.warning("sweep put off", reason=refusal.error)
            except Exception as problem:
                log.error("sweep failed", exc_info=problem)

    async def _release(self, moment: Moment) -> None:
        """Number what has waited long enough, some at a time: what senders wait for goes in between."""
        db = self._services.db
        for portion in await db.read(partial(window.due, moment=moment)):
            await db.write(partial(window.release, portion=portion))
        while await db.write(partial(window.forget, moment=moment)):
            pass

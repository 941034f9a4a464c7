"""A duty that is done again and again while the server runs."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from sqlalchemy.exc import DBAPIError

from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()


class Repeating:
    """Does `work` every `interval` seconds until stopped. A failure is logged, and the work tried again."""

    def __init__(self, name: str, interval: float, work: Callable[[], Awaitable[object]]) -> None:
        self._name = name
        self._interval = interval
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """End where the work waits next: it is done in parts that each stand alone."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await attempt(self._name, self._work())


async def attempt(name: str, work: Awaitable[object]) -> None:
    """Await `work`; log what keeps it from being done, and go on."""
    try:
        await work
    except Refused as refusal:
        log.warning(f"{name} put off", reason=refusal.error, details=refusal.details)
    except DBAPIError as problem:
        log.warning(f"{name} put off", reason="the database does not answer", details=str(problem.orig))
    except Exception as problem:
        log.error(f"{name} failed", exc_info=problem)

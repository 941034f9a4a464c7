"""The future of all studies, worked out at most every few seconds, whoever asks. Nothing is written."""

import asyncio
import time

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.read.outlook import look_ahead
from goliat_monitoring.wire.clock import SECOND

# How old an answer may be, seconds; more where it costs much, so that it takes a twentieth of a processor, to a limit.
FRESH_S = 3.0
STALE_S = 30.0
COSTS = 20.0


class Outlooks:
    """One for the application."""

    def __init__(self) -> None:
        self._told = Outlook()
        self._at: int | None = None
        self._took = 0.0
        self._lock = asyncio.Lock()

    async def now(self, db: Database, now: int) -> Outlook:
        """The future as of `now`, UTC microseconds, or a moment ago."""
        async with self._lock:
            if self._at is None or not 0 <= now - self._at < min(max(FRESH_S, COSTS * self._took), STALE_S) * SECOND:
                began = time.monotonic()
                self._told = await db.read(lambda c: look_ahead(c, now))
                self._took, self._at = time.monotonic() - began, now
            return self._told

    def untold(self) -> list[str]:
        """Studies of which somebody was told lately that nobody can tell before their first simulation is done."""
        return [study for study, it in self._told.studies.items() if it.eta is None and not it.stuck]

    def forget(self) -> None:
        """Something was learned: whoever asks next is told anew."""
        self._at = None

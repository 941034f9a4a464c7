"""The future of all studies, worked out at most every few seconds, whoever asks. Nothing is written."""

import asyncio
import time
from collections.abc import Collection

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
        self._outdated = False
        self._lock = asyncio.Lock()

    async def now(self, db: Database, now: int) -> Outlook:
        """The future as of `now`, UTC microseconds, or a moment ago."""
        async with self._lock:
            fresh_for = min(max(FRESH_S, COSTS * self._took), STALE_S) * SECOND
            if self._at is None or self._outdated or not 0 <= now - self._at < fresh_for:
                began, self._outdated = time.monotonic(), False
                self._told = await db.read(lambda c: look_ahead(c, now))
                self._took, self._at = time.monotonic() - began, now
            return self._told

    def learned_of(self, study_ids: Collection[str]) -> None:
        """Simulations of these studies taught how long they take. Whoever asks for a first ETA need not wait for it."""
        told = [self._told.studies.get(study_id) for study_id in study_ids]
        if any(it is None or (it.eta is None and not it.stuck) for it in told):
            self._outdated = True

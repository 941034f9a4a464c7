"""The future of all studies, worked out at most every few seconds, whoever asks. Nothing is written."""

import asyncio
import time
from collections.abc import Collection
from functools import partial

import structlog
from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.read.outlook import is_long, look_ahead
from goliat_monitoring.store.reader_process import NothingSeen
from goliat_monitoring.wire.clock import SECOND

log = structlog.get_logger()

# How old an answer may be, seconds; more where it costs much, so that it takes a twentieth of a processor, to a limit.
FRESH_S = 3.0
STALE_S = 30.0
COSTS = 20.0
# What takes longer, in seconds of a processor, is worked out by a process of its own. Its start costs a second of one,
# but nobody waits for it.
APART_S = 0.5


class Outlooks:
    """One for the application. `apart_s`: what a look may take of a processor before it has a process of its own."""

    def __init__(self, apart_s: float = APART_S) -> None:
        self.apart_s = apart_s
        self._told = Outlook()
        self._at: int | None = None
        self._took = 0.0
        self._outdated = False
        self._renewal: asyncio.Task[None] | None = None

    async def now(self, db: Database, now: int, offer_after: int) -> Outlook:
        """The future as of `now`, UTC microseconds, or a moment ago. Where it takes long, whoever asks gets the last
        one, and the next is on its way.
        """
        if self._is_due(now):
            if self._renewal is None or self._renewal.done():
                self._renewal = asyncio.create_task(
                    self._renew(db, partial(look_ahead, now=now, offer_after=offer_after))
                )
                self._renewal.add_done_callback(_let_fail)
            if self._at is None or self._took <= self.apart_s:
                await asyncio.shield(self._renewal)
        return self._told

    def _is_due(self, now: int) -> bool:
        fresh_for = min(max(FRESH_S, COSTS * self._took), STALE_S) * SECOND
        return self._at is None or self._outdated or not 0 <= now - self._at < fresh_for

    async def _renew(self, db: Database, look: partial[Outlook]) -> None:
        self._outdated = False
        self._told, self._took = await self._look(db, look)
        self._at = look.keywords["now"]

    async def _look(self, db: Database, look: partial[Outlook]) -> tuple[Outlook, float]:
        """The future, and how many seconds of a processor it took to see it."""
        if self._took > self.apart_s or await db.read(is_long):
            try:
                return await db.read_apart(look)
            except NothingSeen as problem:
                log.warning("the future is worked out by the server itself", problem=str(problem))
        return await db.read(partial(_timed, look=look))

    def learned_of(self, study_ids: Collection[str]) -> None:
        """Simulations of these studies taught how long they take. Whoever asks for a first ETA need not wait for it."""
        told = [self._told.studies.get(study_id) for study_id in study_ids]
        if any(it is None or (it.eta is None and not it.stuck) for it in told):
            self._outdated = True


def _timed(connection: Connection, look: partial[Outlook]) -> tuple[Outlook, float]:
    began = time.thread_time()
    return look(connection), time.thread_time() - began


def _let_fail(renewal: "asyncio.Task[None]") -> None:
    """What kept it from being worked out keeps whoever asks from the rest, and is told there."""
    if not renewal.cancelled():
        renewal.exception()

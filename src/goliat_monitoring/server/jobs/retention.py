"""What gets old is rolled up, moved or deleted, in small parts with a rest after each, so that nobody waits for it."""

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial

import structlog
from sqlalchemy import Connection

from goliat_monitoring.server.jobs.repeating import attempt
from goliat_monitoring.server.kept import in_force
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.settings import Settings
from goliat_monitoring.store.retention import logs, records, screenshots
from goliat_monitoring.store.samples.age import SamplesKept, samples_due, thin_samples
from goliat_monitoring.store.storage import Spool
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()
# After each unit of work, seconds: the writer belongs to those who wait for an answer.
REST = 0.02
# A log is no upload: its size is bounded by what was taken in.
ANY_SIZE = 1 << 50
# Every so many passes the oldest samples of all runs are looked at.
SAMPLES_EVERY = 12
# Every so many passes the storage is searched for pictures without a row.
LOOK_EVERY = 72


class Retention:
    """Does everything that is due with each call of `work`, each duty on its own: one that fails holds up no other."""

    def __init__(self, services: Services, rest: float = REST) -> None:
        self._services = services
        self._rest = rest
        self._kept = services.settings
        self._passes = 0
        # Pictures without a row at the last look. An upload is one for a moment, too; not from one look to the next.
        self._suspects: set[str] = set()

    async def work(self) -> None:
        """One pass."""
        # What people stored may have changed, in another server process too.
        self._kept = await self._services.db.read(partial(in_force, settings=self._services.settings))
        if self._passes % SAMPLES_EVERY == 0:
            await attempt("roll-up of samples", self.thin_samples())
        await attempt("retention of screenshots", self.thin_screenshots())
        await attempt("retention of events", self.delete_records())
        await attempt("move of old logs", self.move_logs())
        if self._passes % LOOK_EVERY == 0:
            await attempt("search for lost screenshots", self.delete_lost_screenshots())
        self._passes += 1

    async def thin_samples(self) -> int:
        """Roll up and delete samples. Returns how many rows were taken up."""
        kept, moment = samples_kept(self._kept), self._services.moment()
        total = 0
        for due in await self._services.db.read(partial(samples_due, moment=moment, kept=kept)):
            total += await self._until_done(partial(thin_samples, due=due))
        if total:
            log.info("samples rolled up", rows=total)
        return total

    async def thin_screenshots(self) -> int:
        """Delete pictures beyond one a minute, and old ones. Returns how many."""
        kept = span(self._kept.keep_screenshots_d)
        gone = await self._pictures(screenshots.thin)
        if kept is not None:
            gone += await self._pictures(partial(screenshots.expire, kept=kept))
        if gone:
            log.info("screenshots deleted", count=gone)
        return gone

    async def delete_records(self) -> int:
        """Delete old events, and messages of runs that ended long ago. Returns how many."""
        settings, gone = self._kept, 0
        if (kept := span(settings.keep_events_d)) is not None:
            moment = self._services.moment()
            gone += await self._until_done(partial(records.delete_events, moment=moment, kept=kept))
        if (kept := span(settings.keep_messages_d)) is not None:
            moment = self._services.moment()
            for run_id in await self._services.db.read(partial(records.runs_with_messages, moment=moment, kept=kept)):
                gone += await self._until_done(partial(records.delete_messages, run_id=run_id))
        if gone:
            log.info("old events and messages deleted", count=gone)
        return gone

    async def move_logs(self) -> int:
        """Move the sealed logs of runs that ended long ago into the file storage. Returns of how many runs."""
        kept = span(self._kept.keep_logs_d)
        if kept is None:
            return 0
        moment = self._services.moment()
        due = await self._services.db.read(partial(logs.runs_to_move, moment=moment, kept=kept))
        for run_id in due:
            await self._move_log(run_id)
        return len(due)

    async def delete_lost_screenshots(self) -> int:
        """Delete files that no row named at this look nor at the last one. Returns how many."""
        lost: set[str] = set()
        async for keys in self._services.storage.list("screenshots"):
            by_run: dict[str, set[str]] = {}
            for key in keys:
                by_run.setdefault(key.split("/")[1], set()).add(key)
            for run_id, of_run in by_run.items():
                lost |= of_run - await self._services.db.read(partial(screenshots.files_of, run_id=run_id))
        gone = sorted(lost & self._suspects)
        self._suspects = lost - self._suspects
        await self._services.storage.delete(*gone)
        if gone:
            log.info("screenshots without a record deleted", count=len(gone))
        return len(gone)

    async def _move_log(self, run_id: str) -> None:
        services = self._services
        spool = services.storage.spool(ANY_SIZE)
        places: list[logs.Place] = []
        try:
            while found := await services.db.read(
                partial(logs.frames, run_id=run_id, after=places[-1].first_line if places else 0)
            ):
                for chunk in found:
                    places.append(logs.Place(chunk.first_line, spool.size))
                    await spool.write(chunk.text)
                    await spool.write(chunk.meta)
            if not places:
                return
            key = logs.file_of(run_id, places[0].first_line)
            await services.storage.keep(spool, key)
            await self._check(key, spool)
        finally:
            spool.discard()
        for start in range(0, len(places), logs.CHUNKS_AT_ONCE):
            part = places[start : start + logs.CHUNKS_AT_ONCE]
            await services.db.write(partial(logs.let_go, run_id=run_id, key=key, places=part))
            await asyncio.sleep(self._rest)
        if await services.db.read(partial(logs.is_named, run_id=run_id, key=key)):
            log.info("log moved to the file storage", run=run_id, chunks=len(places), bytes=spool.size)
        else:
            log.info("the run was deleted while its log was moved", run=run_id)
            await services.storage.delete(key)

    async def _check(self, key: str, spool: Spool) -> None:
        """The file is about to be the only copy: read it back."""
        found = hashlib.sha256()
        async for piece in self._services.storage.read(key):
            found.update(piece)
        if found.hexdigest() != spool.sha256:
            raise Refused(500, "the file storage does not give back what it was given", f"{key}: nothing was let go")

    async def _pictures(self, unit: Callable[..., screenshots.Part]) -> int:
        gone = 0
        while True:
            moment = self._services.moment()
            part = await self._services.db.write(partial(unit, moment=moment))
            if not part.seen:
                return gone
            await self._services.storage.delete(*part.files)
            gone += len(part.files)
            await asyncio.sleep(self._rest)

    async def _until_done(self, unit: Callable[[Connection], int]) -> int:
        total = 0
        while done := await self._services.db.write(unit):
            total += done
            await asyncio.sleep(self._rest)
        return total


def samples_kept(settings: Settings) -> SamplesKept:
    """How long samples are kept, as the settings say."""
    return SamplesKept(
        raw=span(settings.keep_raw_samples_h / 24),
        minutes=span(settings.keep_minute_samples_d),
        whole=span(settings.keep_samples_d),
    )


def span(days: float) -> int | None:
    """Days as microseconds; None, for ever, for 0."""
    return round(days * 86_400 * SECOND) or None

"""What every handler may need, made once at start: settings, database, file storage, clock and the hub of changes."""

import asyncio
import time
from collections.abc import Callable, Collection

from msgspec.structs import replace

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server import epoch
from goliat_monitoring.server.live.hub import Hub
from goliat_monitoring.server.outlooks import Outlooks
from goliat_monitoring.server.pages.cache import Fragments
from goliat_monitoring.server.requests import Requests
from goliat_monitoring.server.settings import Settings
from goliat_monitoring.server.trouble import TOPIC, Troubles
from goliat_monitoring.server.usages import Usages
from goliat_monitoring.store.calls import TROUBLE_TOPIC
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.migrate import migrate
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.counts import Counts
from goliat_monitoring.store.read.usage import StudyUsage
from goliat_monitoring.store.storage import Storage
from goliat_monitoring.wire.clock import SECOND

Clock = Callable[[], int]
# Searches, and previews of studies, that run at a time.
SEARCHES = 2
PLANNINGS = 2


def wall_clock() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


class Services:
    """Open from `open` to `close`."""

    def __init__(self, settings: Settings, clock: Clock = wall_clock) -> None:
        self.settings = settings
        self.clock = clock
        self.hub = Hub()
        # A search keeps a reader busy for seconds; pages need one too.
        self.searches = asyncio.Semaphore(SEARCHES)
        # To cut a study takes a processor for seconds, and previews follow every key stroke.
        self.plannings = asyncio.Semaphore(PLANNINGS)
        self.fragments = Fragments()
        self.troubles = Troubles()
        self.requests = Requests()
        # When runs and workers were last counted, and what was found.
        self.counted: tuple[int, Counts] | None = None
        self.started_at = clock()
        self.outlooks = Outlooks()
        self._usages = Usages()
        self.epoch = ""
        # The windows in force, at no time in particular.
        self.windows = Moment(
            now=0,
            reorder_window=round(settings.reorder_window_s * SECOND),
            judge_delay=round(settings.judge_delay_s * SECOND),
            end_stalled_after=round(settings.end_stalled_s * SECOND) if settings.end_stalled_s else None,
            lease=round(settings.lease_s * SECOND),
            offer_after=round(settings.offer_after_s * SECOND),
        )
        self.db: Database
        self.storage: Storage

    async def open(self) -> None:
        """Bring the schema up to date, start the writer. Raises `Refused` with a text that says what to do."""
        settings = self.settings
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        migrate(settings.database_url)
        self.storage = Storage(settings.storage_url, settings.data_dir / "incoming")
        self.db = Database(settings.database_url, self._changed, apart=settings.writer_process)
        self._begin_epoch()
        await self.db.open()
        self.keep_quiet()

    async def close(self) -> None:
        """Commit what was accepted and let go of everything."""
        self.hub.close()
        await self.db.end()

    def moment(self) -> Moment:
        """Now, with the windows in force."""
        return self.windows.at(self.clock())

    async def outlook(self) -> Outlook:
        """When everything will be done."""
        return await self.outlooks.now(self.db, self.clock(), self.windows.offer_after)

    def learned_of(self, study_ids: Collection[str]) -> None:
        """Simulations of these studies taught how long they take."""
        self.outlooks.learned_of(study_ids)

    async def usage(self, study_id: str, future: Outlook) -> StudyUsage:
        """GPU hours and money of a study; of one that is not there, nothing."""
        return await self._usages.now(self.db, self.clock(), study_id, future)

    def keep_quiet(self) -> None:
        """Let nothing expire for a while: after a start or a jump of the clock, silence proves nothing."""
        self.windows = replace(self.windows, quiet_until=self.clock() + round(self.settings.quiet_s * SECOND))

    def tell_troubles(self) -> None:
        """Let open pages know if a trouble of the server began or ended."""
        if self.troubles.changed(self.db):
            self.hub.publish(frozenset({TOPIC}))

    def _changed(self, topics: frozenset[str]) -> None:
        """After a commit, before its callers are answered, or when none is possible."""
        self.hub.publish(topics)
        if TROUBLE_TOPIC in topics:
            self.tell_troubles()

    def _begin_epoch(self) -> None:
        with self.db.engine.begin() as connection:
            self.epoch = epoch.begin(connection, self.settings.data_dir)
        with self.db.engine.begin() as connection:
            epoch.confirm(connection, self.settings.data_dir)

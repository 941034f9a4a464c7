"""Looks after database and disk: whether they answer, how large they get, and that people are told."""

import asyncio
import shutil
from functools import partial

import structlog
from sqlalchemy import Connection, select

from goliat_monitoring.server.services import Services
from goliat_monitoring.server.trouble import said
from goliat_monitoring.store.health import checkpoint, is_away, wal_size
from goliat_monitoring.store.tables import server_facts

log = structlog.get_logger()
MB = 1_000_000


class Watch:
    """Takes one look with each call of `work`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def work(self) -> None:
        """One look."""
        services = self._services
        await self.look_at_reading()
        free = await asyncio.to_thread(free_bytes, services)
        services.troubles.note_disk(services.clock(), free, round(services.settings.disk_low_mb * MB))
        services.tell_troubles()
        await self.look_at_wal()

    async def look_at_reading(self) -> None:
        """Try to read."""
        services = self._services
        before = services.troubles.reading
        try:
            await services.db.read(_something)
        except Exception as problem:
            if not is_away(problem):
                raise
            services.troubles.note_reading(services.clock(), problem)
            if before is None:
                log.error("the database does not answer", problem=said(problem))
        else:
            services.troubles.note_reading(services.clock(), None)
            if before is not None:
                log.info("the database answers again")

    async def look_at_wal(self) -> int | None:
        """Empty SQLite's write-ahead log when it is long. Returns its size after that; None when nothing was done."""
        db, limit = self._services.db, self._services.settings.wal_limit_mb * MB
        before = wal_size(db.url)
        if not limit or before <= limit:
            return None
        idle = db.writer.waiting == 0
        after = await asyncio.to_thread(partial(checkpoint, db.url, truncate=idle))
        log.info("write-ahead log brought into the database", before=before, after=after, idle=idle)
        return after


def free_bytes(services: Services) -> int:
    """Bytes free on the disk of the data folder."""
    return shutil.disk_usage(services.settings.data_dir).free


def _something(connection: Connection) -> None:
    connection.execute(select(server_facts).limit(1)).all()

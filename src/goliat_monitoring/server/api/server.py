"""How the server itself is: sizes, what waits, what is wrong. For people as JSON, for Prometheus as text."""

import asyncio
from functools import partial

import msgspec
from litestar import Response, get

from goliat_monitoring import __version__
from goliat_monitoring.server.context import Given
from goliat_monitoring.server.jobs.watch import free_bytes
from goliat_monitoring.server.metrics import CONTENT_TYPE_LATEST, Scrape, text_of
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.health import Health, is_away, measure
from goliat_monitoring.store.read.counts import Counts, count_all
from goliat_monitoring.wire.clock import SECOND, iso

# Counting looks at every run: not more often than this, however many scrape; microseconds.
COUNTED_FOR = 10 * SECOND
# Space that lies free inside SQLite's file is used again. Giving it back is worth a person's while above this share
# and size.
WASTE, WASTE_BYTES = 0.5, 1_000_000_000


class DatabaseJson(msgspec.Struct, rename="camel", kw_only=True):
    """Sizes in bytes. `walBytes`, `reusableBytes`: SQLite's write-ahead log, and what lies free inside its file.
    `tables`: the largest of PostgreSQL. `advice`: what a person may do about the size.
    """

    kind: str
    size_bytes: int
    wal_bytes: int | None
    reusable_bytes: int | None
    tables: dict[str, int]
    advice: str


class DiskJson(msgspec.Struct, rename="camel", kw_only=True):
    """Of the data folder. `low`: fewer bytes are free than GOLIAT_MONITORING_DISK_LOW_MB asks for."""

    free_bytes: int
    low: bool


class TroubleJson(msgspec.Struct, rename="camel", kw_only=True):
    """`key`: writing, reading or disk_low."""

    key: str
    since: str
    what: str
    details: str
    advice: str


class ServerJson(msgspec.Struct, rename="camel", kw_only=True):
    """`database` is null while it cannot be read. `waitingWrites`: calls that wait for the next commit."""

    version: str
    epoch: str
    time: str
    started_at: str
    database: DatabaseJson | None
    disk: DiskJson
    waiting_writes: int
    live_streams: int
    troubles: list[TroubleJson]


@get("/api/server", tags=["Server"])
async def server(services: Given) -> ServerJson:
    """Sizes, what waits, and what is wrong with the server itself."""
    health = await _read(services)
    free = await asyncio.to_thread(free_bytes, services)
    return ServerJson(
        version=__version__,
        epoch=services.epoch,
        time=iso(services.clock()),
        started_at=iso(services.started_at),
        database=None if health is None else _database_json(health),
        disk=DiskJson(free_bytes=free, low=services.troubles.disk is not None),
        waiting_writes=services.db.writer.waiting,
        live_streams=services.hub.open,
        troubles=[
            TroubleJson(key=it.key, since=iso(it.since), what=it.what, details=it.details, advice=it.advice)
            for it in services.troubles.now(services.db)
        ],
    )


@get("/metrics", include_in_schema=False)
async def metrics(services: Given) -> Response[bytes]:
    """All numbers in Prometheus' text format."""
    scrape = Scrape(services.requests, services.db.writer.tally)
    health = await _read(services)
    counts = await _counts(services) if health is not None else None
    if health is not None:
        scrape.gauge("database_bytes", "Size of the database", health.size)
        scrape.gauge("database_wal_bytes", "Size of SQLite's write-ahead log", health.wal)
        scrape.gauge("database_reusable_bytes", "Bytes that lie free inside SQLite's file", health.reusable)
        if health.tables:
            sizes = {name: float(size) for name, size in health.tables.items()}
            scrape.gauges("table_bytes", "The largest tables, with their indexes", "table", sizes)
    if counts is not None:
        scrape.gauges("runs", "Runs by state", "state", {name: float(n) for name, n in counts.runs.items()})
        present = {name: float(n) for name, n in counts.workers.items()}
        scrape.gauges("workers", "Workers by presence", "presence", present)
        scrape.gauge("log_lines", "Numbered log lines of all runs", counts.lines)
    scrape.gauge("disk_free_bytes", "Free on the data folder's disk", await asyncio.to_thread(free_bytes, services))
    scrape.gauge("writes_waiting", "Calls that wait for the next commit", services.db.writer.waiting)
    scrape.gauge("live_streams", "Open event streams of pages", services.hub.open)
    wrong = {trouble.key for trouble in services.troubles.now(services.db)}
    troubles = {key: float(key in wrong) for key in ("writing", "reading", "disk_low")}
    scrape.gauges("trouble", "1 while this is wrong with the server itself", "kind", troubles)
    return Response(text_of(scrape), media_type=CONTENT_TYPE_LATEST)


async def _read(services: Services) -> Health | None:
    try:
        return await services.db.read(measure)
    except Exception as problem:
        if not is_away(problem):
            raise
        services.troubles.note_reading(services.clock(), problem)
        services.tell_troubles()
        return None


async def _counts(services: Services) -> Counts:
    now = services.clock()
    if services.counted is None or not 0 <= now - services.counted[0] <= COUNTED_FOR:
        services.counted = now, await services.db.read(partial(count_all, now=now))
    return services.counted[1]


def _database_json(health: Health) -> DatabaseJson:
    advice = ""
    if health.reusable is not None and health.reusable > max(WASTE_BYTES, WASTE * health.size):
        advice = (
            "More than half of the file lies free. It is used again by itself; to give it back to the disk, stop the "
            "server and run: sqlite3 FILE VACUUM (it needs as much free disk as the rest of the file)."
        )
    return DatabaseJson(
        kind=health.kind,
        size_bytes=health.size,
        wal_bytes=health.wal,
        reusable_bytes=health.reusable,
        tables=health.tables,
        advice=advice,
    )

"""The database: one writer that groups what waits into one commit, and readers that cannot write.

A unit of work is a plain function of a `Connection`. Writes go through `Database.write`: one thread owns the only
writing connection, takes everything that waits, runs each unit in its own savepoint and commits once. The caller's
future is resolved after the commit, so an answered request is a durable one. Reads run on a pool of connections for
which the database itself refuses writes.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool

from goliat_monitoring.store.changes import take
from goliat_monitoring.wire.errors import Refused

T = TypeVar("T")
Unit = Callable[[Connection], T]

# How many units may wait. Past that the server says 503 instead of growing without bound.
QUEUE_LIMIT = 20_000
# One commit holds at most this many units, so that the first of them does not wait for the last for long.
GROUP_LIMIT = 512
READERS = 4


def sqlite_url(data_dir: Path) -> str:
    """The default database: one file in the data folder."""
    return f"sqlite:///{data_dir / 'goliat-monitoring.sqlite'}"


def make_engine(url: str, *, read_only: bool = False) -> Engine:
    """An engine with the settings that the design's durability rests on. Only SQLite is supported so far."""
    if make_url(url).get_backend_name() != "sqlite":
        raise Refused(500, "unsupported database", f"{make_url(url).drivername}: use sqlite:///PATH")
    engine = create_engine(url, poolclass=QueuePool, pool_size=READERS if read_only else 1, max_overflow=0)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # pysqlite starts transactions on its own and late; SQLAlchemy's recipe is to do it ourselves.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            "cache_size=-64000",
            "mmap_size=268435456",
            *(["query_only=ON"] if read_only else []),
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


class Database:
    """Owns the engines and the writer thread. `close` commits what was accepted before it returns."""

    def __init__(self, url: str, on_change: Callable[[frozenset[str]], None] = lambda _topics: None) -> None:
        """`on_change` is called on the writer thread after each commit, with the topics that it changed."""
        self.url = url
        self._on_change = on_change
        self.engine = make_engine(url)
        self.read_engine = make_engine(url, read_only=True)
        self._queue: queue.Queue[tuple[Unit[Any], Future[Any]] | None] = queue.Queue(QUEUE_LIMIT)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._thread = threading.Thread(target=self._write_loop, name="writer", daemon=True)
        self._closed = False

    def start(self) -> None:
        """Start the writer. The schema must be up to date."""
        self._thread.start()

    def close(self) -> None:
        """Commit what waits, then let go of the files."""
        if self._closed:
            return
        self._closed = True
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._readers.shutdown()
        self.engine.dispose()
        self.read_engine.dispose()

    def submit(self, unit: Unit[T]) -> "Future[T]":
        """Queue a unit of work; the future is done after its commit. Raises `Refused` 503 when the queue is full."""
        future: Future[T] = Future()
        if self._closed:
            raise Refused(503, "the server is shutting down", "try again in a few seconds")
        try:
            self._queue.put_nowait((unit, future))
        except queue.Full:
            raise Refused(503, "the server is busy", "too many writes wait; try again in a few seconds") from None
        return future

    async def write(self, unit: Unit[T]) -> T:
        """Run `unit` in a transaction; return after its commit. What it raises is raised here; nothing of it stays."""
        # A request that goes away must not cancel a unit that others' savepoints surround.
        return await asyncio.shield(asyncio.wrap_future(self.submit(unit)))

    async def read(self, unit: Unit[T]) -> T:
        """Run `unit` on a connection that cannot write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, unit)

    def read_now(self, unit: Unit[T]) -> T:
        """`read` for callers outside the event loop."""
        with self.read_engine.connect() as connection:
            return unit(connection)

    def _write_loop(self) -> None:
        while True:
            first = self._queue.get()
            if first is None:
                return
            group = [first]
            stop = False
            while len(group) < GROUP_LIMIT:
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
                if waiting is None:
                    stop = True
                    break
                group.append(waiting)
            self._commit(group)
            if stop:
                return

    def _commit(self, group: list[tuple[Unit[Any], "Future[Any]"]]) -> None:
        outcomes: list[tuple[Future[Any], Any, BaseException | None]] = []
        topics: frozenset[str] = frozenset()
        try:
            with self.engine.connect() as connection, connection.begin():
                for unit, future in group:
                    try:
                        with connection.begin_nested():
                            outcomes.append((future, unit(connection), None))
                    except Exception as problem:  # noqa: BLE001 - the caller gets it, the others go on
                        outcomes.append((future, None, problem))
                topics = take(connection)
        except Exception as problem:  # noqa: BLE001 - the commit itself failed: nobody may believe otherwise
            outcomes = [(future, None, problem) for _, future in group]
            topics = frozenset()
        for future, result, failure in outcomes:
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)
        if topics:
            self._on_change(topics)

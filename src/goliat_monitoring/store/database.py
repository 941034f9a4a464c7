"""The database: one writer that groups what waits into one commit, and readers that cannot write.

A unit of work is a plain function of a `Connection`. Writes go through `Database.write`, or `Database.write_together`
for calls that are cheaper by the hundred; both return after the commit, so an answered request is a durable one. Reads
run on a pool of connections for which the database itself refuses writes.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from goliat_monitoring.store.checkpoint import Checkpointer
from goliat_monitoring.store.engine import READERS, make_engine, sqlite_url
from goliat_monitoring.store.writer import Call, Together, Trouble, Unit, Writer

__all__ = ["Database", "Trouble", "Unit", "sqlite_url"]

T = TypeVar("T")
P = TypeVar("P")


class Database:
    """Owns the engines and the writer. `close` commits what was accepted before it returns."""

    def __init__(self, url: str, on_change: Callable[[frozenset[str]], None] = lambda _topics: None) -> None:
        """`on_change` is called on the writer's thread after each commit, with the topics that it changed."""
        self.url = url
        self.engine = make_engine(url)
        self.read_engine = make_engine(url, read_only=True)
        self.writer = Writer(self.engine, self._committed)
        self._on_change = on_change
        file = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        self._checkpointer = Checkpointer(file) if file else None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._closed = False

    def start(self) -> None:
        """Start the writer. The schema must be up to date."""
        self.writer.start()
        if self._checkpointer is not None:
            self._checkpointer.start()

    def close(self) -> None:
        """Commit what waits, then let go of the files."""
        if self._closed:
            return
        self._closed = True
        self.writer.close()
        if self._checkpointer is not None:
            self._checkpointer.close()
        self._readers.shutdown()
        self.engine.dispose()
        self.read_engine.dispose()

    @property
    def trouble(self) -> Trouble | None:
        """Why nothing can be written at present; None while all is well."""
        return self.writer.trouble

    def submit(self, unit: Unit[T]) -> "Future[T]":
        """Queue a unit of work; the future is done after its commit. Raises `Refused` 503 when the queue is full."""
        call = Call(unit)
        future = call.wait_in_thread()
        self.writer.queue(call)
        return future

    async def write(self, unit: Unit[T]) -> T:
        """Run `unit` in a transaction; return after its commit. What it raises is raised here; nothing of it stays."""
        call = Call(unit)
        future = call.wait_in_loop()
        self.writer.queue(call)
        return await future

    async def write_together(self, together: "Together[P, T]", payload: P) -> T:
        """Hand `payload` to `together`, with others that wait for the same function; return after the commit."""
        call: Call[T] = Call(None, together, payload)
        future = call.wait_in_loop()
        self.writer.queue(call)
        return await future

    async def read(self, unit: Unit[T]) -> T:
        """Run `unit` on a connection that cannot write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, unit)

    def _committed(self, topics: frozenset[str]) -> None:
        if self._checkpointer is not None:
            self._checkpointer.look()
        if topics:
            self._on_change(topics)

    def read_now(self, unit: Unit[T]) -> T:
        """`read` for callers outside the event loop."""
        with self.read_engine.connect() as connection:
            return unit(connection)

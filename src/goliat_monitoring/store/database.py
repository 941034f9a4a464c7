"""The database: one writer that groups what waits into one commit, and readers that cannot write.

A unit of work is a plain function of a `Connection`. Writes go through `Database.write`, or `Database.write_together`
for calls that are cheaper by the hundred; both return after the commit, so an answered request is a durable one. Reads
run on a pool of connections for which the database itself refuses writes.

With `apart` the writer is a process of its own. Then a unit must be a function of a module, or a `functools.partial` of
one, with arguments and a result that can be pickled; anything else is refused with a `TypeError` that names it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from goliat_monitoring.store.calls import AnyWriter, Call, Together, Trouble, Unit, shutting_down
from goliat_monitoring.store.checkpoint import Checkpointer
from goliat_monitoring.store.engine import READERS, make_engine, sqlite_url
from goliat_monitoring.store.reader_process import look
from goliat_monitoring.store.writer import Writer
from goliat_monitoring.store.writer_process import WriterProcess

__all__ = ["Database", "Trouble", "Unit", "sqlite_url"]

T = TypeVar("T")
P = TypeVar("P")


class Database:
    """Owns the engines and the writer. `close` commits what was accepted before it returns."""

    def __init__(
        self,
        url: str,
        on_change: Callable[[frozenset[str]], None] = lambda _topics: None,
        *,
        apart: bool = False,
    ) -> None:
        """`on_change` is called after each commit, with the topics that it changed: on the writer's thread, or with
        `apart` on the event loop that called `open`.
        """
        self.url = url
        self.engine = make_engine(url)
        self.read_engine = make_engine(url, read_only=True)
        self._on_change = on_change
        self.writer: AnyWriter
        self._process: WriterProcess | None = None
        self._thread: Writer | None = None
        self._checkpointer: Checkpointer | None = None
        if apart:
            self.writer = self._process = WriterProcess(url, self._changed)
        else:
            self.writer = self._thread = Writer(self.engine, self._committed)
            file = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
            self._checkpointer = Checkpointer(file) if file else None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._closed = False

    def start(self) -> None:
        """Start the writer's thread. The schema must be up to date."""
        if self._thread is None:
            raise RuntimeError("a writer that is a process of its own is started by `open`")
        self._thread.start()
        if self._checkpointer is not None:
            self._checkpointer.start()

    async def open(self) -> None:
        """Start the writer, whichever it is. The schema must be up to date."""
        if self._process is None:
            self.start()
        else:
            # What was done with it before the start is done.
            self.engine.dispose()
            await self._process.open()

    async def end(self) -> None:
        """Commit what waits, then let go of the files."""
        if self._process is not None:
            await self._process.end()
        self.close()

    def close(self) -> None:
        """`end` for a writer's thread."""
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
        future = call.wait_in_loop(asyncio.get_running_loop())
        self.writer.queue(call)
        return await future

    async def write_together(self, together: "Together[P, T]", payload: P) -> T:
        """Hand `payload` to `together`, with others that wait for the same function; return after the commit."""
        call: Call[T] = Call(None, together, payload)
        future = call.wait_in_loop(asyncio.get_running_loop())
        self.writer.queue(call)
        return await future

    async def read(self, unit: Unit[T]) -> T:
        """Run `unit` on a connection that cannot write. Raises `Refused` 503 when the server shuts down."""
        if self._closed:
            raise shutting_down()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, unit)

    async def read_apart(self, unit: "partial[T]") -> tuple[T, float]:
        """`read` for what takes seconds, by a process of its own, with the seconds of a processor it took there.

        Raises `NothingSeen` where that process cannot do it.
        """
        found, seconds = await look(self.url, unit)
        return found, seconds

    def _committed(self, topics: frozenset[str]) -> None:
        if self._checkpointer is not None:
            self._checkpointer.look()
        self._changed(topics)

    def _changed(self, topics: frozenset[str]) -> None:
        if topics:
            self._on_change(topics)

    def read_now(self, unit: Unit[T]) -> T:
        """`read` for callers outside the event loop."""
        with self.read_engine.connect() as connection:
            return unit(connection)

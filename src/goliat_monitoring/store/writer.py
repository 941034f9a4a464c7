"""The one writer: a thread that takes all that waits, commits it once, and only then answers.

What waits is a `Unit`, a plain function that runs in a savepoint of its own, or a `Batched` call: calls of the same
function that stand next to each other in the queue are handed to it together, so that a hundred messages cost a few
statements instead of a few hundred. The order of the queue is kept.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from itertools import groupby
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from goliat_monitoring.store.changes import take
from goliat_monitoring.wire.errors import Refused

T = TypeVar("T")
P = TypeVar("P")
Unit = Callable[[Connection], T]
# Applies the payloads in order; a payload's answer may be the exception that its caller gets, and then left no trace.
Together = Callable[[Connection, Sequence[P]], Sequence[T | Exception]]

# How many calls may wait. Past that the server says 503 instead of growing without bound.
QUEUE_LIMIT = 20_000
# One commit holds at most this many, so that the first of them does not wait for the last for long.
GROUP_LIMIT = 512
# After a group of this many the next is let grow for a moment, as long as it does grow. A group costs about a
# millisecond whatever is in it; and while this thread sleeps, the event loop takes requests without having to hand
# Python's lock back and forth, which costs both more than the pause.
BUSY = 8
STEP_S = 0.001
GATHER_S = 0.010
# Pages show at once that nothing can be written, and that it can again.
TROUBLE_TOPIC = "fleet"


class Call(Generic[T]):
    """One thing that waits for the writer."""

    __slots__ = ("_future", "_loop", "failure", "payload", "result", "together", "unit")

    def __init__(self, unit: Unit[T] | None, together: Any = None, payload: Any = None) -> None:
        self.unit = unit
        self.together = together
        self.payload = payload
        self.result: T | None = None
        self.failure: Exception | None = None
        self._future: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def wait_in_thread(self) -> "Future[T]":
        """A future for callers outside the event loop."""
        self._future = Future()
        return self._future  # type: ignore[no-any-return]

    def wait_in_loop(self) -> "asyncio.Future[T]":
        """A future of the running event loop. Whoever gives up waiting does not stop what was queued."""
        self._loop = asyncio.get_running_loop()
        self._future = self._loop.create_future()
        return self._future  # type: ignore[no-any-return]

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where the caller waits; None for a thread."""
        return self._loop

    def answer(self) -> None:
        """Wake the caller. Called on its loop, or on the writer's thread for a caller in a thread."""
        future = self._future
        if future is None or future.done():
            return
        if self.failure is not None:
            future.set_exception(self.failure)
        else:
            future.set_result(self.result)


class Trouble:
    """Nothing can be written: since when (unix seconds), and what the database says."""

    def __init__(self, text: str) -> None:
        self.since = time.time()
        self.text = text


class Writer:
    """Owns the only writing connection between `start` and `close`."""

    def __init__(self, engine: Engine, on_commit: Callable[[frozenset[str]], None]) -> None:
        """`on_commit` is called on the writer's thread after each commit, with the topics that it changed, if any."""
        self._engine = engine
        self._on_commit = on_commit
        self._waiting: deque[Call[Any]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self.trouble: Trouble | None = None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin. The schema must be up to date."""
        self._thread.start()

    def close(self) -> None:
        """Commit what waits, then end."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    def queue(self, call: Call[Any]) -> None:
        """Let `call` wait for its turn. Raises `Refused` 503 when too many wait or the writer has ended."""
        with self._wake:
            if self._closed:
                raise Refused(503, "the server is shutting down", "try again in a few seconds")
            if len(self._waiting) >= QUEUE_LIMIT:
                raise Refused(503, "the server is busy", "too many writes wait; try again in a few seconds")
            self._waiting.append(call)
            if len(self._waiting) == 1:
                self._wake.notify()

    def _run(self) -> None:
        size = 0
        while True:
            with self._wake:
                while not self._waiting:
                    if self._closed:
                        return
                    self._wake.wait()
            if size >= BUSY:
                self._let_gather()
            with self._wake:
                size = min(len(self._waiting), GROUP_LIMIT)
                group = [self._waiting.popleft() for _ in range(size)]
            self._commit(group)

    def _let_gather(self) -> None:
        """Wait while more and more calls come, for a few milliseconds at most."""
        ends = time.monotonic() + GATHER_S
        count = 0
        while count < len(self._waiting) < GROUP_LIMIT and time.monotonic() < ends and not self._closed:
            count = len(self._waiting)
            time.sleep(STEP_S)

    def _commit(self, group: list[Call[Any]]) -> None:
        try:
            try:
                topics = self._apply(group)
            except DBAPIError as problem:
                # A connection that died while nobody used it is found out now. Nothing of this group was committed.
                if not problem.connection_invalidated:
                    raise
                topics = self._apply(group)
        except Exception as problem:  # noqa: BLE001 - the commit itself failed: nobody may believe otherwise
            topics = frozenset()
            for call in group:
                call.failure = problem
        topics |= self._look_for_trouble(group, changed=bool(topics))
        _answer(group)
        self._on_commit(topics)

    def _apply(self, group: list[Call[Any]]) -> frozenset[str]:
        """Run the group in one transaction and commit it. Returns the topics that changed."""
        done = False
        try:
            with self._engine.connect() as connection, connection.begin():
                for together, calls in groupby(group, key=_together):
                    if together is None:
                        for call in calls:
                            _one(connection, call)
                    else:
                        _several(connection, together, list(calls))
                topics = take(connection)
                done = True
        except DBAPIError as problem:
            # If it was the commit that failed, nobody knows whether it happened: it must not be done again.
            problem.connection_invalidated = problem.connection_invalidated and not done
            raise
        return topics

    def _look_for_trouble(self, group: list[Call[Any]], *, changed: bool) -> frozenset[str]:
        """Remember whether the database itself fails, until it took a change. Returns the topic to tell."""
        problem = next((call.failure for call in group if isinstance(call.failure, OperationalError)), None)
        was = self.trouble
        if problem is None:
            if changed:
                self.trouble = None
        else:
            text = str(problem.orig).strip().partition("\n")[0]
            self.trouble = was or Trouble(text)
            self.trouble.text = text
        return frozenset({TROUBLE_TOPIC}) if (was is None) != (self.trouble is None) else frozenset()


def _together(call: Call[Any]) -> Any:
    return call.together


def _one(connection: Connection, call: Call[Any]) -> None:
    assert call.unit is not None  # noqa: S101 - it has no function to be batched by
    try:
        with connection.begin_nested():
            call.result = call.unit(connection)
    except Exception as problem:  # noqa: BLE001 - the caller gets it, the others go on
        _raise_if_gone(problem)
        call.failure = problem


def _several(connection: Connection, together: Together[Any, Any], calls: list[Call[Any]]) -> None:
    try:
        with connection.begin_nested():
            answers = together(connection, [call.payload for call in calls])
    except Exception as problem:  # noqa: BLE001 - found out below whose fault it is
        _raise_if_gone(problem)
        if len(calls) == 1:
            calls[0].failure = problem
            return
        # One of them cannot be applied. Alone, each of the others can.
        for call in calls:
            _several(connection, together, [call])
        return
    for call, answer in zip(calls, answers, strict=True):
        if isinstance(answer, Exception):
            call.failure = answer
        else:
            call.result = answer


def _raise_if_gone(problem: Exception) -> None:
    """A connection that is gone takes the whole transaction with it."""
    if isinstance(problem, DBAPIError) and problem.connection_invalidated:
        raise problem


def _answer(group: list[Call[Any]]) -> None:
    """Wake all callers, those of an event loop with one call to it."""
    loops: dict[asyncio.AbstractEventLoop, list[Call[Any]]] = {}
    for call in group:
        if call.loop is None:
            call.answer()
        else:
            loops.setdefault(call.loop, []).append(call)
    for loop, calls in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_answer_all, calls)


def _answer_all(calls: list[Call[Any]]) -> None:
    for call in calls:
        call.answer()

"""The writer as a thread of this process: takes all that waits, commits it once, and only then answers.

For tests, benchmarks and tools. The server gives its writer a process of its own (`store.writer_process`).
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from goliat_monitoring.store import calls as limits
from goliat_monitoring.store.calls import GROUP_LIMIT, Call, Trouble, answer_all, shutting_down, too_many
from goliat_monitoring.store.groups import Groups
from goliat_monitoring.store.tally import Tally

# After a group of this many the next is let grow for a moment, as long as it does grow. A group costs about a
# millisecond whatever is in it; and while this thread sleeps, the event loop takes requests without having to hand
# Python's lock back and forth, which costs both more than the pause.
BUSY = 8
STEP_S = 0.001
GATHER_S = 0.010


class Writer:
    """Owns the only writing connection between `start` and `close`."""

    def __init__(self, engine: Engine, on_commit: Callable[[frozenset[str]], None]) -> None:
        """`on_commit` is called on the writer's thread after each commit, with the topics that it changed, if any."""
        self._groups = Groups(engine)
        self._on_commit = on_commit
        self._waiting: deque[Call[Any]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self.tally = Tally()
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
    def trouble(self) -> Trouble | None:
        """Why nothing can be written at present; None while all is well."""
        return self._groups.trouble

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    def queue(self, call: Call[Any]) -> None:
        """Let `call` wait for its turn. Raises `Refused` 503 when too many wait or the writer has ended."""
        with self._wake:
            if self._closed:
                raise shutting_down()
            if len(self._waiting) >= limits.QUEUE_LIMIT:
                raise too_many()
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
            committed = self._groups.commit(group)
            self.tally.count(size, committed.seconds)
            # First: whoever is answered may look for what its own change told.
            self._on_commit(committed.topics)
            _answer(group)

    def _let_gather(self) -> None:
        """Wait while more and more calls come, for a few milliseconds at most."""
        ends = time.monotonic() + GATHER_S
        count = 0
        while count < len(self._waiting) < GROUP_LIMIT and time.monotonic() < ends and not self._closed:
            count = len(self._waiting)
            time.sleep(STEP_S)


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
            loop.call_soon_threadsafe(answer_all, calls)

"""What waits for the writer, whoever the writer is: one call each, and how its caller is woken."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sqlalchemy import Connection

from goliat_monitoring.store.tally import Tally
from goliat_monitoring.wire.errors import Refused

if TYPE_CHECKING:  # 6 MB that the writer's process need not hold
    import asyncio

T = TypeVar("T")
P = TypeVar("P")
Unit = Callable[[Connection], T]
# Applies the payloads in order; a payload's answer may be the exception that its caller gets, and then left no trace.
Together = Callable[[Connection, Sequence[P]], Sequence[T | Exception]]


class Readied:
    """A payload with something to be done before its turn."""

    __slots__ = ()

    def ready(self) -> Any:
        """What its function takes as well, with all done that needs no database."""
        raise NotImplementedError


# How many calls may wait. Past that the server says 503 instead of growing without bound.
QUEUE_LIMIT = 20_000
# One commit holds at most this many, so that the first of them does not wait for the last for long.
GROUP_LIMIT = 512
# Pages show at once that nothing can be written, and that it can again.
TROUBLE_TOPIC = "fleet"


class Call(Generic[T]):
    """One thing that waits for the writer: a `unit`, or a `payload` for a function that takes several `together`."""

    __slots__ = ("_future", "failure", "loop", "payload", "result", "together", "unit")

    def __init__(self, unit: Unit[T] | None, together: Any = None, payload: Any = None) -> None:
        self.unit = unit
        self.together = together
        self.payload = payload
        self.result: T | None = None
        self.failure: Exception | None = None
        self._future: Any = None
        # Where the caller waits; None for a thread.
        self.loop: asyncio.AbstractEventLoop | None = None

    def wait_in_thread(self) -> "Future[T]":
        """A future for callers outside the event loop."""
        self._future = Future()
        return self._future  # type: ignore[no-any-return]

    def wait_in_loop(self, loop: "asyncio.AbstractEventLoop") -> "asyncio.Future[T]":
        """A future of the event loop, which runs. Whoever gives up waiting does not stop what was queued."""
        self.loop = loop
        self._future = self.loop.create_future()
        return self._future  # type: ignore[no-any-return]

    def answer(self) -> None:
        """Wake the caller. Called on its loop, or on any thread for a caller in a thread."""
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


class AnyWriter(Protocol):
    """Takes calls and answers each after the commit that holds it."""

    tally: Tally

    @property
    def trouble(self) -> Trouble | None:
        """Why nothing can be written at present; None while all is well."""

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""

    def queue(self, call: Call[Any]) -> None:
        """Let `call` wait for its turn. Raises `Refused` 503 when too many wait or the writer has ended."""

    def close(self) -> None:
        """Commit what waits, then end."""


def too_many() -> Refused:
    """The refusal past `QUEUE_LIMIT`."""
    return Refused(503, "the server is busy", "too many writes wait; try again in a few seconds")


def shutting_down() -> Refused:
    """The refusal after the end."""
    return Refused(503, "the server is shutting down", "try again in a few seconds")


def answer_all(calls: Iterable[Call[Any]]) -> None:
    """Wake the callers of `calls`, all of which wait here."""
    for call in calls:
        call.answer()

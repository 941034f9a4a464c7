"""One transaction for a group of calls, one commit for all, then their answers. The order is kept.

Calls of the same function that stand next to each other are handed to it together, so that a hundred messages cost a
few statements instead of a few hundred. Where one fails, the whole transaction is undone and the group is tried again
with a savepoint around each, so that the others go on without it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from goliat_monitoring.store.calls import TROUBLE_TOPIC, Call, T, Together, Trouble
from goliat_monitoring.store.changes import take


class Committed(NamedTuple):
    """What a group changed, and how long it took from its first statement to the end of its commit."""

    topics: frozenset[str]
    seconds: float


Run = Callable[[Connection, Sequence[Call[Any]]], None]


class Ahead(Protocol):
    """What can be done for the next group while this one is being committed: that waits for the disk."""

    def waits(self) -> bool:
        """Whether there is something."""

    def look_ahead(self) -> None:
        """Do it."""


class _Undone(Exception):
    """The transaction is to be undone: what is in it failed. It may be tried again in parts."""


class Groups:
    """Commits groups on the only writing connection. Belongs to one thread."""

    def __init__(self, engine: Engine, ahead: Ahead | None = None) -> None:
        self._engine = engine
        self._ahead = ahead
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="look-ahead")
        self.trouble: Trouble | None = None

    def close(self) -> None:
        """Let go of what a commit needs besides the engine."""
        self._helper.shutdown()

    def commit(self, group: Sequence[Call[Any]]) -> Committed:
        """Apply `group`; each call has its result or its failure afterwards. Never raises."""
        began = time.perf_counter()
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
        return Committed(topics, time.perf_counter() - began)

    def _apply(self, group: Sequence[Call[Any]]) -> frozenset[str]:
        """Run the group and commit it. Returns the topics that changed."""
        try:
            return self._transaction(group, _straight)
        except _Undone:
            return frozenset() if len(group) == 1 else self._transaction(group, _with_care)

    def _transaction(self, group: Sequence[Call[Any]], run: Run) -> frozenset[str]:
        done = False
        try:
            with self._engine.connect() as connection, self._begun(connection):
                take(connection)  # of a transaction that was undone
                run(connection, group)
                topics = take(connection)
                done = True
        except DBAPIError as problem:
            # If it was the commit that failed, nobody knows whether it happened: it must not be done again.
            problem.connection_invalidated = problem.connection_invalidated and not done
            raise
        return topics

    @contextmanager
    def _begun(self, connection: Connection) -> Iterator[None]:
        """A transaction, as `Connection.begin` gives it."""
        with ExitStack() as stack:
            stack.enter_context(connection.begin())
            yield
            if self._ahead is None or not self._ahead.waits():
                return
            # The other thread gets Python's lock when the commit lets go of it. The other way round the commit would
            # begin only when what is made ready is.
            looking = self._helper.submit(self._ahead.look_ahead)
            try:
                stack.close()
            finally:
                looking.result()

    def _look_for_trouble(self, group: Sequence[Call[Any]], *, changed: bool) -> frozenset[str]:
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


def _straight(connection: Connection, group: Sequence[Call[Any]]) -> None:
    """All calls, as nearly always none of them fails. Raises `_Undone` where one does; a lone one then has its failure.

    A savepoint would make SQLite copy each page before it is changed.
    """
    for together, calls in groupby(group, key=_together):
        try:
            if together is None:
                for call in calls:
                    call.result = _run(connection, call)
            else:
                _hand_over(connection, together, list(calls))
        except Exception as problem:
            _raise_if_gone(problem)
            if len(group) == 1:
                group[0].failure = problem
            raise _Undone from problem


def _with_care(connection: Connection, group: Sequence[Call[Any]]) -> None:
    """All calls, each such that what it changed can be undone while the others go on."""
    for together, calls in groupby(group, key=_together):
        if together is None:
            for call in calls:
                _one(connection, call)
        else:
            _several(connection, together, list(calls))


def _one(connection: Connection, call: Call[Any]) -> None:
    try:
        with connection.begin_nested():
            call.result = _run(connection, call)
    except Exception as problem:  # noqa: BLE001 - the caller gets it, the others go on
        _raise_if_gone(problem)
        call.failure = problem


def _run(connection: Connection, call: Call[T]) -> T:
    assert call.unit is not None  # noqa: S101 - it has no function to be batched by
    return call.unit(connection)


def _several(connection: Connection, together: Together[Any, Any], calls: list[Call[Any]]) -> None:
    try:
        with connection.begin_nested():
            _hand_over(connection, together, calls)
    except Exception as problem:  # noqa: BLE001 - found out below whose fault it is
        _raise_if_gone(problem)
        if len(calls) == 1:
            calls[0].failure = problem
            return
        # One of them cannot be applied. Alone, each of the others can.
        for call in calls:
            _several(connection, together, [call])


def _hand_over(connection: Connection, together: Together[Any, Any], calls: Sequence[Call[Any]]) -> None:
    answers = together(connection, [call.payload for call in calls])
    for call, answer in zip(calls, answers, strict=True):
        # Both: the group may have been tried before.
        call.result, call.failure = (None, answer) if isinstance(answer, Exception) else (answer, None)


def _raise_if_gone(problem: Exception) -> None:
    """A connection that is gone takes the whole transaction with it."""
    if isinstance(problem, DBAPIError) and problem.connection_invalidated:
        raise problem

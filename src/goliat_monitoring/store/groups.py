"""One transaction for a group of calls: each unit in a savepoint of its own, one commit for all, then their answers.

Calls of the same function that stand next to each other are handed to it together, so that a hundred messages cost a
few statements instead of a few hundred. The order is kept.
"""

import time
from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from goliat_monitoring.store.calls import TROUBLE_TOPIC, Call, Together, Trouble
from goliat_monitoring.store.changes import take


class Committed(NamedTuple):
    """What a group changed, and how long it took from its first statement to the end of its commit."""

    topics: frozenset[str]
    seconds: float


class Groups:
    """Commits groups on the only writing connection. Belongs to one thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.trouble: Trouble | None = None

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

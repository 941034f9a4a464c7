"""Statements handed to the database's driver as they are, for the few that every message needs.

SQLAlchemy describes each column of each result anew and wraps each row: of the run's seventy columns that takes longer
than the database does. What fails here fails as it does there: with SQLAlchemy's exceptions, and a connection that died
is marked as dead.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

# Of libpq: no transaction is open.
_IDLE = 0
Parameters = tuple[Any, ...]
Later = Callable[[], list[tuple[Any, ...]]]


def execute(connection: Connection, sql: str, parameters: Parameters = ()) -> None:
    """Run one statement whose result nobody needs."""
    raw = _raw(connection)
    with _failures(connection, raw, sql):
        raw.execute(sql, parameters)


def fetch(connection: Connection, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """All rows of the result, as plain tuples."""
    raw = _raw(connection)
    with _failures(connection, raw, sql):
        if connection.dialect.name != "sqlite" and raw.pgconn.transaction_status == _IDLE:
            # BEGIN, which comes with the first statement, would be a journey of its own.
            with raw.pipeline():
                cursor = raw.execute(sql, parameters)
        else:
            cursor = raw.execute(sql, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def fetch_later(connection: Connection, sql: str, parameters: Parameters = ()) -> Later:
    """`fetch` for a block of `one_journey`: a function that gives the rows when the block is over."""
    raw = _raw(connection)
    with _failures(connection, raw, sql):
        cursor = raw.execute(sql, parameters)
        if connection.dialect.name != "sqlite":
            later: Later = cursor.fetchall
            return later
        # What follows on the connection may change what this one reads.
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return lambda: found


@contextmanager
def one_journey(connection: Connection) -> Iterator[None]:
    """The block's statements of this module travel together, and what fails may be told only at its end.

    None of SQLAlchemy's own may stand in the block: they look at once at what is not there yet. On SQLite, which is no
    journey away, nothing is different.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    raw = _raw(connection)
    with _failures(connection, raw, "several statements"), raw.pipeline():
        yield


def plain_savepoints(engine: Engine) -> None:
    """Let savepoints be what they are, a few words: SQLAlchemy compiles each anew, which costs more than a message."""
    dialect: Any = engine.dialect
    dialect.do_savepoint = lambda connection, name: execute(connection, f"SAVEPOINT {name}")
    dialect.do_release_savepoint = lambda connection, name: execute(connection, f"RELEASE SAVEPOINT {name}")
    dialect.do_rollback_to_savepoint = lambda connection, name: execute(connection, f"ROLLBACK TO SAVEPOINT {name}")


def _raw(connection: Connection) -> Any:
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.driver_connection


@contextmanager
def _failures(connection: Connection, raw: Any, sql: str) -> Iterator[None]:
    dialect: Any = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as problem:
        gone = bool(dialect.is_disconnect(problem, raw, None))
        if gone:
            connection.invalidate(problem)
        raise DBAPIError.instance(
            sql, None, problem, dialect.loaded_dbapi.Error, connection_invalidated=gone, dialect=dialect
        ) from problem

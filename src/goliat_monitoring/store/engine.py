"""Engines: what a database is told before anything else, so that a commit is durable and a reader cannot write.

SQLite and PostgreSQL are kept in lockstep: the same tables, the same statements, the same tests.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import QueuePool

from goliat_monitoring.store.checkpoint import AT_LAST_PAGES
from goliat_monitoring.store.driver import plain_savepoints
from goliat_monitoring.store.memory import forget_at_rollback
from goliat_monitoring.wire.errors import Refused

READERS = 4
# PostgreSQL and SQLite alike: a reader that waits longer has found trouble, and says so.
BUSY_MS = 10_000
# Statements that a SQLite connection keeps compiled.
STATEMENTS = 512
# Pages that a SQLite connection keeps; the system keeps the rest. A busy writer fills all of it.
CACHE_KB = 8_000


def sqlite_url(data_dir: Path) -> str:
    """The default database: one file in the data folder."""
    return f"sqlite:///{data_dir / 'goliat-monitoring.sqlite'}"


def database_url(text: str) -> URL:
    """The parsed URL with the driver that is used here. Raises `Refused` 400 for what is not supported."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise Refused(400, "bad database URL", f"{text!r}: use sqlite:///PATH or postgresql://HOST/NAME") from None
    backend = url.get_backend_name()
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if backend == "sqlite":
        return url
    raise Refused(400, "unsupported database", f"{backend}: use sqlite:///PATH or postgresql://HOST/NAME")


def make_engine(url: str, *, read_only: bool = False) -> Engine:
    """An engine with the settings that the design's durability rests on. One connection, or `READERS` that only read.

    Raises `Refused` 400 for an unsupported database.
    """
    parsed = database_url(url)
    size = READERS if read_only else 1
    if parsed.get_backend_name() == "sqlite":
        engine = _sqlite(parsed, size, read_only=read_only)
    else:
        engine = _postgresql(parsed, size, read_only=read_only)
    plain_savepoints(engine)
    forget_at_rollback(engine)
    return engine


def _sqlite(url: URL, size: int, *, read_only: bool) -> Engine:
    # Each thread's statements stay compiled: there are some hundred, of the busiest some in several sizes.
    engine = create_engine(
        url, poolclass=QueuePool, pool_size=size, max_overflow=0, connect_args={"cached_statements": STATEMENTS}
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # pysqlite starts transactions on its own and late; SQLAlchemy's recipe is to do it ourselves.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_MS}",
            f"cache_size=-{CACHE_KB}",
            # The checkpointer comes before that.
            f"wal_autocheckpoint={AT_LAST_PAGES}",
            *(["query_only=ON"] if read_only else []),
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: URL, size: int, *, read_only: bool) -> Engine:
    # A commit is durable only with synchronous_commit; a database may have been told otherwise.
    options = "-c synchronous_commit=on -c timezone=UTC -c lock_timeout=10s"
    if read_only:
        options += " -c default_transaction_read_only=on -c statement_timeout=30s"
    else:
        # The writer keeps its plans, those of foreign keys too. One that was made while a table was small, or new and
        # not yet looked through by autovacuum, would read all of it each time until that comes by, a minute later. What
        # the writer asks is asked by an index. Where none serves, the cost of a whole table looks as if compiling paid.
        options += " -c enable_seqscan=off -c jit=off"
    connect = {"options": options, "connect_timeout": 5, "application_name": "goliat-monitoring"}
    if read_only:
        # One snapshot for all that a page shows, as SQLite gives it.
        return create_engine(
            url, poolclass=QueuePool, pool_size=size, max_overflow=0, connect_args=connect, pool_pre_ping=True,
            isolation_level="REPEATABLE READ",
        )  # fmt: skip
    # The writer finds out by itself that its connection died, and has nothing to lose by it.
    return create_engine(url, poolclass=QueuePool, pool_size=size, max_overflow=0, connect_args=connect)

"""How large the database is, and what keeps it from growing: SQLite's write-ahead log is emptied when it is long."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
from sqlalchemy import Connection, delete, exc, insert, text

from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.engine import database_url
from goliat_monitoring.store.tables import server_facts

TABLES_SHOWN = 10
# How long emptying the write-ahead log may keep the writer waiting for a reader, seconds.
PATIENCE_S = 0.02
# The fact that `prove` changes.
PROOF = "written_at"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes. `size`: of the whole database. `wal`: of SQLite's write-ahead log, `reusable`: of what lies free
    inside its file, both None for PostgreSQL. `tables`: the largest of PostgreSQL, with their indexes.
    """

    kind: str
    size: int
    wal: int | None = None
    reusable: int | None = None
    tables: dict[str, int] = {}


def measure(connection: Connection) -> Health:
    """Sizes now. Cheap, whatever the database holds."""
    if connection.dialect.name == "sqlite":
        page, pages, free = (
            int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
            for name in ("page_size", "page_count", "freelist_count")
        )
        return Health(kind="sqlite", size=page * pages, wal=wal_size(str(connection.engine.url)), reusable=page * free)
    return Health(
        kind="postgresql",
        size=int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()),
        tables={
            row.name: int(row.size)
            for row in connection.execute(
                text(
                    "SELECT relname AS name, pg_total_relation_size(oid) AS size FROM pg_class "
                    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY size DESC LIMIT :count"
                ),
                {"count": TABLES_SHOWN},
            )
        },
    )


def prove(connection: Connection, now: int) -> None:
    """Change something: while writing is in trouble, only that shows that it can be done again. `now`: microseconds."""
    facts = server_facts
    connection.execute(delete(facts).where(facts.c.name == PROOF))
    connection.execute(insert(facts).values(name=PROOF, value=str(now)))
    touch(connection, "server")


def look(connection: Connection) -> None:
    """A transaction that changes nothing: the writer answers."""
    connection.exec_driver_sql("SELECT 1").close()


def wal_size(url: str) -> int:
    """Bytes of the write-ahead log of a SQLite database; 0 where there is none."""
    path = _sqlite_file(url)
    try:
        return Path(f"{path}-wal").stat().st_size if path else 0
    except OSError:
        return 0


def checkpoint(url: str, *, truncate: bool) -> int:
    """Bring SQLite's write-ahead log into the database; returns its size after that. For a thread that may wait.

    What can be done beside readers and the writer is. With `truncate` the rest too, while the writer stands still for
    a moment, and the file is emptied; not while a reader still needs it. Does nothing for PostgreSQL.
    """
    path = _sqlite_file(url)
    if path is None:
        return 0
    with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        if truncate:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    return wal_size(url)


def is_away(problem: BaseException) -> bool:
    """Whether `problem` means that the database cannot be reached or read, not that a statement was wrong."""
    # A damaged file of SQLite is a plain DatabaseError.
    return (
        isinstance(problem, (exc.OperationalError, exc.InterfaceError, exc.TimeoutError))
        or type(problem) is exc.DatabaseError
    )


def _sqlite_file(url: str) -> str | None:
    parsed = database_url(url)
    return parsed.database if parsed.get_backend_name() == "sqlite" else None

"""Sealed logs of runs that ended long ago, on their way from the database to the file storage.

All chunks of a run that are still in the database become one file: of each chunk the frame `text`, then the frame
`meta`. Only when the file is durable do the rows name it and let go of their frames, some at a time. A move that was
cut off begins again with the chunks that were not let go; each row names the file that holds it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.moment import Moment

chunks, runs = tables.log_chunks, tables.runs
# Runs that one look finds; chunks of about 55 KB that one read or one unit of work takes.
RUNS_AT_ONCE = 100
CHUNKS_AT_ONCE = 16


class Frames(NamedTuple):
    """One chunk as it lies in the database."""

    first_line: int
    text: bytes
    meta: bytes


class Place(NamedTuple):
    """Where a chunk's frames begin in the file."""

    first_line: int
    offset: int


def runs_to_move(connection: Connection, moment: Moment, kept: int) -> list[str]:
    """Runs that ended more than `kept` microseconds ago and have chunks in the database, oldest first."""
    here = exists().where(chunks.c.run_id == runs.c.id, chunks.c.storage_key.is_(None))
    query = select(runs.c.id).where(runs.c.ended_at <= moment.now - kept, here)
    return list(connection.execute(query.order_by(runs.c.ended_at).limit(RUNS_AT_ONCE)).scalars())


def frames(connection: Connection, run_id: str, after: int) -> list[Frames]:
    """The next chunks in the database after line `after`, in order."""
    query = (
        select(chunks.c.first_line, chunks.c.text, chunks.c.meta)
        .where(chunks.c.run_id == run_id, chunks.c.first_line > after, chunks.c.storage_key.is_(None))
        .order_by(chunks.c.first_line)
        .limit(CHUNKS_AT_ONCE)
    )
    return [Frames(row.first_line, row.text, row.meta) for row in connection.execute(query)]


def let_go(connection: Connection, run_id: str, key: str, places: Sequence[Place]) -> None:
    """The frames of these chunks lie durably in the file `key`: name it, and free theirs."""
    of_chunk = (chunks.c.run_id == run_id, chunks.c.first_line == bindparam("line"), chunks.c.storage_key.is_(None))
    statement = (
        update(chunks)
        .where(*of_chunk)
        .values(storage_key=key, storage_offset=bindparam("offset"), text=None, meta=None)
    )
    connection.execute(statement, [{"line": place.first_line, "offset": place.offset} for place in places])


def is_named(connection: Connection, run_id: str, key: str) -> bool:
    """Whether a chunk of the run lies in the file `key`; none does when the run was deleted."""
    there = select(chunks.c.first_line).where(chunks.c.run_id == run_id, chunks.c.storage_key == key).limit(1)
    return connection.execute(there).one_or_none() is not None


def file_of(run_id: str, first_line: int) -> str:
    """The storage key of the file that begins with this chunk."""
    return f"logs/{run_id}/{first_line}"

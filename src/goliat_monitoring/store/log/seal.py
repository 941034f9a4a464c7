"""Sealing: the oldest rows of a run's tail become a chunk.

In two steps, so that the writer does not wait for the compression: `prepare` reads rows and packs them, `put` swaps
them for the chunks in one transaction. Rows of the tail never change, so nothing can come between, except that somebody
else sealed them first or the run was deleted: then `put` changes nothing.

The newest records stay in the tail, as the folding of repeats looks back on them. A run that is over for a while is
sealed whole; what still comes after that is folded only among itself.
"""

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.log.append import LOOKED_BACK
from goliat_monitoring.store.log.chunk import SEAL_BYTES, Sealed, StoredLine, seal
from goliat_monitoring.store.log.fold import Record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.clock import SECOND

# Lines in one chunk at most, however short they are.
MOST_LINES = 16_384
# So long after its end, and after its newest line came, a run's log is sealed whole; microseconds.
SETTLED = 600 * SECOND
# Runs that one look finds.
AT_ONCE = 1_000

runs, tail, chunks = tables.runs, tables.log_tail, tables.log_chunks
_decode = msgspec.json.Decoder(list[Record]).decode


class Overtaken(Exception):
    """The rows are not as they were read: nothing was changed. Look again."""


class Candidate(msgspec.Struct, frozen=True):
    """A run with something to seal. `over`: it ended some time ago."""

    run_id: str
    over: bool


class Parcel(msgspec.Struct, frozen=True):
    """Rows of the tail, `rows` from line `first_line` to `last_line` with `size` bytes, and the chunks they become.

    `received_at`: for each chunk when its last line came. `whole`: nothing stays in the tail.
    """

    run_id: str
    first_line: int
    last_line: int
    rows: int
    size: int
    chunks: list[Sealed]
    received_at: list[int]
    whole: bool


def candidates(connection: Connection, moment: Moment) -> list[Candidate]:
    """Runs that may have something to seal, some at a time; those that are over first."""
    over = connection.execute(
        select(runs.c.id)
        .where(tables.OVER_UNSEALED, runs.c.ended_at <= moment.now - SETTLED)
        .order_by(runs.c.ended_at)
        .limit(AT_ONCE)
    ).scalars()
    found = {run_id: Candidate(run_id, over=True) for run_id in over}
    full = connection.execute(
        select(runs.c.id).where(tables.TO_SEAL).order_by(runs.c.tail_size.desc()).limit(AT_ONCE)
    ).scalars()
    for run_id in full:
        found.setdefault(run_id, Candidate(run_id, over=False))
    return list(found.values())


def prepare(connection: Connection, moment: Moment, candidate: Candidate) -> Parcel | None:
    """The oldest rows of the run's tail as chunks; None where nothing is to be sealed now."""
    run_id = candidate.run_id
    run = connection.execute(select(runs.c.line_count, runs.c.tail_size).where(runs.c.id == run_id)).one_or_none()
    if run is None:
        return None
    whole = candidate.over and _settled(connection, moment, run_id)
    if not whole and run.tail_size < SEAL_BYTES:
        return None
    rows, lines = _oldest(connection, run_id, run.line_count, whole=whole)
    if not rows:
        return None
    parts = list(_parts(lines))
    starts = accumulate(map(len, parts), initial=rows[0].first_line)
    last = rows[0].first_line + len(lines) - 1
    return Parcel(
        run_id=run_id,
        first_line=rows[0].first_line,
        last_line=last,
        rows=len(rows),
        size=sum(row.size for row in rows),
        chunks=[seal(part, start) for part, start in zip(parts, starts, strict=False)],
        received_at=[max(line.received_at for line in part) for part in parts],
        whole=whole and last == run.line_count,
    )


def put(connection: Connection, parcel: Parcel) -> None:
    """Swap the rows for the chunks. Raises `Overtaken` if they are not what they were; the caller rolls back."""
    run_id = parcel.run_id
    of_run = runs.c.id == run_id
    count = connection.execute(select(runs.c.line_count).where(of_run).with_for_update()).scalar_one_or_none()
    gone = connection.execute(
        delete(tail).where(tail.c.run_id == run_id, tail.c.first_line.between(parcel.first_line, parcel.last_line))
    )
    if gone.rowcount != parcel.rows or (parcel.whole and count != parcel.last_line):
        raise Overtaken(run_id)
    connection.execute(insert(chunks), [
        {
            "run_id": run_id,
            "first_line": chunk.first_line,
            "count": chunk.count,
            "first_sender_at": chunk.first_time,
            "last_sender_at": chunk.last_time,
            "last_received_at": received_at,
            "levels": msgspec.json.encode(chunk.counts).decode(),
            "raw_size": chunk.raw_size,
            "text_size": len(chunk.text),
            "meta_size": len(chunk.meta),
            "text": chunk.text,
            "meta": chunk.meta,
        }
        for chunk, received_at in zip(parcel.chunks, parcel.received_at, strict=True)
    ])  # fmt: skip
    values: dict[str, Any] = {"tail_size": runs.c.tail_size - parcel.size}
    if parcel.whole:
        # What folds the next line must be what the tail tells, or it could not be told again: forget what is in memory.
        values["log_token"] = random.getrandbits(62)
    connection.execute(update(runs).where(of_run).values(values))


def _settled(connection: Connection, moment: Moment, run_id: str) -> bool:
    """Whether no line came for a while: late ones come in many small pieces, and should not be sealed one by one."""
    newest = connection.execute(
        select(tail.c.received_at).where(tail.c.run_id == run_id).order_by(tail.c.first_line.desc()).limit(1)
    ).scalar()
    return newest is not None and bool(newest <= moment.now - SETTLED)


def _oldest(connection: Connection, run_id: str, line_count: int, *, whole: bool) -> tuple[list[Any], list[StoredLine]]:
    """The oldest rows, and their lines: about a chunk of text, or one row if that holds more.

    What stays is enough to look back on, or, if `whole`, nothing.
    """
    query = (
        select(
            tail.c.first_line, tail.c.count.label("lines"), tail.c.size, tail.c.received_at, tail.c.late, tail.c.body
        )
        .where(tail.c.run_id == run_id)
        .order_by(tail.c.first_line)
        .execution_options(yield_per=50)
    )
    rows: list[Any] = []
    lines: list[StoredLine] = []
    size = 0
    with connection.execute(query) as found:
        for row in found:
            full = rows and (size >= SEAL_BYTES or len(lines) + row.lines > MOST_LINES)
            if full and line_count - row.first_line + 1 >= LOOKED_BACK:
                break
            if not whole and line_count - (row.first_line + row.lines - 1) < LOOKED_BACK:
                break
            rows.append(row)
            for it in _decode(row.body):
                lines.append(StoredLine(it.time, it.level, it.source, it.text, row.received_at, row.late))
                size += len(it.text) + 1
    return rows, lines


def _parts(lines: Sequence[StoredLine]) -> Iterator[Sequence[StoredLine]]:
    """`lines` in equal parts of about a chunk of text each, as one row may hold more than that."""
    whole = sum(len(line.text) + 1 for line in lines)
    enough = whole / max(round(whole / SEAL_BYTES), 1)
    start = size = 0
    for end, line in enumerate(lines, 1):
        size += len(line.text) + 1
        if size >= enough or end - start >= MOST_LINES or end == len(lines):
            yield lines[start:end]
            start, size = end, 0

"""How the numbered lines of a run lie: from line 1 on in sealed chunks, then in the rows of the tail, without a gap.

Pieces are found by their first line through the primary keys, so a log's length costs nothing. What a piece holds is
fetched and unpacked only when it is asked for.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.store import driver
from goliat_monitoring.store.bulk import marked
from goliat_monitoring.store.log.chunk import StoredLine, open_lines, plain_blob, plain_line
from goliat_monitoring.store.log.fold import Record
from goliat_monitoring.store.log.kinds import Kinds, counted

# Reads bytes of a stored file: its key, the first byte, how many. Called in the thread that reads the log.
Load = Callable[[str, int, int], bytes]
Numbered = tuple[int, StoredLine]

# Bytes of rows of the tail that make one piece; a single row may be larger.
PIECE_BYTES = 64 * 1024

_decode = msgspec.json.Decoder(list[Record]).decode
_decode_counts = msgspec.json.Decoder(dict[str, int]).decode

# Rows of one table that hold lines from one number to another. Numbers have no gap, so a row ends where one begins.
_BETWEEN = """
    SELECT {columns} FROM {table} AS t
    WHERE t.run_id = {{value}} AND t.first_line <= {{value}} AND t.first_line >= coalesce(
        (SELECT max(b.first_line) FROM {table} AS b WHERE b.run_id = {{value}} AND b.first_line <= {{value}}), {{value}}
    )
    ORDER BY t.first_line {order} LIMIT {at_once}
"""
_TAIL_BEGINS = "SELECT min(first_line) FROM log_tail WHERE run_id = {value}"
_CHUNK = "SELECT {columns} FROM log_chunks WHERE run_id = {{value}} AND first_line = {{value}}"
_WHERE_IT_LIES = _CHUNK.format(columns="storage_key, storage_offset, text_size, meta_size")
_TEXT = _CHUNK.format(columns="text")
_BOTH = _CHUNK.format(columns="text, meta")


class _Source(NamedTuple):
    """A table of pieces: how it is read forward and backward, and how many rows at once."""

    forward: str
    backward: str
    at_once: int


def _source(table: str, columns: str, at_once: int) -> _Source:
    forward, backward = (
        _BETWEEN.format(table=table, columns=columns, order=order, at_once=at_once) for order in ("ASC", "DESC")
    )
    return _Source(forward, backward, at_once)


# Their first two columns are the number of the first line and how many there are.
_CHUNKS = _source("log_chunks", "t.first_line, t.count, t.levels", 100)
_ROWS = _source("log_tail", "t.first_line, t.count, t.size, t.received_at, t.late, t.body", 32)


class Chunk:
    """A sealed piece. `first_line`, `last_line`: the numbers of its first and last line."""

    def __init__(self, connection: Connection, run_id: str, load: Load, head: tuple[int, int, str]) -> None:
        self._connection = connection
        self._load = load
        self.first_line, count, self._counts = head
        self.last_line = self.first_line + count - 1
        self._key = run_id, self.first_line

    def may_hold(self, kinds: Kinds) -> bool:
        """Whether one of its lines may be of `kinds`."""
        if not kinds:
            return True
        counts = self.counts()
        return not kinds.can_tell(counts) or kinds.count(counts) > 0

    def count(self, kinds: Kinds) -> int:
        """How many of its lines are of `kinds`. Only old chunks are opened for that."""
        counts = self.counts()
        if not kinds.can_tell(counts):
            counts = counted(line for _, line in self.lines(self.first_line, self.last_line))
        return kinds.count(counts)

    def counts(self) -> dict[str, int]:
        """How many of its lines are of each kind: counted when they were sealed."""
        return _decode_counts(self._counts)

    def plain(self) -> bytes:
        """The plain lines in UTF-8, joined by line breaks."""
        (text,) = self._row(_TEXT)
        return plain_blob(self._stored()[0] if text is None else text)

    def lines(self, first: int, last: int) -> list[Numbered]:
        """Its lines from number `first` to number `last`."""
        text, meta = self._row(_BOTH)
        if text is None:
            text, meta = self._stored(with_meta=True)
        return open_lines(meta, text, self.first_line, first=first, last=last)

    def _stored(self, *, with_meta: bool = False) -> tuple[bytes, bytes]:
        """The two frames from the artifact storage; the second is empty unless asked for."""
        key, offset, text_size, meta_size = self._row(_WHERE_IT_LIES)
        both = self._load(key, offset, text_size + (meta_size if with_meta else 0))
        return both[:text_size], both[text_size:]

    def _row(self, sql: str) -> tuple[Any, ...]:
        (row,) = driver.fetch(self._connection, marked(self._connection, sql), self._key)
        return row


class Rows:
    """A piece of the tail: rows that follow each other."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.first_line: int = rows[0][0]
        self.last_line: int = rows[-1][0] + rows[-1][1] - 1

    def may_hold(self, _kinds: Kinds) -> bool:
        """Nobody counted the lines that are not sealed."""
        return True

    def count(self, kinds: Kinds) -> int:
        """How many of its lines are of `kinds`."""
        return kinds.count(self.counts())

    def counts(self) -> dict[str, int]:
        """How many of its lines are of each kind. They are few, as they were not sealed yet."""
        return counted(record for *_, body in self._rows for record in _decode(body))

    def plain(self) -> bytes:
        """The plain lines in UTF-8, joined by line breaks."""
        return plain_text(record.text for *_, body in self._rows for record in _decode(body))

    def lines(self, first: int, last: int) -> list[Numbered]:
        """Its lines from number `first` to number `last`."""
        found: list[Numbered] = []
        for start, count, _, received_at, late, body in self._rows:
            if start > last or start + count <= first:
                continue
            found += [
                (n, StoredLine(it.time, it.level, it.source, it.text, received_at, bool(late)))
                for n, it in enumerate(_decode(body), start)
                if first <= n <= last
            ]
        return found


Piece = Chunk | Rows


def pieces(
    connection: Connection, run_id: str, load: Load, first: int, last: int, *, backward: bool = False
) -> Generator[Piece, None, None]:
    """The pieces that hold lines from number `first` to number `last`, in order or with the newest first."""
    if first > last:
        return
    ((tail_begins,),) = driver.fetch(connection, marked(connection, _TAIL_BEGINS), (run_id,))
    sealed = last if tail_begins is None else min(tail_begins - 1, last)
    if backward:
        yield from _tail_pieces(connection, run_id, max(first, sealed + 1), last, backward=True)
        yield from _chunk_pieces(connection, run_id, load, first, sealed, backward=True)
    else:
        yield from _chunk_pieces(connection, run_id, load, first, sealed, backward=False)
        yield from _tail_pieces(connection, run_id, max(first, sealed + 1), last, backward=False)


def plain_text(texts: Iterable[str]) -> bytes:
    """`texts`, which may hold terminal escapes, as a chunk keeps plain lines: in UTF-8, joined by line breaks."""
    return "\n".join(map(plain_line, texts)).encode("utf-8", "surrogatepass")


def _chunk_pieces(
    connection: Connection, run_id: str, load: Load, first: int, last: int, *, backward: bool
) -> Iterator[Chunk]:
    for first_line, count, counts in _between(connection, _CHUNKS, run_id, first, last, backward=backward):
        yield Chunk(connection, run_id, load, (first_line, count, counts))


def _tail_pieces(connection: Connection, run_id: str, first: int, last: int, *, backward: bool) -> Iterator[Rows]:
    waiting: list[tuple[Any, ...]] = []
    size = 0
    for row in _between(connection, _ROWS, run_id, first, last, backward=backward):
        waiting.append(row)
        size += row[2]
        if size >= PIECE_BYTES:
            yield Rows(waiting[::-1] if backward else waiting)
            waiting, size = [], 0
    if waiting:
        yield Rows(waiting[::-1] if backward else waiting)


def _between(
    connection: Connection, source: _Source, run_id: str, first: int, last: int, *, backward: bool
) -> Iterator[tuple[Any, ...]]:
    """Rows that hold lines from number `first` to number `last`, a few at once."""
    sql = marked(connection, source.backward if backward else source.forward)
    while first <= last:
        rows = driver.fetch(connection, sql, (run_id, last, run_id, first, first))
        yield from rows
        if len(rows) < source.at_once:
            return
        if backward:
            last = rows[-1][0] - 1
        else:
            first = rows[-1][0] + rows[-1][1]

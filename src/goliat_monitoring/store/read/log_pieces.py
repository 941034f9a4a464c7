"""How the numbered lines of a run lie: from line 1 on in sealed chunks, then in the rows of the tail, without a gap.

Pieces are found by their first line through the primary keys, so a log's length costs nothing. What a piece holds is
fetched and unpacked only when it is asked for.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.log.chunk import StoredLine, open_lines, plain_blob, plain_line
from goliat_monitoring.store.log.fold import Record

# Reads bytes of a stored file: its key, the first byte, how many. Called in the thread that reads the log.
Load = Callable[[str, int, int], bytes]
Numbered = tuple[int, StoredLine]

# Bytes of rows of the tail that make one piece; a single row may be larger.
PIECE_BYTES = 64 * 1024

tail, chunks = tables.log_tail, tables.log_chunks
# A row has a method named `count` of its own, so that column is called `lines`.
_decode = msgspec.json.Decoder(list[Record]).decode
_decode_levels = msgspec.json.Decoder(dict[str, int]).decode
_run: BindParameter[str] = bindparam("run")
_first: BindParameter[int] = bindparam("first")
_last: BindParameter[int] = bindparam("last")


def _between(*columns: Any) -> Select[Any]:
    """Rows of one table that hold lines from `first` to `last`. Numbers have no gap, so a row ends where one begins."""
    table = columns[0].table
    holds_first = (
        select(func.max(table.c.first_line))
        .where(table.c.run_id == _run, table.c.first_line <= _first)
        .scalar_subquery()
    )
    return select(*columns).where(
        table.c.run_id == _run,
        table.c.first_line >= func.coalesce(holds_first, _first),
        table.c.first_line <= _last,
    )


_TAIL_BEGINS = select(func.min(tail.c.first_line)).where(tail.c.run_id == _run)
_HEADS = _between(chunks.c.first_line, chunks.c.count.label("lines"), chunks.c.levels)
_ROWS = _between(
    tail.c.first_line, tail.c.count.label("lines"), tail.c.size, tail.c.received_at, tail.c.late, tail.c.body
)
_WHERE_IT_LIES = (
    select(chunks.c.storage_key, chunks.c.storage_offset, chunks.c.text_size, chunks.c.meta_size)
    .where(chunks.c.run_id == _run, chunks.c.first_line == _first)
)  # fmt: skip
_TEXT = select(chunks.c.text).where(chunks.c.run_id == _run, chunks.c.first_line == _first)
_BOTH = select(chunks.c.text, chunks.c.meta).where(chunks.c.run_id == _run, chunks.c.first_line == _first)


class Chunk:
    """A sealed piece. `first_line`, `last_line`: the numbers of its first and last line."""

    def __init__(self, connection: Connection, run_id: str, load: Load, head: Row[Any]) -> None:
        self._connection = connection
        self._load = load
        self._levels: str = head.levels
        self.first_line: int = head.first_line
        self.last_line: int = head.first_line + head.lines - 1
        self._key = {"run": run_id, "first": self.first_line}

    def may_hold(self, levels: frozenset[str]) -> bool:
        """Whether one of its lines is of one of `levels`. No level is any."""
        return not levels or not levels.isdisjoint(self.levels())

    def levels(self) -> dict[str, int]:
        """How many of its lines are of each level: counted when they were sealed."""
        return _decode_levels(self._levels)

    def plain(self) -> bytes:
        """The plain lines in UTF-8, joined by line breaks."""
        text: bytes | None = self._connection.execute(_TEXT, self._key).scalar_one()
        return plain_blob(self._stored()[0] if text is None else text)

    def lines(self, first: int, last: int) -> list[Numbered]:
        """Its lines from number `first` to number `last`."""
        text, meta = self._connection.execute(_BOTH, self._key).one()
        if text is None:
            text, meta = self._stored(with_meta=True)
        return open_lines(meta, text, self.first_line, first=first, last=last)

    def _stored(self, *, with_meta: bool = False) -> tuple[bytes, bytes]:
        """The two frames from the artifact storage; the second is empty unless asked for."""
        key, offset, text_size, meta_size = self._connection.execute(_WHERE_IT_LIES, self._key).one()
        both = self._load(key, offset, text_size + (meta_size if with_meta else 0))
        return both[:text_size], both[text_size:]


class Rows:
    """A piece of the tail: rows that follow each other."""

    def __init__(self, rows: Sequence[Any]) -> None:
        self._rows = rows
        self.first_line: int = rows[0].first_line
        self.last_line: int = rows[-1].first_line + rows[-1].lines - 1

    def may_hold(self, _levels: frozenset[str]) -> bool:
        """Nobody counted the levels of lines that are not sealed."""
        return True

    def levels(self) -> dict[str, int]:
        """How many of its lines are of each level. They are few, as they were not sealed yet."""
        return dict(Counter(record.level for row in self._rows for record in _decode(row.body)))

    def plain(self) -> bytes:
        """The plain lines in UTF-8, joined by line breaks."""
        return plain_text(record.text for row in self._rows for record in _decode(row.body))

    def lines(self, first: int, last: int) -> list[Numbered]:
        """Its lines from number `first` to number `last`."""
        found: list[Numbered] = []
        for start, count, _, received_at, late, body in self._rows:
            if start > last or start + count <= first:
                continue
            found += [
                (n, StoredLine(it.time, it.level, it.source, it.text, received_at, late))
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
    tail_begins = connection.execute(_TAIL_BEGINS, {"run": run_id}).scalar()
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
    if first > last:
        return
    order = chunks.c.first_line.desc() if backward else chunks.c.first_line
    query = _HEADS.order_by(order).execution_options(yield_per=100)
    with connection.execute(query, {"run": run_id, "first": first, "last": last}) as heads:
        for head in heads:
            yield Chunk(connection, run_id, load, head)


def _tail_pieces(connection: Connection, run_id: str, first: int, last: int, *, backward: bool) -> Iterator[Rows]:
    if first > last:
        return
    order = tail.c.first_line.desc() if backward else tail.c.first_line
    query = _ROWS.order_by(order).execution_options(yield_per=20)
    waiting: list[Row[Any]] = []
    size = 0
    with connection.execute(query, {"run": run_id, "first": first, "last": last}) as rows:
        for row in rows:
            waiting.append(row)
            size += row.size
            if size >= PIECE_BYTES:
                yield Rows(waiting[::-1] if backward else waiting)
                waiting, size = [], 0
    if waiting:
        yield Rows(waiting[::-1] if backward else waiting)

"""Reading the log of a run by line number. Lines that wait for their number come at the end, with none."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import fetch, marked, rows_of
from goliat_monitoring.store.log.chunk import StoredLine
from goliat_monitoring.store.log.fold import Repeat
from goliat_monitoring.store.log.held import lines_of
from goliat_monitoring.store.log.kinds import ALL, Kinds
from goliat_monitoring.store.read.log_pieces import Load, Numbered, pieces
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import plain

NEWEST = 1_000
# Bytes of text in one answer at which it ends early; a single line may be longer.
ENOUGH = 8 * 2**20

# Which rows wait is answered by the index alone.
_COUNTS = """
    SELECT r.line_count, (
        SELECT coalesce(sum(w.count), 0) FROM log_window AS w WHERE w.id IN (
            SELECT i.id FROM log_window AS i WHERE i.run_id = r.id AND i.id > r.numbered_to
        )
    ) FROM runs AS r WHERE r.id = {value}
"""
_WAITING = """
    SELECT w.received_at, w.body FROM log_window AS w WHERE w.id IN (
        SELECT i.id FROM runs AS r JOIN log_window AS i ON i.run_id = r.id AND i.id > r.numbered_to
        WHERE r.id = {value}
    ) ORDER BY w.id
"""
_REPEATS = """
    SELECT r.line, r.count, r.period, r.position, r.last_sender_at, r.last_text, r.kind
    FROM {rows} CROSS JOIN log_repeats AS r WHERE r.line = v.c0 AND r.run_id = {value}
"""


class LogLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`n`: its number, from 1; None while it waits for lines that raced with it. `time`: the sender's clock,
    `received_at` the server's, UTC microseconds. `late`: it came when lines after it already had their numbers.
    `text` holds no terminal escapes, unless they were asked for. `repeat`: how often it came, if more than once.
    """

    n: int | None
    time: int
    received_at: int
    level: str
    source: str
    text: str
    late: bool = False
    repeat: Repeat | None = None


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """`total`: how many lines are numbered and waiting together. `numbered`: those that have their number.

    `more`: it ended early, and there may be more in the direction in which it was read.
    """

    lines: list[LogLine]
    total: int
    numbered: int
    more: bool


def read_log(
    connection: Connection,
    run_id: str,
    load: Load,
    *,
    after: int = 0,
    before: int | None = None,
    limit: int = NEWEST,
    newest: bool = False,
    kinds: Kinds = ALL,
    raw: bool = False,
) -> LogPage:
    """At most `limit` lines after number `after`, in order. Waiting lines follow once all numbered ones are in.

    With `before` only lines before that number: the last of them, unless `after` is given too. With `newest` the last
    lines of all. `kinds`: only lines of these. `raw` keeps terminal escapes. Raises `Refused` 404.
    """
    numbered, waiting_count = line_counts(connection, run_id)
    top = numbered if before is None else min(numbered, before - 1)
    backward = newest or (before is not None and after == 0)
    # What waits comes after all numbers.
    waiting = waiting_lines(connection, run_id, raw=raw) if waiting_count and before is None else []
    waiting = [line for line in waiting if kinds.holds(line)]
    if backward:
        last_ones = waiting[max(len(waiting) - limit, 0) :]
        room = limit - len(last_ones)
        first = after + 1 if kinds else max(after + 1, top - room + 1)
        found, whole = _walk(connection, run_id, load, first, top, room, kinds, backward=True)
        lines = _shown(connection, run_id, found[::-1], raw=raw) + last_ones
        more = len(last_ones) < len(waiting) or not whole or first > after + 1
    else:
        last = top if kinds else min(top, after + limit)
        found, whole = _walk(connection, run_id, load, after + 1, last, limit, kinds, backward=False)
        lines = _shown(connection, run_id, found, raw=raw)
        more = not whole or last < top
        if not more:
            first_ones = waiting[: limit - len(lines)]
            lines += first_ones
            more = len(first_ones) < len(waiting)
    return LogPage(lines=lines, total=numbered + waiting_count, numbered=numbered, more=more)


def newest_lines(connection: Connection, run_id: str, load: Load, limit: int = NEWEST) -> LogPage:
    """The last `limit` lines, waiting ones included. Raises `Refused` 404."""
    return read_log(connection, run_id, load, limit=limit, newest=True)


def numbered_lines(
    connection: Connection, run_id: str, load: Load, numbers: list[int], *, raw: bool = False
) -> list[LogLine]:
    """The lines with these numbers, which are in order."""
    found: list[Numbered] = []
    if numbers:
        at = 0
        for piece in pieces(connection, run_id, load, numbers[0], numbers[-1]):
            end = at
            while end < len(numbers) and numbers[end] <= piece.last_line:
                end += 1
            if end > at:
                wanted = set(numbers[at:end])
                found += [it for it in piece.lines(numbers[at], numbers[end - 1]) if it[0] in wanted]
                at = end
    return _shown(connection, run_id, found, raw=raw)


def rest_of_piece(
    connection: Connection, run_id: str, load: Load, after: int, last: int, *, raw: bool = False
) -> list[LogLine]:
    """Lines after number `after`, to the end of the piece that holds the first of them, but not beyond `last`.

    Lines that repeat in turn are not parted: then the next piece is in it too. For reading a whole log bit by bit.
    """
    lines: list[LogLine] = []
    walk = pieces(connection, run_id, load, after + 1, last)
    try:
        for piece in walk:
            lines += _shown(connection, run_id, piece.lines(after + 1, last), raw=raw)
            repeat = lines[-1].repeat
            if repeat is None or repeat.position == repeat.period - 1:
                break
    finally:
        walk.close()
    return lines


def line_counts(connection: Connection, run_id: str) -> tuple[int, int]:
    """How many lines have their number, and how many wait for it. Raises `Refused` 404."""
    found = driver.fetch(connection, marked(connection, _COUNTS), (run_id,))
    if not found:
        raise Refused(404, "no such run", run_id)
    ((numbered, waiting),) = found
    return numbered, waiting


def waiting_lines(connection: Connection, run_id: str, *, raw: bool = False) -> list[LogLine]:
    """Lines that wait for their number, in the order that they would get now."""
    rows = driver.fetch(connection, marked(connection, _WAITING), (run_id,))
    held = [(line, received_at) for received_at, body in rows for line in lines_of(body)]
    # Sorting keeps the order of arrival where all else is equal.
    held.sort(key=lambda it: (it[0].time, it[0].sequence, it[0].position))
    return [
        LogLine(
            n=None,
            time=line.time,
            received_at=received_at,
            level=line.level,
            source=line.source,
            text=line.text if raw else plain(line.text),
        )
        for line, received_at in held
    ]


def repeats_of(connection: Connection, run_id: str, numbers: Iterable[int]) -> dict[int, Repeat]:
    """How often each of these lines came, by number. A line that came once is left out."""
    wanted = [(n,) for n in numbers]
    if not wanted:
        return {}
    found = fetch(connection, _REPEATS, rows_of(connection, tables.log_repeats, ("line",)), wanted, run_id)
    return {row[0]: Repeat(*row[1:]) for row in found}


def _walk(
    connection: Connection,
    run_id: str,
    load: Load,
    first: int,
    last: int,
    limit: int,
    kinds: Kinds,
    *,
    backward: bool,
) -> tuple[list[Numbered], bool]:
    """At most `limit` lines from number `first` to `last`, and whether these are all; from the end if `backward`."""
    found: list[Numbered] = []
    size = 0
    if limit <= 0:
        return found, first > last
    walk = pieces(connection, run_id, load, first, last, backward=backward)
    try:
        for piece in walk:
            if not piece.may_hold(kinds):
                continue
            lines = piece.lines(first, last)
            for it in reversed(lines) if backward else lines:
                if kinds and not kinds.holds(it[1]):
                    continue
                if len(found) >= limit or size > ENOUGH:
                    return found, False
                found.append(it)
                size += len(it[1].text)
    finally:
        walk.close()
    return found, True


def _shown(connection: Connection, run_id: str, found: list[Numbered], *, raw: bool) -> list[LogLine]:
    repeats = repeats_of(connection, run_id, (n for n, _ in found))
    return [_line(n, line, repeats.get(n), raw=raw) for n, line in found]


def _line(n: int, line: StoredLine, repeat: Repeat | None, *, raw: bool) -> LogLine:
    if repeat is not None and repeat.last_text is not None and not raw:
        repeat = msgspec.structs.replace(repeat, last_text=plain(repeat.last_text))
    return LogLine(
        n=n,
        time=line.time,
        received_at=line.received_at,
        level=line.level,
        source=line.source,
        text=line.text if raw else plain(line.text),
        late=line.late,
        repeat=repeat,
    )

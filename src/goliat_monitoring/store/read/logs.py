"""Reading the log of a run by line number. Lines that wait for their number come at the end, with none."""

import msgspec
from sqlalchemy import Connection, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import Line, plain

tail, window, runs = tables.log_tail, tables.log_window, tables.runs

StoredLine = tuple[int, str, str, str]
# Bytes of text in one answer at which it ends early; a single line may be longer.
ENOUGH = 8 * 2**20


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """`n`: its number, from 1; None while it waits for lines that raced with it. `time`: the sender's clock, UTC
    microseconds. `late`: it came when lines after it already had their numbers. `text` holds no terminal escapes.
    """

    n: int | None
    time: int
    level: str
    source: str
    text: str
    late: bool = False


class LogPage(msgspec.Struct, frozen=True, kw_only=True):
    """`total`: how many lines are numbered and waiting together. `numbered`: those that have their number."""

    lines: list[LogLine]
    total: int
    numbered: int


def read_log(connection: Connection, run_id: str, *, after: int = 0, limit: int = 500, raw: bool = False) -> LogPage:
    """At most `limit` lines after number `after`, in order. Waiting lines follow once all numbered ones are in.

    `raw` keeps terminal escapes. Raises `Refused` 404.
    """
    numbered, waiting = _counts(connection, run_id)
    lines = _numbered(connection, run_id, after, limit, raw=raw)
    reached = lines[-1].n if lines else after
    if (reached or 0) >= numbered and len(lines) < limit and waiting:
        lines += _waiting(connection, run_id, limit - len(lines), raw=raw)
    return LogPage(lines=lines, total=numbered + waiting, numbered=numbered)


def newest_lines(connection: Connection, run_id: str, limit: int = 500) -> LogPage:
    """The last `limit` lines, waiting ones included. Raises `Refused` 404."""
    numbered, waiting = _counts(connection, run_id)
    of_waiting = min(waiting, limit)
    of_numbered = min(numbered, limit - of_waiting)
    lines = _numbered(connection, run_id, numbered - of_numbered, of_numbered, raw=False)
    lines += _waiting(connection, run_id, of_waiting, raw=False, skip=waiting - of_waiting)
    return LogPage(lines=lines, total=numbered + waiting, numbered=numbered)


def first_error(connection: Connection, run_id: str) -> int | None:
    """The number of the first error or fatal line. Reads the log up to it."""
    for stored in connection.execute(select(tail).where(tail.c.run_id == run_id).order_by(tail.c.first_line)):
        if b'"error"' not in stored.body and b'"fatal"' not in stored.body:
            continue
        for offset, line in enumerate(msgspec.json.decode(stored.body, type=list[StoredLine])):
            if line[1] in ("error", "fatal"):
                return int(stored.first_line + offset)
    return None


def _counts(connection: Connection, run_id: str) -> tuple[int, int]:
    numbered = connection.execute(select(runs.c.line_count).where(runs.c.id == run_id)).scalar_one_or_none()
    if numbered is None:
        raise Refused(404, "no such run", run_id)
    waiting = connection.execute(
        select(func.coalesce(func.sum(window.c.count), 0)).where(window.c.run_id == run_id)
    ).scalar_one()
    return numbered, waiting


def _numbered(connection: Connection, run_id: str, after: int, limit: int, *, raw: bool) -> list[LogLine]:
    """Rows of the tail hold several lines each: start at the one that holds line `after + 1`."""
    if limit <= 0:
        return []
    start = connection.execute(
        select(func.max(tail.c.first_line)).where(tail.c.run_id == run_id, tail.c.first_line <= after + 1)
    ).scalar()
    rows = connection.execute(
        select(tail.c.first_line, tail.c.late, tail.c.body)
        .where(tail.c.run_id == run_id, tail.c.first_line >= (start or 0))
        .order_by(tail.c.first_line)
        .execution_options(yield_per=100)
    )
    lines: list[LogLine] = []
    size = 0
    for row in rows:
        stored = msgspec.json.decode(row.body, type=list[StoredLine])
        for offset, (time, level, source, text) in enumerate(stored):
            n = row.first_line + offset
            if n <= after:
                continue
            shown = text if raw else plain(text)
            lines.append(LogLine(n=n, time=time, level=level, source=source, text=shown, late=row.late))
            size += len(shown)
            if len(lines) >= limit or size > ENOUGH:
                rows.close()
                return lines
    return lines


def _waiting(connection: Connection, run_id: str, limit: int, *, raw: bool, skip: int = 0) -> list[LogLine]:
    """Lines that wait for their number, in the order that they would get now."""
    rows = connection.execute(select(window).where(window.c.run_id == run_id).order_by(window.c.id)).all()
    held = [line for row in rows for line in msgspec.json.decode(row.body, type=list[Line])]
    # Sorting keeps the order of arrival where all else is equal.
    held.sort(key=lambda line: (line.time, line.sequence, line.position))
    return [
        LogLine(
            n=None, time=line.time, level=line.level, source=line.source, text=line.text if raw else plain(line.text)
        )
        for line in held[skip : skip + limit]
    ]

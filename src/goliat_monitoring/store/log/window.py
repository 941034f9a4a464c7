"""The reorder window: a bare client's lines race through three sender threads, so they wait for their neighbours.

A message's lines are kept as they came, one row. When its window is over they get their numbers, and with them every
line that was written before the last of them.
"""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, func, select

from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import Rows, delete_rows, fetch, lock_runs, rows_of, update_rows
from goliat_monitoring.store.log.append import LogRows, LogState
from goliat_monitoring.store.memory import Memory
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.lines import Line, plain

SortKey = tuple[int, int, int]

WINDOW = ("run_id", "received_at", "first_sender_at", "count", "body")
# Messages numbered in one transaction: the writer must not be kept from those who wait for an answer.
AT_ONCE = 128

runs, window = tables.runs, tables.log_window
CHANGED = ("line_count", "log_token", "tail_size", "log_key", "last_line_sender_at", "last_line")
# Answered by the index alone, which is in the order of arrival.
_DUE_RUNS = (
    select(window.c.run_id, func.count().label("rows"))
    .where(window.c.received_at <= bindparam("over"))
    .group_by(window.c.run_id)
)
_HELD = "SELECT w.id, w.run_id, w.received_at, w.body FROM log_window AS w WHERE w.id IN ({}) ORDER BY w.id"
# Which rows is answered by the index alone.
_DUE = _HELD.format(
    "SELECT due.id FROM log_window AS due WHERE due.run_id IN (SELECT v.c0 FROM {rows}) "
    "AND due.received_at <= {value} ORDER BY due.received_at, due.id LIMIT {value}"
)
_ALL = _HELD.format("SELECT a.id FROM log_window AS a JOIN {rows} ON a.run_id = v.c0")
_BY_ID = _HELD.format("SELECT v.c0 FROM {rows}")
# Answered by the index alone, as rows that were written that early are few.
_WRITTEN = (
    "SELECT w.id, w.run_id, w.first_sender_at FROM log_window AS w WHERE w.run_id IN (SELECT v.c0 FROM {rows}) "
    "AND w.first_sender_at <= {value}"
)
_STATES = (
    "SELECT r.id, r.line_count, r.log_token, r.tail_size, r.warnings + r.errors, r.log_key, r.last_line_sender_at, "
    "r.last_line FROM runs AS r JOIN {rows} ON r.id = v.c0 ORDER BY r.id"
)
_key: Callable[[Line], SortKey] = attrgetter("time", "sequence", "position")
_decode_lines = msgspec.json.Decoder(list[Line]).decode
_encode = msgspec.json.Encoder().encode


class Held(NamedTuple):
    """What of one message waits."""

    id: int
    run_id: str
    received_at: int
    body: bytes


class RunState(NamedTuple):
    """How far the log of a run has come, and the newest line that lists show."""

    id: str
    line_count: int
    token: int
    tail_size: int
    problems: int
    log_key: str | None
    last_line_sender_at: int | None
    last_line: str | None


def held_row(run_id: str, received_at: int, first_at: int, lines: Sequence[Line]) -> tuple[Any, ...]:
    """The row in which one message's lines wait; `first_at`: the earliest of their times."""
    return (run_id, received_at, first_at, len(lines), _encode(lines))


def due_runs(connection: Connection, moment: Moment) -> list[list[str]]:
    """Runs with lines whose window is over, in portions for `release`: few at a time and all that is due of each.

    So what a run costs is shared by its messages, and nobody waits long for the writer.
    """
    portions: list[list[str]] = []
    room = 0
    for run_id, rows in connection.execute(_DUE_RUNS, {"over": moment.now - moment.reorder_window}).all():
        if not portions or rows > room:
            portions.append([])
            room = AT_ONCE
        portions[-1].append(run_id)
        room -= rows
    return portions


def release(connection: Connection, moment: Moment, run_ids: Sequence[str]) -> bool:
    """Number the lines of these runs whose window is over. Returns whether there are more of them."""
    due = _held(connection, _DUE, [(run_id,) for run_id in run_ids], moment.now - moment.reorder_window, 2 * AT_ONCE)
    if due:
        _release(connection, _by_run(due), wait=True)
    return len(due) == 2 * AT_ONCE


def release_all(connection: Connection, run_id: str) -> None:
    """Number whatever the run still holds: it is over, and what follows is said about it, not by it."""
    held = _held(connection, _ALL, [(run_id,)])
    if held:
        _release(connection, {run_id: held}, wait=False)


def _held(connection: Connection, sql: str, run_ids: Rows, *values: int) -> list[Held]:
    source = rows_of(connection, window, ("run_id",))
    return [Held._make(row) for row in fetch(connection, sql, source, run_ids, *values)]


def _by_run(held: Iterable[Held]) -> dict[str, list[Held]]:
    by_run: dict[str, list[Held]] = {}
    for row in held:
        by_run.setdefault(row.run_id, []).append(row)
    return by_run


def _release(connection: Connection, by_run: dict[str, list[Held]], *, wait: bool) -> None:
    """Number the lines of rows by run, and of others that `wait` what was written before the last of them."""
    memory = Memory.of(connection)
    held = {run_id: _in_order(rows) for run_id, rows in by_run.items()}
    racing = _racing(connection, by_run, {run_id: lines[-1].time for run_id, lines in held.items()}) if wait else {}
    gone = [row.id for rows in by_run.values() for row in rows]
    rows = LogRows(connection)
    changed: list[tuple[Any, ...]] = []
    source = rows_of(connection, runs, ("id",))
    for values in fetch(connection, _STATES + lock_runs(connection), source, [(run_id,) for run_id in by_run]):
        run = RunState._make(values)
        lines = held[run.id]
        if run.id in racing:
            _join(connection, lines, racing[run.id], gone)
        state, key = _number(rows, run, lines, by_run[run.id][-1].received_at)
        newest = run.last_line_sender_at, run.last_line
        shown = next((plain(line.text).strip() for line in reversed(lines) if line.text.strip()), "")
        if shown and (newest[0] is None or lines[-1].time > newest[0]):
            newest = lines[-1].time, shown[:500]
        changed.append((run.id, state.line_count, state.token, state.tail_size, key, *newest))
    with driver.one_journey(connection):
        rows.save()
        update_rows(connection, runs, CHANGED, changed)
        delete_rows(connection, window, gone)
    if memory is not None:
        memory.update(CHANGED, changed)


def _join(connection: Connection, lines: list[Line], racing: Iterable[Held], gone: list[int]) -> None:
    """Add to `lines`, which are in order, what other rows hold that was written before the last of them."""
    cut = _key(lines[-1])
    for row in racing:
        found = _decode_lines(row.body)
        before = [line for line in found if _key(line) < cut]
        if before:
            lines += before
            _keep_rest(connection, row, [line for line in found if _key(line) >= cut], gone)
    lines.sort(key=_key)


def _in_order(rows: list[Held]) -> list[Line]:
    """The lines of rows that stand in the order of their arrival, which decides where all else is equal."""
    lines = [line for row in rows for line in _decode_lines(row.body)]
    lines.sort(key=_key)
    return lines


def _number(rows: LogRows, run: RunState, lines: list[Line], received_at: int) -> tuple[LogState, str | None]:
    numbered: SortKey | None = msgspec.json.decode(run.log_key, type=SortKey) if run.log_key else None
    state = LogState(run.line_count, run.token, run.tail_size, run.problems)
    first = 0
    if numbered is not None and _key(lines[0]) < numbered:
        # What sorts before a line that already has its number comes after it all the same, and says so.
        first = next((i for i, line in enumerate(lines) if _key(line) >= numbered), len(lines))
        state = rows.add(run.id, state, lines[:first], received_at, late=True)
    fresh = lines[first:]
    state = rows.add(run.id, state, fresh, received_at)
    key = _encode(_key(fresh[-1])).decode() if fresh else run.log_key
    return state, key


def _keep_rest(connection: Connection, row: Held, rest: list[Line], gone: list[int]) -> None:
    """What of a row is not numbered yet goes on waiting, in its place."""
    if not rest:
        gone.append(row.id)
        return
    connection.execute(
        window.update()
        .where(window.c.id == row.id)
        .values(first_sender_at=min(line.time for line in rest), count=len(rest), body=_encode(rest))
    )


def _racing(connection: Connection, by_run: dict[str, list[Held]], cuts: dict[str, int]) -> dict[str, list[Held]]:
    """By run the rows, not due yet, that hold a line written no later than the last one that is due."""
    known = {row.id for rows in by_run.values() for row in rows}
    source = rows_of(connection, window, ("run_id",))
    written = fetch(connection, _WRITTEN, source, [(run_id,) for run_id in cuts], max(cuts.values()))
    ids = [(row_id,) for row_id, run_id, first in written if first <= cuts[run_id] and row_id not in known]
    if not ids:
        return {}
    found = fetch(connection, _BY_ID, rows_of(connection, window, ("id",)), ids)
    return _by_run(Held._make(row) for row in found)

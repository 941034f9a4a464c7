"""The reorder window: a bare client's lines race through three sender threads, so they wait for their neighbours.

A message's lines are kept as they came, one row. When its window is over they get their numbers, and with them every
line that was written before the last of them.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import rows_of, update_rows
from goliat_monitoring.store.log.append import LogRows, LogState
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.lines import Line, plain

SortKey = tuple[int, int, int]

WINDOW = ("run_id", "received_at", "first_sender_at", "count", "body")
# Messages numbered in one transaction: the writer must not be kept from those who wait for an answer.
AT_ONCE = 200

runs, window = tables.runs, tables.log_window
CHANGED = ("line_count", "log_token", "tail_size", "log_key", "last_line_sender_at", "last_line")
# Made once: building a statement costs more than running it.
_STATES: Select[Any] = (
    select(runs.c.id, runs.c.line_count, runs.c.log_token, runs.c.tail_size, runs.c.warnings, runs.c.errors,
           runs.c.log_key, runs.c.last_line_sender_at, runs.c.last_line)
    .where(runs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(runs.c.id)
    .with_for_update()
)  # fmt: skip
_DUE_RUNS = (
    select(window.c.run_id, func.count().label("rows"), func.min(window.c.received_at).label("oldest"))
    .where(window.c.received_at <= bindparam("over"))
    .group_by(window.c.run_id)
    .order_by("oldest")
)
_DUE: Select[Any] = (
    select(window)
    .where(window.c.run_id.in_(bindparam("run_ids", expanding=True)), window.c.received_at <= bindparam("over"))
    .order_by(window.c.id)
    .limit(bindparam("at_once"))
)
_DELETE = delete(window).where(window.c.id.in_(bindparam("ids", expanding=True)))
_key: Callable[[Line], SortKey] = attrgetter("time", "sequence", "position")
_decode_lines = msgspec.json.Decoder(list[Line]).decode
_encode = msgspec.json.Encoder().encode


def held_row(run_id: str, received_at: int, first_at: int, lines: Sequence[Line]) -> tuple[Any, ...]:
    """The row in which one message's lines wait; `first_at`: the earliest of their times."""
    return (run_id, received_at, first_at, len(lines), _encode(lines))


def release_due(connection: Connection, moment: Moment) -> bool:
    """Number held lines whose window is over, some at a time. Returns whether more of them wait."""
    over = moment.now - moment.reorder_window
    runs_due = connection.execute(_DUE_RUNS, {"over": over}).all()
    if not runs_due:
        return False
    # All that is due of a run at once, of few runs: what each costs is shared by its messages.
    run_ids: list[str] = []
    count = 0
    for run_id, rows, _ in runs_due:
        if run_ids and count + rows > AT_ONCE:
            break
        run_ids.append(run_id)
        count += rows
    by_run: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(_DUE, {"run_ids": run_ids, "over": over, "at_once": 2 * AT_ONCE}).all():
        by_run.setdefault(row.run_id, []).append(row)
    _release(connection, by_run, wait=True)
    return len(run_ids) < len(runs_due) or count > 2 * AT_ONCE


def release_all(connection: Connection, run_id: str) -> None:
    """Number whatever the run still holds: it is over, and what follows is said about it, not by it."""
    held = connection.execute(select(window).where(window.c.run_id == run_id).order_by(window.c.id)).all()
    if held:
        _release(connection, {run_id: list(held)}, wait=False)


def _release(connection: Connection, by_run: dict[str, list[Row[Any]]], *, wait: bool) -> None:
    """Number the lines of rows by run, and of others that `wait` what was written before the last of them."""
    held = {run_id: _in_order(rows) for run_id, rows in by_run.items()}
    racing = _racing(connection, by_run, {run_id: lines[-1].time for run_id, lines in held.items()}) if wait else {}
    gone = [row.id for rows in by_run.values() for row in rows]
    rows = LogRows(connection)
    changed: list[tuple[Any, ...]] = []
    states = connection.execute(_STATES, {"ids": list(by_run)}).all()
    for run in states:
        lines = held[run.id]
        cut = _key(lines[-1])
        for row in racing.get(run.id, ()):
            found = _decode_lines(row.body)
            before = [line for line in found if _key(line) < cut]
            if before:
                lines += before
                _keep_rest(connection, row, [line for line in found if _key(line) >= cut], gone)
        lines.sort(key=_key)
        state, key = _number(rows, run, lines, by_run[run.id][-1].received_at)
        newest = run.last_line_sender_at, run.last_line
        shown = next((plain(line.text).strip() for line in reversed(lines) if line.text.strip()), "")
        if shown and (newest[0] is None or lines[-1].time > newest[0]):
            newest = lines[-1].time, shown[:500]
        changed.append((run.id, state.line_count, state.token, state.tail_size, key, *newest))
    rows.save()
    update_rows(connection, tables.runs, CHANGED, changed)
    for start in range(0, len(gone), 500):
        connection.execute(_DELETE, {"ids": gone[start : start + 500]})


def _in_order(rows: list[Row[Any]]) -> list[Line]:
    """The lines of rows that stand in the order of their arrival, which decides where all else is equal."""
    lines = [line for row in rows for line in _decode_lines(row.body)]
    lines.sort(key=_key)
    return lines


def _number(rows: LogRows, run: Row[Any], lines: list[Line], received_at: int) -> tuple[LogState, str | None]:
    numbered: SortKey | None = msgspec.json.decode(run.log_key, type=SortKey) if run.log_key else None
    state = LogState(run.line_count, run.log_token, run.tail_size, run.warnings + run.errors)
    first = 0
    if numbered is not None and _key(lines[0]) < numbered:
        # What sorts before a line that already has its number comes after it all the same, and says so.
        first = next((i for i, line in enumerate(lines) if _key(line) >= numbered), len(lines))
        state = rows.add(run.id, state, lines[:first], received_at, late=True)
    fresh = lines[first:]
    state = rows.add(run.id, state, fresh, received_at)
    key = _encode(_key(fresh[-1])).decode() if fresh else run.log_key
    return state, key


def _keep_rest(connection: Connection, row: Row[Any], rest: list[Line], gone: list[int]) -> None:
    """What of a row is not numbered yet goes on waiting, in its place."""
    if not rest:
        gone.append(row.id)
        return
    connection.execute(
        window.update()
        .where(window.c.id == row.id)
        .values(first_sender_at=min(line.time for line in rest), count=len(rest), body=_encode(rest))
    )


def _racing(
    connection: Connection, by_run: dict[str, list[Row[Any]]], cuts: dict[str, int]
) -> dict[str, list[Row[Any]]]:
    """By run the rows, not due yet, that hold a line written no later than the last one that is due."""
    known = {row.id for rows in by_run.values() for row in rows}
    source = rows_of(connection, tables.log_window, ("run_id", "first_sender_at"))
    found = connection.exec_driver_sql(
        "SELECT w.id, w.run_id, w.body FROM log_window AS w "  # noqa: S608 - own names
        f"JOIN {source.sql} ON w.run_id = v.c0 AND w.first_sender_at <= v.c1 ORDER BY w.id",
        source.parameters(list(cuts.items())),
    )
    racing: dict[str, list[Row[Any]]] = {}
    for row in found.all():
        if row.id not in known:
            racing.setdefault(row.run_id, []).append(row)
    return racing

"""The reorder window: a bare client's lines race through three sender threads, so they wait for their neighbours.

A message's lines are kept as they came, one row. When its window is over they get their numbers, and with them every
line that was written before the last of them. Each run says up to which row its lines have them (`numbered_to`): such
rows wait for nothing but their end, and `forget` ends them together, in the order in which they lie on the disk.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select, text

from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import Rows, delete_rows, fetch, fetch_later, lock_runs, marked, rows_of, update_rows
from goliat_monitoring.store.log.append import LogRows, LogState, state_values
from goliat_monitoring.store.log.held import Body, body_of, lines_of
from goliat_monitoring.store.memory import Memory
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.lines import Line, plain

SortKey = tuple[int, int, int]

WINDOW = ("run_id", "received_at", "first_sender_at", "last_sender_at", "count", "body")
# Messages numbered in one transaction: the writer must not be kept from those who wait for an answer. More than that
# only of one run, up to twice as many.
AT_ONCE = 128
# Rows ended in one transaction.
FORGOTTEN_AT_ONCE = 256

runs, window = tables.runs, tables.log_window
CHANGED = ("line_count", "log_token", "tail_size", "log_key", "last_line_sender_at", "last_line", "numbered_to")
_ANY_OVER = select(window.c.id).where(window.c.received_at <= bindparam("over")).limit(1)
# Answered by the index alone, in one look through it however many runs there are. A row that arrived before one that is
# due is due as well, whatever the clock said.
_DUE = """
    WITH ripe AS (
        SELECT run_id, max(id) AS last_id, max(last_sender_at) AS cut
        FROM log_window WHERE received_at <= {value} GROUP BY run_id
    )
    SELECT w.run_id, w.id, w.id <= ripe.last_id, w.first_sender_at, w.last_sender_at
    FROM log_window AS w CROSS JOIN ripe CROSS JOIN runs AS r
    WHERE ripe.run_id = w.run_id AND r.id = w.run_id AND w.id > r.numbered_to
    AND (w.id <= ripe.last_id OR w.first_sender_at <= ripe.cut)
    ORDER BY +w.id
"""
_NUMBERED = text(
    f"""
    DELETE FROM log_window WHERE id IN (
        SELECT w.id FROM log_window AS w CROSS JOIN runs AS r
        WHERE w.received_at <= :over AND r.id = w.run_id AND w.id <= r.numbered_to
        ORDER BY w.received_at LIMIT {FORGOTTEN_AT_ONCE}
    )
    """  # noqa: S608 - own names
)
_HELD = "SELECT w.id, w.run_id, w.received_at, w.body FROM log_window AS w WHERE w.id IN ({}) ORDER BY w.id"
_BY_ID = _HELD.format("SELECT v.c0 FROM {rows}")
_ALL = _HELD.format(
    "SELECT a.id FROM {rows} JOIN log_window AS a ON a.run_id = v.c0 JOIN runs AS r ON r.id = v.c0 "
    "WHERE a.id > r.numbered_to"
)
_STATES = (
    "SELECT r.id, r.line_count, r.log_token, r.tail_size, r.warnings + r.errors, r.log_key, r.last_line_sender_at, "
    "r.last_line, r.numbered_to FROM runs AS r JOIN {rows} ON r.id = v.c0 ORDER BY r.id"
)
_key: Callable[[Line], SortKey] = attrgetter("time", "sequence", "position")
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
    numbered_to: int


class Due(NamedTuple):
    """Rows of one run whose lines are to be numbered, in order. `racing`: rows that are not due, of which some line was
    written no later than the last one that is.
    """

    run_id: str
    ids: list[int]
    racing: list[int]


def held_row(run_id: str, received_at: int, first_at: int, last_at: int, held: Body) -> tuple[Any, ...]:
    """The row in which one message's lines wait; `first_at`, `last_at`: the earliest and the latest of their times."""
    return (run_id, received_at, first_at, last_at, *held)


def due(connection: Connection, moment: Moment) -> list[list[Due]]:
    """What is to be numbered, in portions for `release`: few runs at a time and all that is due of each.

    So what a run costs is shared by its messages, and nobody waits long for the writer. A reader may look.
    """
    over = moment.now - moment.reorder_window
    if connection.execute(_ANY_OVER, {"over": over}).first() is None:
        return []
    by_run: dict[str, list[_Waiting]] = {}
    for row in driver.fetch(connection, marked(connection, _DUE), (over,)):
        by_run.setdefault(row[0], []).append(row)
    portions: list[list[Due]] = []
    room = 0
    for part in (part for run_id, rows in by_run.items() for part in _parts(run_id, rows)):
        if not portions or len(part.ids) > room:
            portions.append([])
            room = AT_ONCE
        portions[-1].append(part)
        room -= len(part.ids)
    return portions


def release(connection: Connection, portion: Sequence[Due]) -> None:
    """Number the lines of these rows. Those that are gone or numbered by now do no harm."""
    states = _states(connection, [part.run_id for part in portion])
    ids = [(row_id,) for part in portion for row_id in (*part.ids, *part.racing)]
    by_run = _by_run(_held(connection, _BY_ID, window, "id", ids))
    found: list[tuple[RunState, list[Held], list[Held]]] = []
    for part in portion:
        state, racing = states.get(part.run_id), frozenset(part.racing)
        if state is not None:
            rows = [row for row in by_run.get(part.run_id, ()) if row.id > state.numbered_to]
            ready = [row for row in rows if row.id not in racing]
            if ready:
                found.append((state, ready, [row for row in rows if row.id in racing]))
    _release(connection, found)


def close(connection: Connection, moment: Moment, run_id: str, last: Line) -> tuple[LogRows, dict[str, Any]]:
    """Number whatever the run still holds, and then `last`: it is over, and that is said about it, not by it.

    Returns what the caller saves, and the columns of the run's row that change with it.
    """
    of_run, waiting = rows_of(connection, runs, ("id",)), rows_of(connection, window, ("run_id",))
    with driver.one_journey(connection):
        # First the lock: nothing comes in after what is read behind it.
        found = fetch_later(connection, _STATES + lock_runs(connection), of_run, [(run_id,)])
        held = fetch_later(connection, _ALL, waiting, [(run_id,)])
    run, ready = RunState._make(found()[0]), [Held._make(row) for row in held()]
    rows, values = LogRows(connection), dict[str, Any]()
    state = LogState(run.line_count, run.token, run.tail_size, run.problems)
    if ready:
        state, numbered = _numbered(rows, run, _in_order(ready), ready)
        values |= numbered
    return rows, values | state_values(rows.add(run_id, state, [last], moment.now))


def forget(connection: Connection, moment: Moment) -> bool:
    """End some of the rows that are numbered. Returns whether there may be more."""
    memory = Memory.of(connection)
    ended = connection.execute(_NUMBERED, {"over": moment.now - moment.reorder_window}).rowcount
    if memory is not None:
        memory.update(CHANGED, ())
    return ended == FORGOTTEN_AT_ONCE


# Run, id, whether it is due, the earliest and the latest time of its lines.
_Waiting = tuple[Any, ...]


def _parts(run_id: str, rows: list[_Waiting]) -> Iterator[Due]:
    ready = [row for row in rows if row[2]]
    for start in range(0, len(ready), 2 * AT_ONCE):
        part = ready[start : start + 2 * AT_ONCE]
        last, cut = part[-1][1], max([row[4] for row in part])
        yield Due(run_id, [row[1] for row in part], [row[1] for row in rows if row[1] > last and row[3] <= cut])


def _states(connection: Connection, run_ids: Sequence[str]) -> dict[str, RunState]:
    """How far these runs are; no other server process changes them before the commit."""
    found = fetch(
        connection, _STATES + lock_runs(connection), rows_of(connection, runs, ("id",)), [(it,) for it in run_ids]
    )
    return {row[0]: RunState._make(row) for row in found}


def _held(connection: Connection, sql: str, table: Any, column: str, rows: Rows) -> list[Held]:
    return [Held._make(row) for row in fetch(connection, sql, rows_of(connection, table, (column,)), rows)]


def _by_run(held: Iterable[Held]) -> dict[str, list[Held]]:
    by_run: dict[str, list[Held]] = {}
    for row in held:
        by_run.setdefault(row.run_id, []).append(row)
    return by_run


def _release(connection: Connection, found: Iterable[tuple[RunState, list[Held], list[Held]]]) -> None:
    """Number the lines of rows by run, and what was written before the last of them in rows that race with those."""
    memory = Memory.of(connection)
    rows, gone = LogRows(connection), list[int]()
    changed: list[tuple[Any, ...]] = []
    for run, ready, racing in found:
        lines = _in_order(ready)
        if racing:
            _join(connection, lines, racing, gone)
        state, numbered = _numbered(rows, run, lines, ready)
        values = state_values(state) | numbered
        changed.append((run.id, *[values[name] for name in CHANGED]))
    with driver.one_journey(connection):
        rows.save()
        update_rows(connection, runs, CHANGED, changed)
        delete_rows(connection, window, gone)
    if memory is not None:
        memory.update(CHANGED, changed)


def _numbered(
    rows: LogRows, run: RunState, lines: list[Line], ready: Sequence[Held]
) -> tuple[LogState, dict[str, Any]]:
    """Number `lines`, those of `ready` and what raced with them: the state then, and what else of the run's row."""
    state, key = _number(rows, run, lines, ready[-1].received_at)
    newest = run.last_line_sender_at, run.last_line
    shown = next((plain(line.text).strip() for line in reversed(lines) if line.text.strip()), "")
    if shown and (newest[0] is None or lines[-1].time > newest[0]):
        newest = lines[-1].time, shown[:500]
    at, text = newest
    return state, {"log_key": key, "last_line_sender_at": at, "last_line": text, "numbered_to": ready[-1].id}


def _join(connection: Connection, lines: list[Line], racing: Iterable[Held], gone: list[int]) -> None:
    """Add to `lines`, which are in order, what other rows hold that was written before the last of them."""
    cut = _key(lines[-1])
    for row in racing:
        found = lines_of(row.body)
        before = [line for line in found if _key(line) < cut]
        if before:
            lines += before
            _keep_rest(connection, row, [line for line in found if _key(line) >= cut], gone)
    lines.sort(key=_key)


def _in_order(rows: list[Held]) -> list[Line]:
    """The lines of rows that stand in the order of their arrival, which decides where all else is equal."""
    lines = [line for row in rows for line in lines_of(row.body)]
    times = [line.time for line in lines]
    if times != sorted(times) or len(set(times)) < len(times):
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
    kept = body_of(rest)
    connection.execute(
        window.update()
        .where(window.c.id == row.id)
        .values(first_sender_at=min(line.time for line in rest), count=kept.lines, body=kept.body)
    )

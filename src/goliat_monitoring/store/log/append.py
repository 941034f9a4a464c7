"""Adding to the log of a run: lines get their numbers here, once, and keep them.

Several runs are added to in one go: `LogRows` collects what is to be written and writes it in a few statements. What a
run needs to go on (how many lines it has, and the end of its log for the folding of repeats) is kept in memory between
two additions, under a token that changes with each of them; where the token is not the database's, the end of the log
is read again. So a transaction that was rolled back, or another server process, does no harm.
"""

import random
import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import fetch, insert_rows, rows_of, upsert_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.log.fold import Fold, Record, Repeat
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.lines import Line, plain

TAIL = ("run_id", "first_line", "count", "size", "first_sender_at", "last_sender_at", "received_at", "late", "body")
REPEATS = ("run_id", "line", "count", "period", "position", "last_sender_at", "last_text", "kind")
PROBLEMS = ("run_id", "level", "text_key", "text", "count", "first_line", "last_line", "first_sender_at",
            "last_sender_at")  # fmt: skip
PROBLEM_LEVELS = frozenset({"warning", "error", "fatal"})
# Characters of a text that tell one group of warnings from another, and that are kept to show it.
KEY_LENGTH = 200
SHOWN_LENGTH = 500
# A run that has complained in so many different words gets what is new after that counted together.
MOST_PROBLEMS = 1_000
# Runs whose end of the log is kept in memory.
REMEMBERED = 4_000
# Records that a `Fold` looks back on.
LOOKED_BACK = 8

_ends: OrderedDict[str, tuple[int, Fold]] = OrderedDict()
_KINDS = "SELECT p.level, p.text_key FROM {rows} JOIN log_problems AS p ON p.run_id = v.c0"
_digits = re.compile(r"\d+")


class LogState(NamedTuple):
    """How far a run's log has come, as its row says. `problems`: warnings and errors counted so far."""

    line_count: int
    token: int
    tail_size: int
    problems: int


class LogRows:
    """What additions to the logs of several runs write. `save` at the end of the unit of work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tail: list[tuple[Any, ...]] = []
        self._repeats: dict[tuple[str, int], tuple[Any, ...]] = {}
        self._problems: dict[tuple[str, str, str], list[Any]] = {}
        # Runs with so many problems that their kinds must be counted.
        self._many: set[str] = set()

    def add(
        self, run_id: str, state: LogState, lines: Sequence[Line], received_at: int, *, late: bool = False
    ) -> LogState:
        """Number `lines` in the given order at the end of the run's log. Returns the state for the run's row."""
        if not lines:
            return state
        fold = self._end(run_id, state)
        for line, number in zip(lines, fold.add(lines), strict=True):
            # What the server notes is about the run, not said by it; its warnings are not counted in the run's row.
            if line.level in PROBLEM_LEVELS and line.source != "server":
                self._problem(run_id, line, number)
                if state.problems >= MOST_PROBLEMS:
                    self._many.add(run_id)
        folded = fold.take()
        size = 0
        if folded.new:
            new = folded.new
            body = msgspec.json.encode(new)
            # What a chunk will hold of it: its fill is measured in text, not in what JSON writes around each line.
            size = len(new) + sum([len(record.text) for record in new])
            self._tail.append(
                (run_id, folded.first_n, len(new), size, new[0].time, new[-1].time, received_at, late, body)
            )
        for number, repeat in folded.repeats.items():
            self._repeats[run_id, number] = (run_id, number, *repeat_row(repeat))
        token = random.getrandbits(62)
        _ends[run_id] = (token, fold)
        _ends.move_to_end(run_id)
        while len(_ends) > REMEMBERED:
            _ends.popitem(last=False)
        touch(self._connection, f"log:{run_id}")
        return state._replace(
            line_count=state.line_count + len(folded.new), token=token, tail_size=state.tail_size + size
        )

    def save(self) -> None:
        """Write the lines, the repeats and the grouped problems."""
        connection = self._connection
        insert_rows(connection, tables.log_tail, TAIL, self._tail)
        upsert_rows(
            connection,
            tables.log_repeats,
            REPEATS,
            list(self._repeats.values()),
            {name: f"excluded.{name}" for name in REPEATS[2:]},
        )
        for run_id in self._many:
            self._lump(run_id)
        own = "log_problems"
        upsert_rows(
            connection,
            tables.log_problems,
            PROBLEMS,
            [tuple(row) for row in self._problems.values()],
            {
                "count": f"{own}.count + excluded.count",
                "last_line": "excluded.last_line",
                "last_sender_at": "excluded.last_sender_at",
            },
        )
        self._tail, self._repeats, self._problems, self._many = [], {}, {}, set()

    def _end(self, run_id: str, state: LogState) -> Fold:
        known = _ends.get(run_id)
        if known is not None and known[0] == state.token:
            return known[1]
        if not state.line_count:
            return Fold()
        # The rows that this very unit of work has not written yet would be missing.
        self.save()
        return read_end(self._connection, run_id, state.line_count)

    def _lump(self, run_id: str) -> None:
        """Count together what would be one more kind of complaint of a run that has the most it may have."""
        source = rows_of(self._connection, tables.log_problems, ("run_id",))
        known = set(fetch(self._connection, _KINDS, source, [(run_id,)]))
        if len(known) < MOST_PROBLEMS:
            return
        for key in [key for key in self._problems if key[0] == run_id and key[1:] not in known]:
            _, level, _, _, count, first, last, first_at, last_at = self._problems.pop(key)
            row = self._problems.setdefault(
                (run_id, level, ""), [run_id, level, "", "further texts", 0, first, last, first_at, last_at]
            )
            row[4] += count
            row[6], row[8] = max(row[6], last), max(row[8], last_at)

    def _problem(self, run_id: str, line: Line, number: int) -> None:
        text = plain(line.text).strip()
        key = key_of(text)
        row = self._problems.get((run_id, line.level, key))
        if row is None:
            shown = text[:SHOWN_LENGTH]
            row = [run_id, line.level, key, shown, 0, number, number, line.time, line.time]
            self._problems[run_id, line.level, key] = row
        row[4] += 1
        row[6], row[8] = number, line.time


def key_of(text: str) -> str:
    """What a plain text has in common with those that are counted together with it."""
    return _digits.sub("#", text[:KEY_LENGTH])


def append(connection: Connection, moment: Moment, run_id: str, lines: Sequence[Line], *, late: bool = False) -> None:
    """Number `lines` in the given order and add them to the end of one run's log."""
    runs = tables.runs
    found = connection.execute(
        select(runs.c.line_count, runs.c.log_token, runs.c.tail_size, (runs.c.warnings + runs.c.errors))
        .where(runs.c.id == run_id)
        .with_for_update()
    ).one()
    rows = LogRows(connection)
    state = rows.add(run_id, LogState(*found), lines, moment.now, late=late)
    rows.save()
    connection.execute(update(runs).where(runs.c.id == run_id).values(**state_values(state)))


def note(connection: Connection, moment: Moment, run_id: str, text: str, level: str = "info") -> None:
    """Add a line of the server's own to a run's log, so that a log never simply stops."""
    append(connection, moment, run_id, [note_line(moment.now, text, level)])


def note_line(now: int, text: str, level: str = "info") -> Line:
    """A line of the server's own."""
    return Line(now, level, "server", text)


def state_values(state: LogState) -> dict[str, int]:
    """The columns of the run's row that tell `state`."""
    return {"line_count": state.line_count, "log_token": state.token, "tail_size": state.tail_size}


def read_end(connection: Connection, run_id: str, line_count: int) -> Fold:
    """The folding of repeats as it stood after the run's last line, of which there is one. Sealed lines are not looked
    at.
    """
    tail, repeats = tables.log_tail, tables.log_repeats
    records: list[Record] = []
    for body in connection.execute(
        select(tail.c.body).where(tail.c.run_id == run_id).order_by(tail.c.first_line.desc()).limit(LOOKED_BACK)
    ).scalars():
        records = msgspec.json.decode(body, type=list[Record]) + records
        if len(records) >= LOOKED_BACK:
            break
    records = records[-LOOKED_BACK:]
    first = line_count - len(records) + 1
    known = {
        row.line: Repeat(row.times, row.period, row.position, row.last_sender_at, row.last_text, row.kind)
        for row in connection.execute(
            select(repeats, repeats.c.count.label("times")).where(repeats.c.run_id == run_id, repeats.c.line >= first)
        )
    }
    return Fold.resume([(record, known.get(first + i)) for i, record in enumerate(records)], line_count + 1)


def repeat_row(repeat: Repeat) -> tuple[Any, ...]:
    """The columns of a repeat after its run and its line."""
    return (repeat.count, repeat.period, repeat.position, repeat.last_time, repeat.last_text, repeat.kind)

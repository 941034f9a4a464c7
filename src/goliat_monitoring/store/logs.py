"""Writing the log of a run: lines get their numbers here, once, and keep them.

An agent's lines arrive in order and are numbered at once. A bare client's lines race through three sender threads;
they wait in `log_window` until the reorder window has passed over them.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.lines import Line

SortKey = tuple[int, int, int]


def append(connection: Connection, moment: Moment, run_id: str, lines: Sequence[Line], *, late: bool = False) -> None:
    """Number `lines` in the given order and add them to the end of the run's log."""
    if not lines:
        return
    runs = tables.runs
    last = connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(line_count=runs.c.line_count + len(lines))
        .returning(runs.c.line_count)
    ).scalar_one()
    connection.execute(
        insert(tables.log_tail).values(
            run_id=run_id,
            first_line=last - len(lines) + 1,
            count=len(lines),
            first_sender_at=lines[0].time,
            last_sender_at=lines[-1].time,
            received_at=moment.now,
            late=late,
            body=msgspec.json.encode([(line.time, line.level, line.source, line.text) for line in lines]),
        )
    )
    touch(connection, f"log:{run_id}")


def note(connection: Connection, moment: Moment, run_id: str, text: str, level: str = "info") -> None:
    """Add a line of the server's own to a run's log, so that a log never simply stops."""
    append(connection, moment, run_id, [Line(moment.now, level, "server", text)])


def hold(connection: Connection, moment: Moment, run_id: str, lines: Sequence[Line]) -> None:
    """Keep a bare client's lines until their neighbours had time to arrive."""
    if not lines:
        return
    connection.execute(
        insert(tables.log_window),
        [
            {
                "run_id": run_id,
                "received_at": moment.now,
                "sender_at": line.time,
                "sequence": line.sequence,
                "position": line.position,
                "level": line.level,
                "source": line.source,
                "text": line.text,
            }
            for line in lines
        ],
    )
    touch(connection, f"log:{run_id}")


def release_due(connection: Connection, moment: Moment) -> None:
    """Number every held line whose window is over, and with it all that sort before it."""
    window = tables.log_window
    due = connection.execute(
        select(window.c.run_id).where(window.c.received_at <= moment.now - moment.reorder_window).distinct()
    ).scalars()
    for run_id in due.all():
        _release(connection, moment, run_id, moment.now - moment.reorder_window)


def release_all(connection: Connection, moment: Moment, run_id: str) -> None:
    """Number whatever the run still holds: it is over, and what follows is said about it, not by it."""
    _release(connection, moment, run_id, moment.now)


def _release(connection: Connection, moment: Moment, run_id: str, oldest_arrival: int) -> None:
    window, runs = tables.log_window, tables.runs
    held = connection.execute(
        select(window)
        .where(window.c.run_id == run_id)
        .order_by(window.c.sender_at, window.c.sequence, window.c.position, window.c.id)
    ).all()
    count = max((i + 1 for i, row in enumerate(held) if row.received_at <= oldest_arrival), default=0)
    ready = held[:count]
    if not ready:
        return
    stored = connection.execute(select(runs.c.log_key).where(runs.c.id == run_id)).scalar_one()
    numbered: SortKey | None = msgspec.json.decode(stored, type=SortKey) if stored else None
    # What sorts before a line that already has its number comes after it all the same, and says so.
    late = [row for row in ready if numbered is not None and _key(row) < numbered]
    fresh = [row for row in ready if numbered is None or _key(row) >= numbered]
    append(connection, moment, run_id, [_line(row) for row in late], late=True)
    append(connection, moment, run_id, [_line(row) for row in fresh])
    if fresh:
        key = msgspec.json.encode(_key(fresh[-1])).decode()
        connection.execute(update(runs).where(runs.c.id == run_id).values(log_key=key))
    ids = [row.id for row in ready]
    for start in range(0, len(ids), 500):
        connection.execute(delete(window).where(window.c.id.in_(ids[start : start + 500])))


def _key(row: Row[tuple[object, ...]]) -> SortKey:
    return (row.sender_at, row.sequence, row.position)


def _line(row: Row[tuple[object, ...]]) -> Line:
    return Line(row.sender_at, row.level, row.source, row.text)

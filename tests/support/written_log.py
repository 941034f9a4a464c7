"""A run with a log of any length in the data folder of a server that is not running: written and sealed as ever."""

import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, insert, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.database import Database, sqlite_url
from goliat_monitoring.store.log import seal
from goliat_monitoring.store.log.append import append
from goliat_monitoring.store.migrate import migrate
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.ids import new_id
from goliat_monitoring.wire.lines import Line
from tests.support.long_log import long_log

AT_ONCE = 2000


def write_log(data_dir: Path, lines: Iterable[Line], *, live: bool = False) -> str:
    """The id of a new run, ended unless `live`, whose log holds `lines`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    url = sqlite_url(data_dir)
    migrate(url)
    db = Database(url)
    db.start()
    try:
        run_id, worker_id = new_id(), new_id()
        now = time.time_ns() // 1000

        def begin(connection: Connection) -> None:
            connection.execute(insert(tables.workers).values(
                id=worker_id, kind="agent", label="gpu-1", hostname="gpu-1", last_seen=now, created_at=now
            ))  # fmt: skip
            connection.execute(insert(tables.runs).values(
                id=run_id, worker_id=worker_id, kind="agent", state="running", claimed_at=now, lease_until=now,
            ))  # fmt: skip

        db.submit(begin).result()
        rest = iter(lines)
        while some := list(islice(rest, AT_ONCE)):
            _add(db, run_id, some)
        if not live:
            over = update(tables.runs).where(tables.runs.c.id == run_id).values(state="succeeded", ended_at=now)
            db.submit(lambda connection: connection.execute(over) and None).result()
        return run_id
    finally:
        db.close()


def lines_of(count: int, seed: int = 1) -> Iterable[Line]:
    """`count` lines as GOLIAT writes them, escapes included."""
    return (Line(it.time, it.level, it.source, it.text) for it in long_log(count, seed=seed))


def _add(db: Database, run_id: str, some: Sequence[Line]) -> None:
    moment = Moment(time.time_ns() // 1000)
    runs, levels = tables.runs.c, [line.level for line in some]
    # As hearing counts them.
    counted = (
        update(tables.runs)
        .where(runs.id == run_id)
        .values(
            warnings=runs.warnings + levels.count("warning"),
            errors=runs.errors + levels.count("error") + levels.count("fatal"),
        )
    )

    def add(connection: Connection) -> None:
        append(connection, moment, run_id, some)
        connection.execute(counted)

    db.submit(add).result()
    while parcel := db.read_now(lambda c: seal.prepare(c, moment, seal.Candidate(run_id, over=False))):
        _put(db, parcel)


def _put(db: Database, parcel: seal.Parcel) -> None:
    db.submit(lambda connection: seal.put(connection, parcel)).result()

"""Logs made by a test: lines are appended as the server does, sealed, and moved to a storage that is a plain dict."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, insert, select, text, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.log import seal
from goliat_monitoring.store.log.append import append
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.log_pieces import Load
from goliat_monitoring.wire.ids import new_id
from goliat_monitoring.wire.lines import Line
from tests.store.conftest import House

Stored = dict[str, bytes]
SMALL = 600


@contextmanager
def small_chunks() -> Iterator[None]:
    """Chunks of a few lines: the same steps, in a test's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seal, "SEAL_BYTES", SMALL)
        patch.setattr(seal, "MOST_LINES", 12)
        patch.setattr(tables, "TO_SEAL", text(f"tail_size >= {SMALL}"))
        yield


def new_run(house: House) -> str:
    """A run without a line. How it came to be makes no difference to its log."""
    run_id, worker_id = new_id(), new_id()

    def unit(connection: Connection, moment: Moment) -> None:
        now = moment.now
        connection.execute(insert(tables.workers).values(id=worker_id, kind="agent", last_seen=now, created_at=now))
        connection.execute(insert(tables.runs).values(
            id=run_id, worker_id=worker_id, kind="agent", state="running", claimed_at=now, lease_until=now
        ))  # fmt: skip

    house.do(unit)
    return run_id


def end(house: House, run_id: str) -> None:
    """Let the run be over, and its time to be sealed whole come."""

    def unit(connection: Connection, moment: Moment) -> None:
        runs = tables.runs
        connection.execute(update(runs).where(runs.c.id == run_id).values(state="succeeded", ended_at=moment.now))

    house.do(unit)
    house.now += seal.SETTLED


def add(house: House, run_id: str, lines: Sequence[Line], *, late: bool = False) -> None:
    """Append lines."""
    house.do(append, run_id, lines, late=late)


def seal_all(house: House) -> int:
    """Seal what is due now; how many parcels that were."""
    parcels = 0
    for candidate in house.database.read_now(lambda c: seal.candidates(c, house.moment)):
        while parcel := house.database.read_now(
            lambda c, candidate=candidate: seal.prepare(c, house.moment, candidate)  # type: ignore[misc]
        ):
            put(house, parcel)
            parcels += 1
    return parcels


def put(house: House, parcel: seal.Parcel) -> None:
    """The second step of sealing."""

    def unit(connection: Connection, _moment: Moment) -> None:
        seal.put(connection, parcel)

    house.do(unit)


def move(house: House, run_id: str, stored: Stored) -> None:
    """Move every chunk of a run to one file, as retention does."""
    key = f"logs/{run_id}"
    chunks = tables.log_chunks

    def unit(connection: Connection, _moment: Moment) -> None:
        content = stored.get(key, b"")
        rows = connection.execute(select(chunks).where(chunks.c.run_id == run_id, chunks.c.text.is_not(None))).all()
        for row in rows:
            connection.execute(
                update(chunks)
                .where(chunks.c.run_id == run_id, chunks.c.first_line == row.first_line)
                .values(text=None, meta=None, storage_key=key, storage_offset=len(content))
            )
            content += row.text + row.meta
        stored[key] = content

    house.do(unit)


def loader(stored: Stored) -> Load:
    """Reads parts of what was moved."""

    def load(key: str, start: int, size: int) -> bytes:
        return stored[key][start : start + size]

    return load

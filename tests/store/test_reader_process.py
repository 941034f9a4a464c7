"""A long read by a process of its own: the same answer as on a thread, and no other effect."""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Connection, func, select, text

from goliat_monitoring.store import tables
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.reader_process import NothingSeen
from tests.store.conftest import House


def count_assignments(connection: Connection, more: int) -> tuple[int, int]:
    return connection.execute(select(func.count()).select_from(tables.assignments)).scalar_one() + more, os.getpid()


def write(connection: Connection) -> None:
    connection.execute(text("DELETE FROM assignments"))
    connection.commit()


def wait_long(_connection: Connection, file: Path) -> None:
    file.write_text(str(os.getpid()))
    while True:  # a look without an end
        pass


def test_it_sees_what_a_reader_sees(house: House) -> None:
    house.study(parts=3)
    (found, pid), seconds = asyncio.run(house.database.read_apart(partial(count_assignments, more=10)))
    assert found == house.database.read_now(lambda c: count_assignments(c, 10))[0] == 13
    assert pid != os.getpid()
    assert not psutil.pid_exists(pid)
    assert 0 < seconds < 60


def test_it_cannot_write(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    house.study(parts=3)
    with pytest.raises(NothingSeen, match="ended with 1"):
        asyncio.run(house.database.read_apart(partial(write)))
    assert "read" in capfd.readouterr().err, "the reason is in the server's output"
    assert len(house.rows(tables.assignments)) == 3


def test_it_ends_with_the_wish_to_know(house: House, tmp_path: Path) -> None:
    file = tmp_path / "pid"

    async def ask_and_leave() -> None:
        asked = asyncio.create_task(house.database.read_apart(partial(wait_long, file=file)))
        for _ in range(1200):
            if file.exists() and file.read_text():
                break
            await asyncio.sleep(0.05)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(ask_and_leave())
    psutil.wait_procs([it for it in psutil.process_iter() if it.pid == int(file.read_text())], timeout=10)
    assert not psutil.pid_exists(int(file.read_text()))


def test_without_a_process_it_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(NothingSeen, match="nowhere"):
        asyncio.run(Database.read_apart(house.database, partial(count_assignments, more=0)))

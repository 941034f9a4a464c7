"""Statements handed to the driver fail as SQLAlchemy's own do: the writer tells failures apart by that."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import delete_rows, insert_rows, update_rows
from goliat_monitoring.store.engine import make_engine
from tests.store.conftest import House

WORKERS = ("id", "kind", "last_seen", "created_at")


def worker(name: str) -> tuple[str, str, int, int]:
    return (name, "bare", 1, 1)


def in_a_journey(connection: Connection, unit: Callable[[], None]) -> None:
    with driver.one_journey(connection):
        unit()


def by_itself(_connection: Connection, unit: Callable[[], None]) -> None:
    unit()


@pytest.mark.parametrize("travel", [by_itself, in_a_journey])
def test_what_fails_is_undone_with_its_savepoint_and_the_rest_goes_on(
    house: House, travel: Callable[[Connection, Callable[[], None]], None]
) -> None:
    def insert(connection: Connection, *names: str) -> None:
        travel(
            connection,
            lambda: insert_rows(connection, tables.workers, WORKERS, [worker(name) for name in names]),
        )

    def unit(connection: Connection) -> None:
        insert(connection, "a", "b")
        with pytest.raises(IntegrityError), connection.begin_nested():
            insert(connection, "c", "a")
        insert(connection, "d")

    house.database.submit(unit).result(30)
    assert sorted(row.id for row in house.rows(tables.workers)) == ["a", "b", "d"]


@pytest.mark.parametrize("count", [0, 1, 3, 64, 87, 200])
def test_any_number_of_rows_is_written_changed_and_deleted(house: House, count: int) -> None:
    names = [f"{number:03d}" for number in range(count)]

    def unit(connection: Connection) -> None:
        insert_rows(connection, tables.workers, WORKERS, [worker(name) for name in names])
        update_rows(connection, tables.workers, ("last_seen", "hostname"), [(n, int(n), f"host {n}") for n in names])
        delete_rows(connection, tables.workers, names[: count // 3])

    house.database.submit(unit).result(30)
    rows = sorted((row.id, row.last_seen, row.hostname) for row in house.rows(tables.workers))
    assert rows == [(name, int(name), f"host {name}") for name in names[count // 3 :]]


def test_a_connection_that_died_is_told_as_such(database_url: str) -> None:
    engine, another = make_engine(database_url), make_engine(database_url)
    if engine.dialect.name == "sqlite":
        pytest.skip("a file does not hang up")
    with engine.connect() as connection, another.connect() as other:
        (pid,) = driver.fetch(connection, "SELECT pg_backend_pid()")[0]
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        with pytest.raises(DBAPIError) as failure:
            driver.execute(connection, "SELECT 1")
        assert failure.value.connection_invalidated
        assert connection.invalidated
    with engine.connect() as again:
        assert driver.fetch(again, "SELECT 1") == [(1,)]
    engine.dispose()
    another.dispose()

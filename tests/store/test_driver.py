"""Statements handed to the driver fail as SQLAlchemy's own do: the writer tells failures apart by that."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import delete_rows, fetch_later, insert_rows, rows_of, update_rows
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


# What JSON, SQL and PostgreSQL's text of an array each write in their own way.
HOSTILE = ["", "plain", 'a "quote"', "back\\slash", "\\n", "\\\\", "line\nbreak", "tab\t", "{a,b}", "NULL", "null", "é",
           "€😀", "\x01", "\x7f", "a,b", " spaces ", "'", "%s", "{value}", "</script>"]  # fmt: skip


@pytest.mark.parametrize("names", [HOSTILE, *([name] for name in HOSTILE)], ids=lambda names: repr(names[:1]))
def test_every_text_comes_back_as_it_was(house: House, names: list[str]) -> None:
    rows = [(f"{number}", "bare", 1, 1, name, None) for number, name in enumerate(names)]

    def unit(connection: Connection) -> list[tuple[object, ...]]:
        insert_rows(connection, tables.workers, (*WORKERS, "hostname", "machine_id"), rows)
        source = rows_of(connection, tables.workers, ("hostname",))
        sql = "SELECT w.hostname, w.machine_id FROM {rows} JOIN workers AS w ON w.hostname = v.c0 ORDER BY w.id"
        with driver.one_journey(connection):
            later = fetch_later(connection, sql, source, [(name,) for name in names])
        return later()

    wanted = [(name, None) for _, name in sorted((str(number), name) for number, name in enumerate(names))]
    assert house.database.submit(unit).result(30) == wanted


def test_what_was_asked_on_the_way_is_as_it_was_then(house: House) -> None:
    def unit(connection: Connection) -> list[list[tuple[object, ...]]]:
        with driver.one_journey(connection):
            before = driver.fetch_later(connection, "SELECT id FROM workers")
            insert_rows(connection, tables.workers, WORKERS, [worker("a")])
            after = driver.fetch_later(connection, "SELECT id FROM workers")
        return [before(), after()]

    assert house.database.submit(unit).result(30) == [[], [("a",)]]

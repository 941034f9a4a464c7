"""The one writer: what waits together is committed together, what fails fails alone, what is too much is refused."""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from goliat_monitoring.store import calls
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.database import Database
from goliat_monitoring.wire.errors import Refused
from tests.support.postgres import new_database


class Table:
    """A table of numbers, and what was told of commits."""

    def __init__(self, url: str) -> None:
        self.commits: list[frozenset[str]] = []
        self.database = Database(url, self.commits.append)
        with self.database.engine.begin() as connection:
            connection.execute(text("CREATE TABLE numbers (n integer PRIMARY KEY)"))
        self.groups: list[list[int]] = []

    def put(self, number: int) -> Callable[[Connection], int]:
        def unit(connection: Connection) -> int:
            connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
            if number < 0:
                raise Refused(400, "negative")
            touch(connection, f"number:{number}")
            return number

        return unit

    def put_together(self, connection: Connection, numbers: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(numbers))
        for number in numbers:
            if number >= 0:
                connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
        return [number if number >= 0 else Refused(400, "negative") for number in numbers]

    @property
    def kept(self) -> list[int]:
        return self.database.read_now(lambda c: list(c.execute(text("SELECT n FROM numbers ORDER BY n")).scalars()))


@pytest.fixture
def table(database_url: str) -> Iterator[Table]:
    made = Table(database_url)
    yield made
    made.database.close()


def trouble(database: Database) -> str:
    return "" if database.trouble is None else database.trouble.text


def test_what_fails_fails_alone(table: Table) -> None:
    async def main() -> list[object]:
        asked = [table.database.write(table.put(n)) for n in (1, -2, 3, 3, 4)]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        table.database.start()
        return list(await waiting)

    answers = asyncio.run(main())
    assert [answer for answer in answers if not isinstance(answer, Exception)] == [1, 3, 4]
    assert isinstance(answers[1], Refused)
    assert isinstance(answers[3], Exception)
    assert table.kept == [1, 3, 4]
    # One commit for all that waited, told once and after it.
    table.database.writer.close()
    assert [topics for topics in table.commits if topics] == [frozenset({"number:1", "number:3", "number:4"})]


def test_calls_of_one_kind_go_together_in_the_order_of_the_queue(table: Table) -> None:
    database = table.database

    async def main() -> list[object]:
        asked = [
            database.write_together(table.put_together, 1),
            database.write_together(table.put_together, 2),
            database.write(table.put(3)),
            database.write_together(table.put_together, 4),
            database.write_together(table.put_together, -5),
        ]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        database.start()
        return list(await waiting)

    answers = asyncio.run(main())
    assert table.groups == [[1, 2], [4, -5]]
    assert answers[:4] == [1, 2, 3, 4]
    assert isinstance(answers[4], Refused)
    assert table.kept == [1, 2, 3, 4]


def test_one_that_the_database_refuses_does_not_take_its_group_with_it(table: Table) -> None:
    async def main() -> list[object]:
        asked = [table.database.write_together(table.put_together, n) for n in (1, 2, 2, 3)]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        table.database.start()
        return list(await waiting)

    answers = asyncio.run(main())
    assert table.groups[0] == [1, 2, 2, 3]
    assert [answer for answer in answers if not isinstance(answer, Exception)] == [1, 2, 3]
    assert table.kept == [1, 2, 3]


def test_a_caller_that_gives_up_stops_nothing(table: Table) -> None:
    async def main() -> None:
        leaving = asyncio.create_task(table.database.write(table.put(1)))
        staying = asyncio.create_task(table.database.write(table.put(2)))
        await asyncio.sleep(0)
        leaving.cancel()
        table.database.start()
        assert await staying == 2

    asyncio.run(main())
    assert table.kept == [1, 2]


def test_too_many_are_refused_and_the_loop_goes_on(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "QUEUE_LIMIT", 3)

    async def main() -> list[object]:
        asked = [table.database.write(table.put(n)) for n in range(5)]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        table.database.start()
        return list(await waiting)

    answers = asyncio.run(main())
    assert answers[:3] == [0, 1, 2]
    for refused in answers[3:]:
        assert isinstance(refused, Refused)
        assert (refused.status, refused.error) == (503, "the server is busy")
    assert table.kept == [0, 1, 2]


def test_after_the_end_nothing_is_taken(table: Table) -> None:
    table.database.start()
    futures = [table.database.submit(table.put(n)) for n in range(50)]
    table.database.writer.close()
    assert [future.result(0) for future in futures] == list(range(50))
    with pytest.raises(Refused, match="shutting down"):
        table.database.submit(table.put(51))
    table.database.close()
    with pytest.raises(Refused, match="shutting down"):
        asyncio.run(table.database.read(lambda _: None))


def test_a_commit_that_fails_is_answered_to_all_and_leaves_nothing(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = table.database
    commit = database.engine.dialect.do_commit
    broken = OperationalError("COMMIT", {}, Exception("disk is full"))

    def fail(connection: object) -> None:
        raise broken

    async def main() -> list[object]:
        asked = [database.write(table.put(n)) for n in (1, 2)]
        waiting = asyncio.gather(*asked, return_exceptions=True)
        await asyncio.sleep(0)
        database.start()
        return list(await waiting)

    monkeypatch.setattr(database.engine.dialect, "do_commit", fail)
    answers = asyncio.run(main())
    assert answers == [broken, broken]
    assert "disk is full" in trouble(database)
    monkeypatch.setattr(database.engine.dialect, "do_commit", commit)
    assert database.submit(table.put(3)).result(10) == 3
    assert trouble(database) == ""
    assert table.kept == [3]
    database.writer.close()
    # Pages are told when it begins and when it is over.
    assert table.commits == [frozenset({"fleet"}), frozenset({"fleet", "number:3"})]


def test_a_connection_that_died_unused_costs_nothing() -> None:
    with new_database(migrated=False) as url:
        table = Table(url)
        table.database.start()
        assert table.database.submit(table.put(1)).result(10) == 1
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert table.database.submit(table.put(2)).result(10) == 2
        assert table.kept == [1, 2]
        assert trouble(table.database) == ""
        table.database.close()

"""The writer as a process of its own: the same answers as a thread gives, and an end of it that nobody misses."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import psutil
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from goliat_monitoring.store import calls, frames
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.writer_process import WriterProcess
from goliat_monitoring.wire.errors import Refused


def put(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
    if number < 0:
        raise Refused(409, "negative", "send another one", {"number": number})
    touch(connection, f"number:{number}")
    return number


def put_together(connection: Connection, numbers: Sequence[int]) -> list[int | Exception]:
    kept = [number for number in numbers if number >= 0]
    for number in kept:
        put(connection, number)
    return [number if number >= 0 else Refused(400, "negative") for number in numbers]


def keep_nothing(_connection: Connection, value: object) -> None: ...


def break_off(_connection: Connection) -> None:
    os._exit(3)


def fill(_connection: Connection) -> None:
    raise OperationalError("INSERT", {}, Exception("disk is full"))


def give_back_a_function(_connection: Connection) -> object:
    return lambda: None


def print_much(_connection: Connection) -> str:
    print("this is no frame" * 10_000)
    return "done"


def pid(_connection: Connection) -> int:
    return os.getpid()


def troubled(database: Database) -> bool:
    return database.trouble is not None


class Place:
    """A table of numbers behind a writer's process, and what was told of commits."""

    def __init__(self, url: str) -> None:
        self.told: list[frozenset[str]] = []
        self.database = Database(url, self.told.append, apart=True)
        assert isinstance(self.database.writer, WriterProcess)
        self.writer = self.database.writer
        with self.database.engine.begin() as connection:
            connection.execute(text("CREATE TABLE numbers (n integer PRIMARY KEY)"))

    @property
    def kept(self) -> list[int]:
        return self.database.read_now(lambda c: list(c.execute(text("SELECT n FROM numbers ORDER BY n")).scalars()))


@asynccontextmanager
async def place_of(url: str) -> AsyncIterator[Place]:
    place = Place(url)
    await place.database.open()
    try:
        yield place
    finally:
        await place.database.end()


def test_what_is_asked_together_is_committed_together_and_fails_alone(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            db = place.database
            answers = await asyncio.gather(
                db.write(partial(put, number=1)),
                db.write(partial(put, number=-2)),
                db.write(partial(put, number=1)),
                db.write_together(put_together, 4),
                db.write_together(put_together, -5),
                return_exceptions=True,
            )
            assert answers[0] == 1
            refused = answers[1]
            assert isinstance(refused, Refused)
            assert (refused.status, refused.body()) == (
                409,
                {"error": "negative", "details": "send another one", "number": -2},
            )
            assert isinstance(answers[2], IntegrityError)
            assert answers[3] == 4
            assert isinstance(answers[4], Refused)
            assert place.kept == [1, 4]
            assert [topics for topics in place.told if topics] == [frozenset({"number:1", "number:4"})]
            assert (place.writer.tally.calls, sum(place.writer.tally.sizes)) == (5, 1)
            assert await db.write(pid) != os.getpid()

    asyncio.run(main())


def test_topics_are_told_before_the_caller_is_answered(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            await place.database.write(partial(put, number=1))
            assert place.told == [frozenset({"number:1"})]

    asyncio.run(main())


def test_what_cannot_travel_is_refused_by_name_and_harms_no_other(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            db = place.database

            def nested(_connection: Connection) -> None: ...

            answers = await asyncio.gather(
                db.write(nested),
                db.write(partial(put, number=1)),
                db.write(give_back_a_function),
                db.write(print_much),
                return_exceptions=True,
            )
            assert isinstance(answers[0], TypeError)
            assert "test_writer_process.test_what_cannot_travel" in str(answers[0])
            assert "nested" in str(answers[0])
            assert answers[1] == 1
            assert isinstance(answers[2], TypeError)
            assert answers[3] == "done"
            with pytest.raises(TypeError, match="lambda"):
                await db.write(lambda _c: None)
            assert place.kept == [1]

    asyncio.run(main())


def travels(value: object) -> bool:
    try:
        frames.pack(value)
    except RecursionError:
        return False
    return True


def test_what_is_nested_too_deeply_is_answered_and_harms_no_other(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            db, value, depth = place.database, {}, 0  # type: Database, dict[str, object], int
            while travels(value):
                value, depth = {"a": value}, depth + 1
            # Around the depth from which on it does not travel: what goes alone must also go within a group.
            for _ in range(40):
                value = value["a"]  # type: ignore[assignment]
            refused = 0
            for number in range(60):
                one, other = await asyncio.wait_for(
                    asyncio.gather(
                        db.write(partial(keep_nothing, value=value)),
                        db.write(partial(put, number=number)),
                        return_exceptions=True,
                    ),
                    30,
                )
                assert other == number
                assert one is None or isinstance(one, RecursionError)
                refused += one is not None
                value = {"a": value}
            assert 0 < refused < 60, depth

    asyncio.run(main())


def test_too_many_are_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "QUEUE_LIMIT", 3)

    async def main() -> None:
        async with place_of(database_url) as place:
            asked = [place.database.write(partial(put, number=n)) for n in range(5)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert answers[:3] == [0, 1, 2]
            assert [(it.status, it.error) for it in answers[3:] if isinstance(it, Refused)] == [
                (503, "the server is busy")
            ] * 2
            assert place.kept == [0, 1, 2]

    asyncio.run(main())


def test_the_end_commits_what_was_accepted_and_takes_no_more(database_url: str) -> None:
    async def main() -> None:
        place = Place(database_url)
        await place.database.open()
        asked = [asyncio.create_task(place.database.write(partial(put, number=n))) for n in range(2000)]
        await asyncio.sleep(0)
        process = psutil.Process(place.writer.pid)
        await place.database.end()
        assert [task.result() for task in asked] == list(range(2000))
        assert not process.is_running()
        with pytest.raises(Refused, match="shutting down"):
            await place.database.write(partial(put, number=5000))

    asyncio.run(main())


def test_a_writer_that_ends_is_told_and_started_again(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            db = place.database
            await db.write(partial(put, number=1))
            lost = await asyncio.gather(
                db.write(partial(put, number=2)), db.write(break_off), db.write(partial(put, number=3)),
                return_exceptions=True,
            )  # fmt: skip
            assert [(it.status, it.error) for it in lost if isinstance(it, Refused)] == [
                (503, "the server's writer ended")
            ] * 3
            assert db.trouble is not None
            assert "ended (3)" in db.trouble.text
            assert place.told[-1] == frozenset({"fleet"})
            # What comes meanwhile waits for the new one.
            assert await db.write(partial(put, number=4)) == 4
            assert not troubled(db)
            assert place.told[-1] == frozenset({"fleet", "number:4"})
            assert place.writer.tally.restarts == 1
            assert place.kept == [1, 4]

    asyncio.run(main())


def test_a_writer_that_is_killed_while_nothing_waits_is_started_again(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            assert await place.database.write(partial(put, number=1)) == 1
            assert place.writer.pid is not None
            psutil.Process(place.writer.pid).kill()
            ends = time.monotonic() + 20
            while place.writer.tally.restarts == 0:
                assert time.monotonic() < ends
                await asyncio.sleep(0.01)
            assert await place.database.write(partial(put, number=2)) == 2
            assert place.kept == [1, 2]

    asyncio.run(main())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_the_writer_ends_with_its_input_and_not_by_a_signal(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            first = await place.database.write(pid)
            for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(first, name)
            assert await place.database.write(pid) == first

    asyncio.run(main())


def test_what_the_database_says_is_told(database_url: str) -> None:
    async def main() -> None:
        async with place_of(database_url) as place:
            with pytest.raises(OperationalError, match="disk is full"):
                await place.database.write(fill)
            trouble = place.database.trouble
            assert trouble is not None
            assert trouble.text == "disk is full"
            with pytest.raises(OperationalError):
                await place.database.write(fill)
            assert place.database.trouble is not None
            assert place.database.trouble.since == trouble.since
            await place.database.write(partial(put, number=1))
            assert not troubled(place.database)
            assert [topics for topics in place.told if topics] == [
                frozenset({"fleet"}), frozenset({"fleet", "number:1"})
            ]  # fmt: skip

    asyncio.run(main())

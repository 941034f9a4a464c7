"""What is old is moved or deleted, the rest is not; a pass may be cut off after any step."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Table, func, insert, select

from goliat_monitoring.server.jobs.retention import Retention
from goliat_monitoring.store import tables
from goliat_monitoring.store.events import record
from goliat_monitoring.store.log.chunk import StoredLine, open_lines, seal
from goliat_monitoring.store.retention import logs
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.support.app import AgentCalls, App

WithApp = Callable[..., None]
DAY = 86_400.0


class CutOff(Exception):
    """The end of the process, at a place of the test's choosing."""


async def count(app: App, table: Table) -> int:
    return int(await app.services.db.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one()))


def files(app: App, folder: str) -> list[Path]:
    top = app.services.settings.data_dir / "files" / folder
    return sorted(path for path in top.rglob("*") if path.is_file())


async def running(app: App) -> AgentCalls:
    """An agent with a job."""
    await app.study()
    agent = await app.agent()
    assert (await agent.claim()).job is not None
    return agent


async def picture(agent: AgentCalls, tab: str, content: bytes) -> None:
    assert agent.job is not None
    answer = await agent.call("PUT", f"runs/{agent.job.run_id}/screenshots", content=content, params={"tab": tab})
    assert answer.status_code == 200, answer.text


async def pictures(app: App, agent: AgentCalls) -> list[str]:
    """What is left of them, in order of arrival."""
    rows = await app.services.db.read(
        lambda c: c.execute(select(tables.screenshots).order_by(tables.screenshots.c.received_at)).all()
    )
    assert len(files(app, "screenshots")) == len(rows)
    return [(await app.services.storage.read_all(row.storage_key)).decode() for row in rows]


async def end_run(agent: AgentCalls) -> str:
    assert agent.job is not None
    run_id = agent.job.run_id
    answer = await agent.call("POST", f"runs/{run_id}/end", wire.End("exited", 1, agent.app.clock.now, "s1", 0))
    assert answer.status_code == 200, answer.text
    return run_id


def add_chunk(connection: Connection, run_id: str, first_line: int, count: int = 20) -> None:
    """A sealed part of a log."""
    lines = [
        StoredLine(n, "info", "status", f"\x1b[1mline {n}\x1b[0m", n) for n in range(first_line, first_line + count)
    ]
    chunk = seal(lines, first_line)
    connection.execute(
        insert(tables.log_chunks).values(
            run_id=run_id, first_line=first_line, count=count, first_sender_at=chunk.first_time,
            last_sender_at=chunk.last_time, last_received_at=chunk.last_time, levels="{}", raw_size=chunk.raw_size,
            text=chunk.text, meta=chunk.meta, text_size=len(chunk.text), meta_size=len(chunk.meta),
        )
    )  # fmt: skip


async def chunk_lines(app: App, run_id: str) -> list[str]:
    """All lines of the chunks, from wherever they lie."""
    table = tables.log_chunks
    rows = await app.services.db.read(
        lambda c: c.execute(select(table).where(table.c.run_id == run_id).order_by(table.c.first_line)).all()
    )
    texts: list[str] = []
    for row in rows:
        text, meta = row.text, row.meta
        if row.storage_key is not None:
            assert text is None
            assert meta is None
            file = await app.services.storage.read_all(row.storage_key)
            middle = row.storage_offset + row.text_size
            text, meta = file[row.storage_offset : middle], file[middle : middle + row.meta_size]
        texts += [line.text for _, line in open_lines(meta, text, row.first_line)]
    return texts


async def moved(app: App) -> int:
    chunks = tables.log_chunks
    return int(
        await app.services.db.read(
            lambda c: c.execute(
                select(func.count()).select_from(chunks).where(chunks.c.storage_key.is_not(None))
            ).scalar_one()
        )
    )


def test_of_each_tab_one_picture_a_minute_stays_and_later_the_newest(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        app.clock.now -= app.clock.now % (60 * SECOND)
        agent, retention = await running(app), Retention(app.services, rest=0)
        for i in range(9):
            await picture(agent, "Sim", f"sim {i}".encode())
            if i == 4:
                await picture(agent, "Disk", b"disk")
            app.clock.now += 20 * SECOND
        # A page may still show what was replaced a moment ago.
        assert await retention.thin_screenshots() == 0
        app.clock.now += 600 * SECOND
        assert await retention.thin_screenshots() == 6
        assert await pictures(app, agent) == ["sim 2", "disk", "sim 5", "sim 8"]
        assert await retention.thin_screenshots() == 0
        app.clock.now += round(2.5 * DAY * SECOND)
        await picture(agent, "Disk", b"disk later")
        assert await retention.thin_screenshots() == 3
        assert await pictures(app, agent) == ["sim 8", "disk later"]
        # What was the newest when its turn came goes when it is no more.
        await picture(agent, "Sim", b"sim later")
        app.clock.now += round(3 * DAY * SECOND)
        await picture(agent, "Sim", b"sim last")
        await retention.thin_screenshots()
        assert await pictures(app, agent) == ["disk later", "sim last"]

    with_app(test)


def test_pictures_are_kept_for_ever_if_wished(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent = await running(app)
        for i in range(3):
            await picture(agent, "Sim", f"sim {i}".encode())
            app.clock.now += 60 * SECOND
        app.clock.now += round(900 * DAY * SECOND)
        assert await Retention(app.services, rest=0).thin_screenshots() == 0

    with_app(test, keep_screenshots_d=0.0)


def test_a_picture_without_a_record_is_found_and_deleted(with_app: WithApp) -> None:
    """A crash between the record and the file leaves one."""

    async def test(app: App) -> None:
        agent, retention = await running(app), Retention(app.services, rest=0)
        await picture(agent, "Sim", b"known")
        assert agent.job is not None
        for run_id in (agent.job.run_id, "00000000-0000-7000-8000-000000000000"):
            spool = app.services.storage.spool(100)
            await spool.write(b"lost")
            await app.services.storage.keep(spool, f"screenshots/{run_id}/lost")
        # At first sight it may be an upload whose record is on its way.
        assert await retention.delete_lost_screenshots() == 0
        assert await retention.delete_lost_screenshots() == 2
        assert await retention.delete_lost_screenshots() == 0
        assert await pictures(app, agent) == ["known"]

    with_app(test)


def test_the_log_of_a_run_that_ended_long_ago_is_moved_whole(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, retention = await running(app), Retention(app.services, rest=0)
        assert agent.job is not None
        run_id = agent.job.run_id
        for first in range(1, 801, 20):
            await app.services.db.write(partial(add_chunk, run_id=run_id, first_line=first))
        before = await chunk_lines(app, run_id)
        assert len(before) == 800
        app.clock.now += round(100 * DAY * SECOND)
        assert await retention.move_logs() == 0, "it is live"
        await end_run(agent)
        assert await retention.move_logs() == 0
        app.clock.now += round(31 * DAY * SECOND)
        assert await retention.move_logs() == 1
        assert await moved(app) == 40
        assert len(files(app, "logs")) == 1
        assert await chunk_lines(app, run_id) == before
        assert await retention.move_logs() == 0
        # Late lines get a file of their own.
        await app.services.db.write(partial(add_chunk, run_id=run_id, first_line=801))
        assert await retention.move_logs() == 1
        assert len(await chunk_lines(app, run_id)) == 820
        assert len(files(app, "logs")) == 2
        study = (await app.get("/api/super-studies"))[0]
        answer = await app.http.delete(f"/api/super-studies/{study['id']}")
        assert answer.status_code == 200, answer.text
        assert files(app, "logs") == []

    with_app(test)


@pytest.mark.parametrize("step", ["keep", "check", "let go first", "let go second"])
def test_a_move_that_is_cut_off_loses_no_line(with_app: WithApp, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    async def test(app: App) -> None:
        agent, retention = await running(app), Retention(app.services, rest=0)
        run_id = await end_run(agent)
        for first in range(1, 801, 20):
            await app.services.db.write(partial(add_chunk, run_id=run_id, first_line=first))
        before = await chunk_lines(app, run_id)
        app.clock.now += round(31 * DAY * SECOND)
        let_go, calls = logs.let_go, 0

        def crash(*_args: object, **_kwargs: object) -> None:
            raise CutOff

        def crash_at(*args: object, **kwargs: object) -> None:
            nonlocal calls
            calls += 1
            if calls == (1 if step == "let go first" else 2):
                raise CutOff
            let_go(*args, **kwargs)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            if step == "keep":
                patch.setattr(app.services.storage, "keep", crash)
            elif step == "check":
                patch.setattr(retention, "_check", crash)
            else:
                patch.setattr(logs, "let_go", crash_at)
            with pytest.raises(CutOff):
                await retention.move_logs()
        assert await moved(app) == (logs.CHUNKS_AT_ONCE if step == "let go second" else 0)
        assert await chunk_lines(app, run_id) == before
        assert await retention.move_logs() == 1
        assert await moved(app) == 40
        assert await chunk_lines(app, run_id) == before

    with_app(test)


def test_a_file_that_reads_back_otherwise_keeps_the_log_where_it_is(
    with_app: WithApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(app: App) -> None:
        agent, retention = await running(app), Retention(app.services, rest=0)
        run_id = await end_run(agent)
        await app.services.db.write(partial(add_chunk, run_id=run_id, first_line=1))
        app.clock.now += round(31 * DAY * SECOND)
        keep = app.services.storage.keep

        async def damage(spool: object, key: str) -> None:
            await keep(spool, key)  # type: ignore[arg-type]
            (path,) = files(app, "logs")
            path.write_bytes(path.read_bytes()[:-1] + b"?")

        with monkeypatch.context() as patch:
            patch.setattr(app.services.storage, "keep", damage)
            # The whole pass goes on all the same.
            await retention.work()
        assert await moved(app) == 0
        await retention.work()
        assert await moved(app) == 1
        assert len(await chunk_lines(app, run_id)) == 20

    with_app(test)


def test_old_events_and_messages_go_but_no_message_of_a_live_run(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, retention = await running(app), Retention(app.services, rest=0)
        await agent.send(0, wire.MessageItem(app.clock.now, {"type": "novelty"}))
        assert await count(app, tables.messages) == 1
        old = app.clock.now

        def add_events(connection: Connection) -> None:
            for _ in range(1200):
                record(connection, old, "old")

        await app.services.db.write(add_events)
        app.clock.now += round(366 * DAY * SECOND)
        await retention.work()
        assert await count(app, tables.events) == 0
        assert await count(app, tables.messages) == 1
        await end_run(agent)
        kept = await count(app, tables.events)
        assert kept > 0
        app.clock.now += round(91 * DAY * SECOND)
        await retention.work()
        assert await count(app, tables.messages) == 0
        assert await count(app, tables.events) == kept

    with_app(test)

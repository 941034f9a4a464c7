"""Logs over HTTP: stretches, searches, problems, files, and a log that is followed."""

import asyncio
import gzip
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest

from goliat_monitoring.server.jobs.sealer import Sealer
from goliat_monitoring.server.log_text import following
from goliat_monitoring.store import tables
from goliat_monitoring.wire import agent as wire
from tests.store.log_help import small_chunks
from tests.support.app import AgentCalls, App

WithApp = Callable[..., None]


async def start(app: App) -> tuple[AgentCalls, str]:
    """An agent with a run."""
    await app.study()
    agent = await app.agent()
    claimed = await agent.claim()
    assert claimed.job is not None
    return agent, claimed.job.run_id


async def say(agent: AgentCalls, offset: int, *texts: str, level: str = "default") -> int:
    """Deliver lines; the next offset."""
    agent.app.clock.now += 3_000_000
    await agent.send(offset, *(agent.line(text, level) for text in texts))
    return offset + len(texts)


def test_stretches_of_a_log(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        with small_chunks():
            offset = 0
            for i in range(30):
                offset = await say(
                    agent, offset, f"\x1b[1mline\x1b[0m {'x' * i}", level="error" if i == 4 else "default"
                )
            await Sealer(app.services).look()
        chunks = await app.services.db.read(lambda c: c.execute(tables.log_chunks.select()).all())
        assert chunks
        log = f"/api/runs/{run_id}/log"
        page = await app.get(log, params={"after": 3, "limit": 2})
        assert [line["n"] for line in page["lines"]] == [4, 5]
        assert page["total"] == 30
        assert page["more"] is True
        assert page["lines"][0]["text"] == "line xxx"
        assert set(page["lines"][0]) == {"n", "time", "receivedAt", "level", "source", "text"}
        assert [line["n"] for line in (await app.get(log, params={"before": 10, "limit": 3}))["lines"]] == [7, 8, 9]
        assert [line["n"] for line in (await app.get(log, params={"tail": True, "limit": 2}))["lines"]] == [29, 30]
        errors = await app.get(log, params={"level": "error,fatal"})
        assert [line["n"] for line in errors["lines"]] == [5]
        assert errors["more"] is False
        raw = await app.get(log, params={"raw": True, "limit": 1})
        assert raw["lines"][0]["text"] == "\x1b[1mline\x1b[0m "

    with_app(test)


@pytest.mark.parametrize("odd", ["\u202e", "<", "&", "\u6f22", "x"], ids=ascii)
def test_a_page_stays_small_whatever_its_lines_are_made_of(with_app: WithApp, odd: str) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        await say(agent, 0, *(f"{n} {odd * 3000}" for n in range(250)))
        page = await app.http.get(f"/runs/{run_id}")
        assert page.status_code == 200
        assert 100_000 < len(page.content) < 300_000
        assert "249 " in page.text, "the newest lines"

    with_app(test)


def test_a_viewer_asks_by_index_and_gets_long_lines_clipped(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        with small_chunks():
            offset = 0
            for i in range(30):
                level = "error" if i % 3 == 1 else "info"
                offset = await say(agent, offset, f"line {'x' * i} of \U0001f600 needle", level=level)
            await Sealer(app.services).look()
        await say(agent, offset, "a" * 99 + "\x1b[31m" + "b" * 1000 + "\x1b[0m")
        log = f"/api/runs/{run_id}/log"
        page = await app.get(log, params={"skip": 4, "limit": 2, "level": "error,fatal", "count": True})
        assert [line["n"] for line in page["lines"]] == [14, 17]
        assert (page["matching"], page["index"], page["total"]) == (10, 4, 31)
        page = await app.get(log, params={"after": 13, "limit": 1, "level": "error", "count": True})
        assert (page["lines"][0]["n"], page["index"]) == (14, 4)
        (long,) = (await app.get(log, params={"tail": True, "limit": 1, "raw": True, "clip": 101}))["lines"]
        assert (long["text"], long["cut"]) == ("a" * 99, 1000), "no escape is cut through"
        (long,) = (await app.get(log, params={"tail": True, "limit": 1, "raw": True, "clip": 110}))["lines"]
        assert (long["text"], long["cut"]) == ("a" * 99 + "\x1b[31m" + "b" * 6, 994)
        page = await app.get(log, params={"limit": 2, "q": "NEEDLE"})
        assert [line["marks"] for line in page["lines"]] == [[[12, 18]], [[13, 19]]]
        assert "matching" not in page
        levels = await app.get(f"{log}/levels", params={"parts": 3})
        assert levels["levels"] == {"default": 1, "error": 10, "info": 20}
        assert levels["sources"] == {"status": 31}
        assert (levels["errors"], levels["warnings"]) == (10, 0)
        assert [it["lines"] for it in levels["parts"]] == [11, 11, 9]
        assert levels["parts"][1] == {"firstLine": 12, "lines": 11, "levels": {"error": 3, "info": 8}}
        await agent.send(
            offset + 1, *(wire.LineItem(app.clock.now, "info", source, source) for source in ("print", "status"))
        )
        for asked, matching, last in (
            ("print", 1, 32), ("info,print", 1, 32), ("error,print", 0, None), ("info,status,print", 22, 33),
        ):  # fmt: skip
            found = await app.get(log, params={"level": asked, "count": True})
            assert (found["matching"], ([None] + [line["n"] for line in found["lines"]])[-1]) == (matching, last), asked
        back = await app.get(f"{log}/search/back", params={"q": "needle", "before": 4})
        assert back == {"numbers": [1, 2, 3], "before": None}
        on = await app.get(f"{log}/search", params={"q": "needle", "from": 29})
        assert (on["total"], on["numbers"], on["next"]) == (2, [29, 30], None)

    with_app(test)


def test_a_repeated_line_says_how_often_and_when_last(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        await agent.send(0, *(agent.line("lost the licence", "warning") for _ in range(3)))
        (line,) = (await app.get(f"/api/runs/{run_id}/log"))["lines"]
        assert (line["n"], line["count"], line["lastTime"]) == (1, 3, line["time"])
        text = (await app.http.get(f"/api/runs/{run_id}/log.txt")).text
        at = "2027-01-15 08:00:00,000"
        assert text == f"{at} - WARNING - lost the licence (repeated 3 times, last at {at})\n"
        whole = (await app.http.get(f"/api/runs/{run_id}/log.txt", params={"expand": True})).text.splitlines()
        assert [text.rpartition(" - ")[2] for text in whole] == ["lost the licence"] * 3
        await app.post(f"/api/runs/{run_id}/give-up", {})
        levels = await app.get(f"/api/runs/{run_id}/log/levels")
        # The end is told by a warning of the server's own, which the run did not say.
        assert (levels["levels"], levels["warnings"], levels["errors"]) == ({"warning": 2}, 3, 0)

    with_app(test)


def test_search_and_problems(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        await say(agent, 0, "hay", "a Needle 1", "more hay", "a needle 2", level="error")
        search = f"/api/runs/{run_id}/log/search"
        found = await app.get(search, params={"q": "needle", "limit": 1})
        assert (found["total"], found["numbers"], found["skipped"]) == (2, [2, 4], 0)
        assert [line["text"] for line in found["lines"]] == ["a Needle 1"]
        assert (found["searched"], found["ofLines"], found["complete"]) == (4, 4, True)
        assert (await app.get(search, params={"q": "needle", "case": True}))["numbers"] == [4]
        assert (await app.get(search, params={"q": r"needle \d$", "regex": True, "after": 2}))["numbers"] == [4]
        bad = await app.http.get(search, params={"q": "(", "regex": True})
        assert bad.status_code == 400
        assert bad.json()["error"] == "bad search pattern"
        (study,) = await app.get("/api/super-studies")
        across = await app.get(f"/api/super-studies/{study['id']}/log/search", params={"q": "needle"})
        assert [(it["runId"], it["total"], it["index"]) for it in across["runs"]] == [(run_id, 2, 0)]
        assert (across["searchedRuns"], across["ofRuns"], across["nextRun"], across["complete"]) == (1, 1, None, True)
        problems = await app.get(f"/api/runs/{run_id}/log/problems")
        assert [(it["text"], it["count"], it["firstLine"], it["lastLine"]) for it in problems["problems"]] == [
            ("hay", 1, 1, 1),
            ("a Needle 1", 1, 2, 2),
            ("more hay", 1, 3, 3),
            ("a needle 2", 1, 4, 4),
        ]
        assert (problems["groups"], problems["firstError"]) == (4, 1)

    with_app(test)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("runs/none/log", 404),
        ("runs/none/log/search?q=a", 404),
        ("runs/none/log/problems", 404),
        ("runs/none/log.txt", 404),
        ("runs/none/log.gz", 404),
        ("runs/none/log.txt?follow=true", 404),
        ("runs/none/log?level=loud", 400),
        ("runs/none/log?before=0", 400),
        ("runs/none/log?skip=3&tail=true", 400),
        ("runs/none/log?q=(&regex=true", 400),
        ("runs/none/log?skip=3", 404),
        ("runs/none/log/levels", 404),
        ("runs/none/log/search/back?q=a&before=4", 404),
        ("runs/none/log/search", 400),
        ("runs/none/log/search?q=", 400),
        ("runs/none/log.txt?after=3", 400),
        ("runs/none/log.txt?follow=true&expand=true", 400),
        ("super-studies/none/log/search?q=a", 404),
    ],
)
def test_what_cannot_be_answered_is_refused(with_app: WithApp, path: str, status: int) -> None:
    async def test(app: App) -> None:
        answer = await app.http.get(f"/api/{path}")
        assert answer.status_code == status, answer.text
        assert set(answer.json()) >= {"error", "details"}

    with_app(test)


def test_a_whole_log_as_a_file(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        with small_chunks():
            offset = 0
            for i in range(40):
                offset = await say(agent, offset, f"line {'x' * i}\x07", *(["a", "b", "c"] if i > 30 else []))
            await Sealer(app.services).look()
        plain = await app.http.get(f"/api/runs/{run_id}/log.txt")
        assert plain.headers["content-disposition"].startswith(f'attachment; filename="run-{run_id}.log"')
        lines = plain.text.splitlines()
        page = await app.get(f"/api/runs/{run_id}/log", params={"limit": 10_000})
        assert len(lines) == len(page["lines"])
        assert lines[1].endswith(" - DEFAULT - line x\N{REPLACEMENT CHARACTER}")
        assert lines[1].startswith(page["lines"][1]["time"][:10])
        packed = await app.http.get(f"/api/runs/{run_id}/log.gz")
        assert packed.headers["content-disposition"].startswith(f'attachment; filename="run-{run_id}.log.gz"')
        assert gzip.decompress(packed.content).decode() == plain.text
        expanded = (await app.http.get(f"/api/runs/{run_id}/log.txt", params={"expand": True})).text.splitlines()
        assert len(expanded) == offset

    with_app(test)


async def next_text(stream: AsyncGenerator[bytes, None]) -> str:
    """The next bit that says something."""
    async for piece in stream:
        if piece:
            return piece.decode()
    return ""


def texts(said: str) -> list[str]:
    return [line.split(" - ", 2)[-1] for line in said.splitlines()]


def test_a_followed_log_goes_on_until_the_run_is_over(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        offset = await say(agent, 0, "one", "two")
        async with aclosing(following(app.services, run_id, newest=1)) as stream:
            assert texts(await next_text(stream)) == ["two"]
            # The first look at what was said is made; now it waits.
            waiting = asyncio.ensure_future(next_text(stream))
            offset = await say(agent, offset, "three")
            assert texts(await waiting) == ["three"]
            waiting = asyncio.ensure_future(next_text(stream))
            offset = await say(agent, offset, *["three"] * 4)
            offset = await say(agent, offset, "four")
            said = texts(await waiting)
            assert said == ["(line 3 repeated 5 times so far)", "four"]
            waiting = asyncio.ensure_future(next_text(stream))
            await app.post(f"/api/runs/{run_id}/give-up", {"reason": "test"})
            said = texts(await waiting)
            while more := await next_text(stream):
                said += texts(more)
            assert "test" in said[-1]

    with_app(test)


def test_a_followed_log_ends_with_the_server(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        await say(agent, 0, "one")
        async with aclosing(following(app.services, run_id)) as stream:
            assert texts(await next_text(stream)) == ["one"]
            waiting = asyncio.ensure_future(next_text(stream))
            app.services.hub.close()
            assert await waiting == ""

    with_app(test)


def test_a_log_that_is_over_is_followed_to_its_end(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent, run_id = await start(app)
        await say(agent, 0, "one", "two")
        await app.post(f"/api/runs/{run_id}/give-up", {"reason": "test"})
        answer = await app.http.get(f"/api/runs/{run_id}/log.txt", params={"follow": True, "after": 1})
        assert answer.status_code == 200
        assert "content-disposition" not in answer.headers
        assert texts(answer.text)[0] == "two"

    with_app(test)

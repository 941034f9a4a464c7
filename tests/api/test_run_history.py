"""What a run's page looks back on: what phases took, pictures of a tab, over HTTP and on both databases."""

from collections.abc import Callable

from sqlalchemy import Connection

from goliat_monitoring.store.read.screenshots import screenshot_history
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.support.app import AgentCalls, App

WithApp = Callable[..., None]
SETUP, VOXELS = "--- Finished: setup (took {:.2f}s) ---", "      - Subtask 'setup_voxelize' done in {:.2f}s"


async def working(app: App) -> AgentCalls:
    await app.study()
    agent = await app.agent()
    await agent.claim()
    assert agent.job is not None
    return agent


def test_phases_and_subtasks_are_timed_from_lines(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent = await working(app)
        assert agent.job is not None
        path = f"/api/runs/{agent.job.run_id}/timings"
        assert await app.get(path) == []
        for i in range(10):
            await agent.send(
                3 * i,
                agent.line(VOXELS.format(10 - i), "verbose"),
                agent.line("    - Subtask 'setup_simulation' done in 50.00s", "verbose"),
                agent.line(SETUP.format(20 + i), "header"),
            )
            app.clock.now += SECOND
        setup, voxels = await app.get(path)
        assert (voxels["phase"], voxels["subtask"], voxels["count"]) == ("setup", "setup_voxelize", 10)
        assert (voxels["min"], voxels["p10"], voxels["p50"], voxels["p90"], voxels["max"]) == (1, 1, 5, 9, 10)
        assert (setup["subtask"], setup["mean"], setup["total"], setup["p25"]) == (None, 24.5, 245, 22)
        # The same batch again is the same batch, and what a study prints is not what it logs.
        quoted = wire.LineItem(app.clock.now, "default", "print", SETUP.format(9999))
        await agent.send(27, *[agent.line(SETUP.format(99), "header")] * 3, quoted)
        assert [it["count"] for it in await app.get(path)] == [10, 10]

    with_app(test)


def test_the_pictures_of_a_tab_are_told_oldest_first_and_thinned(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent = await working(app)
        assert agent.job is not None
        path = f"/api/runs/{agent.job.run_id}/screenshots"
        for i in range(5):
            for tab in ("Disk_I/O", "Timings"):
                answer = await agent.call(
                    "PUT", path.removeprefix("/api/"), params={"tab": tab}, content=b"\xff\xd8%d" % i
                )
                assert answer.status_code == 200, answer.text
            app.clock.now += 60 * SECOND
        newest = await app.get(path)
        assert [one["tab"] for one in newest] == ["Disk_I/O", "Timings"]
        history = await app.get(path, params={"tab": "Disk_I/O"})
        assert [(await app.http.get(one["url"])).content[2:] for one in history] == [b"0", b"1", b"2", b"3", b"4"]
        assert history[-1]["id"] == newest[0]["id"]
        assert await app.get(path, params={"tab": "nothing"}) == []

    with_app(test)


def test_a_long_history_keeps_its_first_and_its_newest_picture(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent = await working(app)
        assert agent.job is not None
        run_id = agent.job.run_id
        for _ in range(9):
            await agent.call("PUT", f"runs/{run_id}/screenshots", params={"tab": "Timings"}, content=b"\xff\xd8")
            app.clock.now += 60 * SECOND

        def ids(most: int) -> Callable[[Connection], list[str]]:
            return lambda c: [one.id for one in screenshot_history(c, run_id, "Timings", most)]

        everything = await app.services.db.read(ids(500))
        assert await app.services.db.read(ids(3)) == [everything[0], everything[4], everything[8]]

    with_app(test)


def test_of_past_runs_only_those_are_red_that_nobody_tries_again(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study(parts=1)
        agent = await app.agent()
        await agent.claim()
        assert agent.job is not None
        given_up = await app.http.post(f"/api/runs/{agent.job.run_id}/give-up", json={"reason": "it burnt down"})
        assert given_up.status_code == 200, given_up.text
        (worker,) = await app.get("/api/workers")
        shown = (await app.http.get(f"/fragments/workers/{worker['id']}/runs")).text
        assert "try 2 is due" in shown
        assert 'class="state warn"' in shown
        assert 'class="state bad"' not in shown

    with_app(test)

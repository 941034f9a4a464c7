"""Progress, ETA, GPU hours, money and their history, over HTTP while a study goes on."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from goliat_monitoring.fleet.outlook import START_S
from goliat_monitoring.fleet.timing import OFFER_AFTER_LEASE
from goliat_monitoring.server.jobs.recorder import learn, record
from goliat_monitoring.server.outlooks import Outlooks
from goliat_monitoring.store import tables, timings
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.read import outlook as read_outlook
from goliat_monitoring.store.read.outlook import look_ahead
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.support.app import AgentCalls, App

WithApp = Callable[..., None]
CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["thelonious"],
    "frequencies_mhz": [700],
    "far_field_setup": {
        "type": "environmental",
        "environmental": {"incident_directions": ["x_pos", "x_neg"], "polarizations": ["theta", "phi"]},
    },
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
}
CASES = [f"{side}, {angle}" for side in ("x_pos", "x_neg") for angle in ("theta", "phi")]
SIMULATION_S = 400.0


class _Speaker:
    """An agent whose GOLIAT says what it does."""

    def __init__(self, app: App, agent: AgentCalls) -> None:
        self.app, self.agent, self.offset = app, agent, 0

    async def say(self, *messages: dict[str, Any]) -> None:
        items = [wire.MessageItem(sent_at=self.app.clock.now, message=message) for message in messages]
        await self.agent.send(self.offset, *items)
        self.offset += len(items)

    async def line(self, text: str) -> None:
        await self.agent.send(self.offset, self.agent.line(text))
        self.offset += 1

    async def begin(self, number: int) -> None:
        details = f"thelonious, 700MHz, {CASES[number]}"
        await self.say({"type": "sim_details", "count": number + 1, "total": 4, "details": details})
        await self.stage("Setup")

    async def stage(self, name: str, current: float = 0) -> None:
        await self.say({"type": "stage_progress", "name": name, "current": current, "total": 1})

    async def simulate(self, number: int) -> None:
        """One simulation from begin to end."""
        await self.begin(number)
        self.app.clock.now += round(0.2 * SIMULATION_S * SECOND)
        await self.stage("Run")
        self.app.clock.now += round(0.5 * SIMULATION_S * SECOND)
        await self.stage("Running Simulation", 1)
        await self.stage("Extract")
        self.app.clock.now += round(0.3 * SIMULATION_S * SECOND)
        await self.stage("Extracting Results", 1)


async def look(app: App) -> None:
    """Do what is done every few seconds while a server runs."""
    await learn(app.services)
    await record(app.services)


async def started(app: App) -> tuple[str, AgentCalls, _Speaker]:
    study = await app.study("timed", parts=2, config=CONFIG)
    agent = await app.agent()
    await agent.claim()
    # What was told a moment ago is told again.
    app.clock.now += 60 * SECOND
    return str(study["id"]), agent, _Speaker(app, agent)


def test_results_that_were_there_already_are_not_the_first_simulation_that_is_waited_for(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)
        await goliat.begin(0)
        await goliat.line(f"--- Processing Simulation 1/4: thelonious, 700MHz, {CASES[0]} ---")
        await goliat.line("Project already done, skipping.")
        shown = await app.get(f"/api/super-studies/{study_id}")
        assert (shown["finishAt"], shown["progress"]) == (None, pytest.approx(100 / 8))
        page = (await app.http.get(f"/studies/{study_id}")).text
        assert "1 of 8 simulations proven" in page
        assert "When it is done can be told after the first simulation that is computed here." in page
        assert "after first simulation computed here<" in (await app.http.get("/studies")).text

    with_app(test)


def test_an_eta_comes_with_the_first_simulation_and_is_kept(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, agent, goliat = await started(app)
        before = await app.get(f"/api/super-studies/{study_id}")
        assert (before["eta"], before["finishAt"], before["etaNote"]) == (None, None, "after first simulation")
        assert before["cost"] is None
        page = (await app.http.get(f"/studies/{study_id}")).text
        assert "When it is done can be told after the first simulation." in page
        await goliat.simulate(0)
        await look(app)
        shown = await app.get(f"/api/super-studies/{study_id}")
        assert shown["etaNote"] is None
        eta = shown["eta"]
        assert 0 < eta["p10"] < eta["p50"] < eta["p90"]
        # Seven simulations are left, which the model thought shorter than the one that was seen.
        assert 4 * SIMULATION_S < eta["p50"] < 8 * SIMULATION_S
        assert shown["progress"] == shown["masterProgress"] == pytest.approx(100 / 8)
        assert shown["finishAt"]["p10"] < shown["finishAt"]["p50"] < shown["finishAt"]["p90"]
        running, waiting = shown["assignments"]
        assert running["etaRange"]["p50"] < waiting["etaRange"]["p50"] <= eta["p90"]
        assert running["eta"] == running["finishAt"]["p50"]
        assert agent.job is not None
        run = (await app.get(f"/api/runs/{agent.job.run_id}"))["run"]
        assert run["eta"] == running["etaRange"]
        listed = await app.get("/api/super-studies")
        assert listed[0]["eta"] == eta
        (point,) = (await app.get(f"/api/super-studies/{study_id}/history"))["points"]
        assert point["progress"] == shown["progress"]
        assert point["finishAt"] == shown["finishAt"]

    with_app(test)


def test_a_first_eta_is_told_as_soon_as_something_was_learned(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)
        await goliat.simulate(0)
        path = f"/api/super-studies/{study_id}"
        assert (await app.get(path))["eta"] is None
        seen = app.services.hub.mark((f"study:{study_id}",))
        # At the same moment: an answer that is told again for a while would still be the one above.
        await learn(app.services)
        assert (await app.get(path))["eta"] is not None
        assert app.services.hub.mark((f"study:{study_id}",)) != seen, "open pages ask again"

    with_app(test)


def test_what_takes_long_is_worked_out_apart_and_nobody_waits(
    with_app: WithApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)
        path = f"/api/super-studies/{study_id}"
        assert (await app.get(path))["eta"] is None
        app.services.outlooks.apart_s = -1.0
        apart: list[Any] = []

        async def read_apart(unit: Any) -> Any:
            apart.append(unit.func)
            return await Database.read_apart(app.services.db, unit)

        monkeypatch.setattr(app.services.db, "read_apart", read_apart)
        await goliat.simulate(0)
        await learn(app.services)
        assert (await app.get(path))["eta"] is None, "the last answer, at once"
        for _ in range(600):
            if (shown := await app.get(path))["eta"] is not None:
                break
            await asyncio.sleep(0.05)
        assert 4 * SIMULATION_S < shown["eta"]["p50"] < 8 * SIMULATION_S
        assert set(apart) == {look_ahead}

    with_app(test)


def test_where_much_waits_not_even_the_first_look_is_the_servers_own(
    with_app: WithApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(app: App) -> None:
        await app.study(parts=3)
        apart: list[Any] = []

        async def read_apart(unit: Any) -> Any:
            apart.append(unit.func)
            return await Database.read_apart(app.services.db, unit)

        monkeypatch.setattr(app.services.db, "read_apart", read_apart)
        for most, expected in ((3, []), (2, [look_ahead])):
            monkeypatch.setattr(read_outlook, "MANY", most)
            assert (await Outlooks().now(app.services.db, app.clock.now, OFFER_AFTER_LEASE)).takers == 0
            assert apart == expected

    with_app(test)


def test_what_a_run_was_thought_to_take_is_kept_as_history(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        _, agent, goliat = await started(app)
        assert agent.job is not None
        path = f"/api/runs/{agent.job.run_id}"
        await look(app)
        assert (await app.get(f"{path}/samples?kind=forecast"))["times"] == [], "nobody can tell yet"
        left = []
        for index in range(2):
            await goliat.simulate(index)
            await look(app)
            await look(app)
            left.append((await app.get(path))["run"]["eta"])
        kept = await app.get(f"{path}/samples?kind=forecast")
        assert len(kept["times"]) == 2, "about one a minute, however often somebody looks"
        for name in ("p10", "p50", "p90"):
            assert kept["values"][name] == pytest.approx([eta[name] for eta in left], abs=1)
        assert kept["values"]["p50"][0] > kept["values"]["p50"][1] > 0
        # As many as go on, a minute apart; none of a run that is over.
        app.clock.now += 61 * SECOND
        await look(app)
        page = (await app.http.get(f"/runs/{agent.job.run_id}/samples")).text
        assert "9 in 10 are sooner, s" in page
        assert (
            await agent.call("POST", f"runs/{agent.job.run_id}/end", wire.End("killed", None, app.clock.now, "s1", 0))
        ).status_code == 200
        count = len((await app.get(f"{path}/samples?kind=forecast"))["times"])
        assert count == 3
        app.clock.now += 600 * SECOND
        await look(app)
        assert len((await app.get(f"{path}/samples?kind=forecast"))["times"]) == count

    with_app(test)


def test_progress_counts_what_the_solver_proves_and_not_what_goliat_says(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)

        async def progress() -> float:
            return float((await app.get(f"/api/super-studies/{study_id}/assignments"))[0]["progress"])

        await goliat.begin(0)
        await goliat.say({"type": "overall_progress", "current": 100, "total": 100})
        await goliat.stage("Setup", 1)
        assert await progress() == 0
        app.clock.now += 60 * SECOND
        await goliat.stage("Run", 0.9)
        in_run = await progress()
        assert 0 < in_run < 25
        app.clock.now += 60 * SECOND
        await goliat.line("[PROGRESS]: 50% [Time step 100 of 200] remaining time 1 minutes @ 2100.0 MCells/s")
        assert in_run < await progress() < 25
        await goliat.stage("Extract")
        assert await progress() < 25
        await goliat.stage("Extracting Results", 1)
        assert await progress() == 25
        # The next begins at nothing, whatever was heard of the last.
        await goliat.begin(1)
        assert await progress() == 25

    with_app(test)


def test_gpu_hours_and_money(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, agent, goliat = await started(app)
        await goliat.simulate(0)
        await look(app)
        await agent.call("POST", "heartbeat", wire.Beat(session_id=agent.session_id, sent_at=app.clock.now))
        worker = f"/api/workers/{agent.worker_id}"
        answer = await app.http.patch(worker, json={"pricePerHour": 0.9})
        assert answer.json()["pricePerHour"] == 0.9
        shown = await app.get(f"/api/super-studies/{study_id}")
        hours, cost = shown["gpuHours"], shown["cost"]
        assert hours["spent"] == pytest.approx((SIMULATION_S + 60) / 3600, abs=1e-3)
        assert hours["forecast"] > hours["spent"] + 4 * SIMULATION_S / 3600
        assert hours["idle"] == 0
        assert cost["spent"] == pytest.approx(0.9 * hours["spent"], abs=0.01)
        assert cost["forecast"] == pytest.approx(0.9 * hours["forecast"], abs=0.01)
        assert (cost["currency"], cost["unpricedHours"]) == ("EUR", 0)
        for wrong in (-1, 1e9):
            assert (await app.http.patch(worker, json={"pricePerHour": wrong})).status_code == 400
        assert (await app.http.patch(worker, json={"pricePerHour": None})).json()["pricePerHour"] is None
        assert (await app.get(f"/api/super-studies/{study_id}"))["cost"] is None

    with_app(test)


def test_nobody_may_take_it(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, agent, goliat = await started(app)
        await goliat.simulate(0)
        await look(app)
        await app.http.patch(f"/api/workers/{agent.worker_id}", json={"wish": "draining"})
        app.clock.now += 3600 * SECOND
        shown = await app.get(f"/api/super-studies/{study_id}")
        assert (shown["eta"], shown["etaNote"]) == (None, "no worker may take what is left")

    with_app(test)


def test_history_is_bounded_and_reads_write_nothing(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)

        async def points() -> list[dict[str, Any]]:
            return list((await app.get(f"/api/super-studies/{study_id}/history"))["points"])

        for _ in range(3):
            await app.get(f"/api/super-studies/{study_id}")
        assert await points() == []
        await goliat.begin(0)
        for _ in range(20):
            app.clock.now += 60 * SECOND
            await goliat.stage("Setup")
            await look(app)
        assert len(await points()) == 4
        assert (await app.http.get("/api/super-studies/none/history")).status_code == 404

    with_app(test)


def test_each_simulation_teaches_once_and_cached_ones_nothing(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        _, _, goliat = await started(app)
        await goliat.simulate(0)
        await goliat.begin(1)
        await goliat.line(f"--- Processing Simulation 2/4: thelonious, 700MHz, {CASES[1]} ---")
        app.clock.now += 12 * SECOND
        await goliat.line("Project already done, skipping.")
        await look(app)
        await look(app)
        assert await app.services.db.read(lambda c: timings.due(c, app.clock.now)) == []
        rows = await app.services.db.read(
            lambda c: c.execute(select(timings.timings).order_by(timings.timings.c.simulation_id)).all()
        )
        assert [row.cached for row in rows] == [False, True]
        assert rows[0].seconds == SIMULATION_S
        assert (rows[0].setup_s, rows[0].run_s, rows[0].extract_s) == pytest.approx((80, 200, 120), abs=6)
        assert len(await app.services.db.read(timings.newest)) == 1

    with_app(test)


def test_what_was_split_again_counts_with_those_that_took_it_over(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)
        await goliat.simulate(0)
        await look(app)
        path = f"/api/super-studies/{study_id}"
        before = await app.get(path)
        await app.post(f"{path}/split-again", {"numSplits": 2})
        app.clock.now += 60 * SECOND
        shown = await app.get(path)
        assert [part["replaced"] for part in shown["assignments"]] == [False, True, False, False]
        assert shown["progress"] == before["progress"] == pytest.approx(100 / 8)
        assert shown["assignments"][1]["etaRange"] is None
        # The same work in one more assignment; counted twice it would be half as much again.
        assert shown["eta"]["p50"] == pytest.approx(before["eta"]["p50"], rel=0.1)

    with_app(test)


def test_what_failed_is_in_no_eta_and_that_is_said(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _, goliat = await started(app)
        other = await app.agent("gpu-2")
        job = (await other.claim()).job
        assert job is not None
        await app.post(f"/api/runs/{job.run_id}/cancel", {})
        end = wire.End("killed", 1, app.clock.now, "s1", 0)
        await other.call("POST", f"runs/{job.run_id}/end", end)
        await goliat.simulate(0)
        await look(app)
        shown = await app.get(f"/api/super-studies/{study_id}")
        assert shown["assignments"][1]["state"] == "FAILED"
        assert shown["eta"]["p50"] < 4 * SIMULATION_S
        assert shown["etaNote"] == "without 1 failed assignment"

    with_app(test)


def test_a_worker_set_aside_is_not_counted_on(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, agent, goliat = await started(app)
        await goliat.simulate(0)
        await look(app)
        aside = insert(tables.set_aside).values(
            super_study_id=study_id, worker_id=agent.worker_id, at=app.clock.now, reason="it failed thrice"
        )
        await app.services.db.write(lambda c: c.execute(aside))
        app.clock.now += 60 * SECOND
        shown = await app.get(f"/api/super-studies/{study_id}")
        assert (shown["eta"], shown["etaNote"]) == (None, "no worker may take what is left")
        # What it runs now goes on.
        assert shown["assignments"][0]["etaRange"] is not None

    with_app(test)


def test_history_ends_with_the_study(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study("short", config=CONFIG)
        agent = await app.agent()
        await agent.claim()
        goliat = _Speaker(app, agent)
        for number in range(4):
            await goliat.simulate(number)
            await look(app)
        assert agent.job is not None
        end = wire.End("exited", 0, app.clock.now, "s1", goliat.offset)
        await agent.call("POST", f"runs/{agent.job.run_id}/end", end)
        app.clock.now += 60 * SECOND
        for _ in range(3):
            await look(app)
        shown = await app.get(f"/api/super-studies/{study['id']}")
        assert (shown["state"], shown["eta"], shown["finishAt"], shown["etaNote"]) == ("completed", None, None, None)
        assert shown["gpuHours"]["forecast"] == shown["gpuHours"]["spent"] > 0
        points = (await app.get(f"/api/super-studies/{study['id']}/history"))["points"]
        assert [it["progress"] for it in points] == [25, 50, 75, 99, 100]
        assert points[-1]["finishAt"]["p10"] == points[-1]["finishAt"]["p90"] == points[-1]["at"]

    with_app(test)


async def retried(app: App, proven: int) -> tuple[str, AgentCalls]:
    """A study of one assignment whose first run proved so many of its four simulations and then failed."""
    study = await app.study("again", parts=1, config=CONFIG)
    first, second = await app.agent("first"), await app.agent("second")
    await first.claim()
    app.clock.now += 60 * SECOND
    goliat = _Speaker(app, first)
    for number in range(proven):
        await goliat.simulate(number)
    # Heard of lately, or there would be no other worker to try it on.
    await second.call("POST", "heartbeat", wire.Beat(session_id=second.session_id, sent_at=app.clock.now))
    end = wire.End("exited", 1, app.clock.now, "s1", goliat.offset)
    assert first.job is not None
    assert (await first.call("POST", f"runs/{first.job.run_id}/end", end)).json()["state"] == "failed"
    await look(app)
    return str(study["id"]), second


async def to_come(app: App, study_id: str) -> float:
    """Hours that a study is still expected to take."""
    app.clock.now += 60 * SECOND
    hours = (await app.get(f"/api/super-studies/{study_id}"))["gpuHours"]
    return float(hours["forecast"] - hours["spent"])


@pytest.mark.parametrize(("proven", "asked"), [(2, 2), (1, 4)])
def test_a_retry_is_foretold_with_what_it_will_compute(with_app: WithApp, proven: int, asked: int) -> None:
    # Both angles of a side can be left out of a config; one of four cannot, for a config asks for a product.
    async def test(app: App) -> None:
        study_id, second = await retried(app, proven)
        waiting = await to_come(app, study_id)
        assert waiting == pytest.approx((asked * SIMULATION_S + START_S) / 3600, rel=0.25)
        job = (await second.claim()).job
        assert job is not None
        assert len(job.cases) == asked
        begun = await to_come(app, study_id)
        assert begun == pytest.approx(asked * SIMULATION_S / 3600, rel=0.25)

    with_app(test)


def test_a_better_worker_is_waited_for_in_the_forecast_too(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, _ = await retried(app, 2)

        async def wished(**values: Any) -> float:
            table = tables.assignments
            await app.services.db.write(lambda c: c.execute(update(table).values(**values)))
            app.clock.now += 60 * SECOND
            return float((await app.get(f"/api/super-studies/{study_id}"))["eta"]["p50"])

        soon = await wished(not_before=None, prefer_until=app.clock.now + 3600 * SECOND, vram_above=None)
        assert soon < 1800, "the worker that did not fail it is there"
        late = await wished(prefer_until=app.clock.now + 3600 * SECOND, vram_above=10**12)
        assert late > 3000, "nobody has so much memory: it waits for the hour"

    with_app(test)


def test_the_list_of_studies_tells_hours_and_cost_as_the_study_does(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study_id, second = await retried(app, 2)
        answer = await app.http.patch(f"/api/workers/{second.worker_id}", json={"pricePerHour": 0.9})
        assert answer.status_code == 200
        # After the pause of a retry.
        app.clock.now += 60 * SECOND
        assert (await second.claim()).job is not None
        app.clock.now += 600 * SECOND
        await second.call("POST", "heartbeat", wire.Beat(session_id=second.session_id, sent_at=app.clock.now))
        shown = await app.get(f"/api/super-studies/{study_id}")
        (listed,) = await app.get("/api/super-studies")
        for name in ("gpuHours", "cost"):
            assert listed[name] == {what: shown[name][what] for what in ("spent", "forecast")}
        assert listed["gpuHours"]["spent"] == pytest.approx((2 * SIMULATION_S + 60 + 600) / 3600, abs=0.02)
        assert listed["cost"]["spent"] > 0

    with_app(test)

"""The queue over HTTP: calls that are held open, what people ask, and why something waits."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from goliat_monitoring.server.api import waiting as waiting_module
from goliat_monitoring.store import queue
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.support.app import AgentCalls, App
from tests.support.studies import CONFIG, new_study

WithApp = Callable[..., None]
WIDE: dict[str, Any] = {**CONFIG, "phantoms": ["thelonious", "duke"], "frequencies_mhz": [700, 900]}
# The promise is 100 ms; a busy test machine gets the rest.
SOON_S = 1.5


async def held(agent: AgentCalls) -> "asyncio.Task[wire.Claimed]":
    """A claim that waits."""
    waiting = asyncio.create_task(agent.claim(wait_s=20))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    return waiting


async def listen(agent: AgentCalls, wait_s: float = 20, **known: str) -> Any:
    """What is asked of the agent, when it is another than it knows."""
    run_id = agent.job.run_id if agent.job else None
    return await agent.call("POST", "orders", wire.Listen(agent.session_id, run_id, wait_s=wait_s, **known))  # type: ignore[arg-type]


def test_a_waiting_claim_is_answered_when_a_study_goes_on(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        paused = await app.post(f"/api/super-studies/{study['id']}/pause", None)
        assert paused["state"] == "paused"
        waiting = await held(await app.agent())
        began = time.monotonic()
        await app.post(f"/api/super-studies/{study['id']}/resume", None)
        assert (await waiting).job is not None
        assert time.monotonic() - began < SOON_S

    with_app(test)


def test_a_waiting_claim_looks_when_something_changed_and_never_by_the_clock(
    with_app: WithApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The look that nobody asked for is put off for an hour: whatever is answered, was told.
    monkeypatch.setattr(waiting_module, "LOOK_AGAIN_S", 3600.0)
    looks = list[str]()
    deal = queue.deal

    def counted(connection: Any, moment: Any, facts: Any, *more: Any) -> Any:
        looks.extend(facts)
        return deal(connection, moment, facts, *more)

    monkeypatch.setattr(queue, "deal", counted)

    async def test(app: App) -> None:
        study = await app.study()
        await app.post(f"/api/super-studies/{study['id']}/pause", None)
        agents = [await app.agent(f"gpu-{number}") for number in range(3)]
        waiting = [asyncio.create_task(agent.claim(wait_s=20)) for agent in agents]
        await asyncio.sleep(1.0)
        assert len(looks) == 3, "one look each, however long they wait"
        await app.post(f"/api/super-studies/{study['id']}/resume", None)
        done, rest = await asyncio.wait(waiting, timeout=SOON_S, return_when=asyncio.FIRST_COMPLETED)
        assert done
        assert len(looks) <= 6
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    with_app(test)


@pytest.mark.parametrize("wish", ["paused", "draining"])
def test_the_claim_of_a_worker_that_rests_is_answered_when_it_is_resumed(with_app: WithApp, wish: str) -> None:
    async def test(app: App) -> None:
        agent = await app.agent()
        await app.post("/api/workers/wish", {"workers": [agent.worker_id], "wish": wish})
        await app.study()
        waiting = asyncio.create_task(agent.claim(wait_s=20))
        await asyncio.sleep(0.3)
        assert not waiting.done(), "there is work, but not for a worker that rests"
        began = time.monotonic()
        await app.post("/api/workers/wish", {"workers": [agent.worker_id], "wish": "active"})
        assert (await waiting).job is not None
        assert time.monotonic() - began < 3
        # Who is to end hears so at once.
        other = await app.agent()
        await app.post("/api/workers/wish", {"workers": [other.worker_id], "wish": "paused"})
        waiting = asyncio.create_task(other.claim(wait_s=20))
        await asyncio.sleep(0.1)
        await app.http.patch(f"/api/workers/{other.worker_id}", json={"wish": "stopping"})
        assert (await waiting).wish == "stopping"

    with_app(test)


def test_a_waiting_claim_is_answered_when_a_pause_ends_by_itself(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        agent = await app.agent()
        await agent.claim()
        assert agent.job is not None
        await agent.send(0, wire.MessageItem(app.clock.now, {"type": "memory_error", "message": "bad allocation"}))
        end = wire.End("exited", 42, app.clock.now, "s1", 1)
        assert (await agent.call("POST", f"runs/{agent.job.run_id}/end", end)).json()["state"] == "memory_error"
        # The pause of 30 s ends in half a second, and no commit tells of it.
        app.clock.now += round(29.5 * SECOND)
        agent.job = None
        waiting = await held(agent)
        began = time.monotonic()
        app.clock.now += SECOND
        job = (await waiting).job
        assert job is not None
        assert job.attempt == 2
        assert time.monotonic() - began < SOON_S

    with_app(test)


def test_orders_are_told_at_once(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        assert (await listen(agent, 0)).json()["directive"] == "continue"
        waiting = asyncio.create_task(listen(agent))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        began = time.monotonic()
        await app.post(f"/api/runs/{job.run_id}/cancel", None)
        assert (await waiting).json()["directive"] == "kill"
        # What it knows is not told again; that the run is over is.
        waiting = asyncio.create_task(listen(agent, directive="kill"))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        await app.post(f"/api/runs/{job.run_id}/give-up", {})
        answer = await waiting
        assert (answer.status_code, answer.json()["fenced"]) == (409, True)
        assert time.monotonic() - began < 2 * SOON_S
        agent.job = None
        waiting = asyncio.create_task(listen(agent))
        await asyncio.sleep(0.3)
        patched = await app.http.patch(f"/api/workers/{agent.worker_id}", json={"wish": "stopping"})
        assert patched.json()["state"] == "draining"
        assert (await waiting).json()["wish"] == "stopping"

    with_app(test)


def test_orders_are_for_the_runs_own_agent(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        one, two = await app.agent("one"), await app.agent("two")
        await one.claim()
        two.job = one.job
        answer = await listen(two, 0)
        assert (answer.status_code, answer.json()["fenced"]) == (409, True)

    with_app(test)


def test_cancel_a_study_and_ask_why(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study(parts=3)
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        parts = [part["id"] for part in study["assignments"]]
        why = await app.get(f"/api/assignments/{parts[0]}/why")
        assert why["answer"] == "It is claimed on gpu-1."
        rules = {it["rule"]: (it["ok"], it["text"]) for it in why["rules"]}
        assert rules["order"] == (False, "It is not in the queue: it is running.")
        assert not any(worker["ok"] for worker in why["workers"])
        why = await app.get(f"/api/assignments/{parts[2]}/why")
        assert why["answer"] == "Every worker that may have it is busy or not heard."
        assert {it["rule"]: it["ok"] for it in why["rules"]}["order"] is False
        assert [verdict["rule"] for verdict in why["workers"][0]["verdicts"] if not verdict["ok"]] == ["busy"]
        cancelled = await app.post(f"/api/assignments/{parts[2]}/cancel", None)
        assert cancelled["state"] == "CANCELLED"
        answer = await app.post(f"/api/super-studies/{study['id']}/cancel", None)
        assert answer["state"] == "cancelled"
        assert [part["state"] for part in answer["assignments"]] == ["ASSIGNED", "CANCELLED", "CANCELLED"]
        assert (await agent.call("POST", f"runs/{job.run_id}/end", wire.End("killed", None, app.clock.now, "s1", 0))
                ).json()["state"] == "cancelled"  # fmt: skip
        again = await app.http.post(f"/api/super-studies/{study['id']}/resume")
        assert again.status_code == 409
        assert "study missing" in again.json()["details"]
        for path in ("/api/super-studies/x/pause", "/api/assignments/x/cancel", "/api/runs/x/cancel"):
            assert (await app.http.post(path)).status_code == 404
        assert (await app.http.get("/api/assignments/x/why")).status_code == 404

    with_app(test)


def test_priority_changes_while_a_study_waits(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study("first")
        app.clock.now += SECOND
        second = await app.study("second")
        answer = await app.http.patch(f"/api/super-studies/{second['id']}", json={"priority": 7})
        assert answer.json()["priority"] == 7
        job = (await (await app.agent()).claim()).job
        assert job is not None
        assert job.study_name == "second"
        assert (await app.http.patch(f"/api/super-studies/{second['id']}", json={"priority": 9999})).status_code == 400

    with_app(test)


def test_split_again_and_from_what_is_missing(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.post("/api/super-studies", new_study("wide", 1, WIDE))
        path = f"/api/super-studies/{study['id']}"
        shown = await app.post(f"{path}/split-again", {"numSplits": 4, "preview": True})
        assert [part["simulations"] for part in shown["assignments"]] == [2, 2, 2, 2]
        assert [part["index"] for part in shown["assignments"]] == [None] * 4
        assert shown["warnings"] == []
        both = await app.http.post(f"{path}/split-again", json={"numSplits": 4, "workers": 2})
        assert (both.status_code, both.json()["error"]) == (400, "numSplits and workers exclude each other")
        most = await app.post(f"{path}/split-again", {"numSplits": 9, "preview": True})
        assert most["warnings"] == ["It makes 8, not 9: what remains cannot be cut any further."]
        misspelled = await app.http.post(f"{path}/split-again", json={"numSplits": 4, "preveiw": True})
        assert misspelled.status_code == 400
        assert "`preveiw`. Allowed: numSplits, workers, preview." in misspelled.json()["details"]
        assert (await app.http.post(f"{path}/missing", json={"name": "rest", "worker": 2})).status_code == 400
        assert (await app.http.patch(path, json={"priority": 3, "name": "other"})).status_code == 400
        done = await app.post(f"{path}/split-again", {"numSplits": 4})
        assert (done["replaced"], [part["index"] for part in done["assignments"]]) == ([0], [1, 2, 3, 4])
        whole = await app.get(path)
        assert [part["replaced"] for part in whole["assignments"]] == [True, False, False, False, False]
        assert (whole["totalAssignments"], whole["state"]) == (4, "waiting")
        assert (await app.http.post(f"{path}/split-again", json={"numSplits": 0})).status_code == 400
        # Each is told as a part of the study, and not of the part that its assignment was before.
        again = await app.post(f"{path}/split-again", {"preview": True})
        texts = [part["label"] for part in again["assignments"]]
        assert texts == [part["label"] for part in done["assignments"]]
        assert "everything" not in texts
        assert len(set(texts)) == 4
        await app.post(f"{path}/cancel", None)
        made = await app.post(f"{path}/missing", {"name": "rest", "workers": 2})
        assert sum(part["simulations"] for part in made["assignments"]) == 8
        assert made["study"]["split"] == {"missingOf": "wide"}
        taken = await app.http.post(f"{path}/missing", json={"name": "rest"})
        assert (taken.status_code, taken.json()["free"]) == (409, "rest-2")
        shown = await app.http.post(f"{path}/missing", json={"name": "rest", "preview": True})
        assert (shown.status_code, shown.json()["free"]) == (409, "rest-2")

    with_app(test)


@pytest.mark.parametrize("whole_study", [True, False])
def test_a_retry_asks_only_for_what_is_missing(with_app: WithApp, whole_study: bool) -> None:
    async def test(app: App) -> None:
        study = await app.post("/api/super-studies", new_study("wide", 1, WIDE))
        path, part = f"/api/super-studies/{study['id']}", study["assignments"][0]["id"]
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        for number, case in enumerate(job.cases[:3]):
            await agent.send(
                2 * number,
                wire.MessageItem(app.clock.now + number * 10 * SECOND, {
                    "type": "sim_details", "count": number + 1, "total": 8, "details": case.details}),
                wire.MessageItem(app.clock.now + (number * 10 + 5) * SECOND, {
                    "type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1}),
            )  # fmt: skip
        await app.post(f"/api/runs/{job.run_id}/cancel", None)
        await agent.call("POST", f"runs/{job.run_id}/end", wire.End("killed", None, app.clock.now, "s1", 6))
        agent.job = None
        before = await app.get(path)
        assert before["assignments"][0]["state"] == "FAILED"
        assert before["progress"] > 30
        retried = await app.post(f"{path}/retry" if whole_study else f"/api/assignments/{part}/retry", None)
        assert retried["cut"]["replaced"] == [0]
        made = retried["cut"]["assignments"]
        assert sum(it["simulations"] for it in made) == 5
        after = await app.get(path)
        assert (after["progress"], after["totalAssignments"]) == (before["progress"], len(made))
        assert [it["index"] for it in after["assignments"] if not it["replaced"]] == [it["index"] for it in made]
        asked = list[str]()
        for number in range(len(made)):
            again = (await (await app.agent(f"gpu-{number + 2}")).claim()).job
            assert again is not None
            asked += [case.key for case in again.cases]
        assert sorted(asked) == sorted(case.key for case in job.cases[3:])
        # There is nothing more to ask of what others ask for now.
        assert (await app.http.post(f"/api/assignments/{part}/retry")).status_code == 409

    with_app(test)


def test_what_waits_as_it_was_is_not_cut(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        part = study["assignments"][0]["id"]
        await app.post(f"/api/assignments/{part}/cancel", None)
        retried = await app.post(f"/api/assignments/{part}/retry", None)
        assert (retried["state"], retried["replaced"], retried["cut"]) == ("PENDING", False, None)

    with_app(test)


def test_nothing_is_left_to_cancel_or_to_pause_of_what_is_over(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study(parts=1)
        path, part = f"/api/super-studies/{study['id']}", study["assignments"][0]["id"]
        await app.post(f"/api/assignments/{part}/cancel", None)
        for action in ("cancel", "pause"):
            refused = await app.http.post(f"{path}/{action}")
            assert (refused.status_code, refused.json()["error"]) == (409, f"nothing is left to {action}")
        # So it can still be asked for again.
        assert (await app.post(f"/api/assignments/{part}/retry", None))["state"] == "PENDING"
        assert (await app.post(f"{path}/pause", None))["state"] == "paused"
        assert (await app.post(f"{path}/cancel", None))["state"] == "cancelled"

    with_app(test)


def test_a_worker_that_was_set_aside_is_taken_back(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study(parts=4)
        agent = await app.agent()
        for number in range(3):
            job = (await agent.claim()).job
            assert job is not None
            await agent.send(0, agent.line(f"broken {'xyz'[number]}", "error"))
            end = wire.End("exited", 1, app.clock.now, "s1", 1)
            assert (await agent.call("POST", f"runs/{job.run_id}/end", end)).json()["state"] == "failed"
        assert (await agent.claim()).job is None
        worker = (await app.get(f"/api/workers/{agent.worker_id}"))["worker"]
        assert worker["setAside"] == ["study"]
        path = f"/api/workers/{agent.worker_id}/take-back"
        back = await app.post(path, {"studyId": study["id"]})
        assert back["setAside"] == []
        assert (await app.http.post(path, json={"studyId": study["id"]})).status_code == 409
        assert (await agent.claim()).job is not None
        retried = await app.post(f"/api/super-studies/{study['id']}/retry", None)
        assert [part["state"] for part in retried["assignments"]] == ["PENDING"] * 3 + ["ASSIGNED"]

    with_app(test)


def test_the_bare_client_keeps_claiming_by_number(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        body = {**new_study("bare", 2, WIDE), "requirements": ["vram>=80"]}
        study = await app.post("/api/super-studies", body)
        part = study["assignments"][1]["id"]
        claimed = await app.post(f"/api/assignments/{part}/claim", {"machineId": "10.0.0.9"})
        assert claimed["splitConfig"] == WIDE
        assert claimed["state"] == "ASSIGNED"
        # Work that it was not named waits for a machine that fits.
        assert (await app.http.get("/api/assignment", params={"machineId": "10.0.0.8"})).status_code == 204

    with_app(test)

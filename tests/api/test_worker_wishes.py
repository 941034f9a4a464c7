"""What is asked of many workers together: all of them or none, and the same again changes nothing."""

from collections.abc import Callable

from tests.support.app import App

WithApp = Callable[..., None]
ADDRESS = "/api/workers/wish"


async def wishes(app: App, ids: list[str]) -> list[str]:
    found = {it["id"]: it["wish"] for it in (await app.http.get("/api/workers?includeStale=true")).json()}
    return [found[key] for key in ids]


async def changes(app: App) -> int:
    """How many events tell of a wish or a removal."""
    events = (await app.http.get("/api/events?limit=1000")).json()
    listed = events["events"] if isinstance(events, dict) else events
    return sum(it["kind"] in ("worker_wish", "worker_removed") for it in listed)


def test_many_are_asked_at_once_and_again_is_no_change(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        ids = [(await app.agent(name)).worker_id for name in ("a", "b", "c")]
        said = {"workers": [*ids[:2], ids[0]], "wish": "paused"}
        assert await app.post(ADDRESS, said) == {"changed": ids[:2]}
        assert await wishes(app, ids) == ["paused", "paused", "active"]
        assert await app.post(ADDRESS, said) == {"changed": []}
        assert await changes(app) == 2
        await app.post(ADDRESS, {"workers": ids, "wish": "active"})
        assert await wishes(app, ids) == ["active"] * 3
        await app.post(ADDRESS, {"workers": ids, "wish": "removed"})
        assert await app.post(ADDRESS, {"workers": ids, "wish": "removed"}) == {"changed": []}
        assert (await app.http.get("/api/workers")).json() == []

    with_app(test)


def test_a_worker_goes_by_the_name_that_people_gave_it(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        first, second = await app.agent("lab-1"), await app.agent("lab-2")
        changed = await app.http.patch("/api/workers/lab-1", json={"label": "gpu"})
        assert (changed.status_code, changed.json()["id"]) == (200, first.worker_id)
        # What has a name is not called by its host any more.
        assert (await app.http.patch("/api/workers/lab-1", json={"wish": "paused"})).status_code == 404
        assert (await app.http.patch("/api/workers/gpu", json={"wish": "paused"})).json()["wish"] == "paused"
        await app.http.patch("/api/workers/lab-2", json={"label": "gpu"})
        refused = await app.http.patch("/api/workers/gpu", json={"wish": "active"})
        assert refused.status_code == 409
        assert set(refused.json()["ambiguous"]) == {first.worker_id, second.worker_id}
        unknown = await app.http.patch("/api/workers/cpu", json={"wish": "active"})
        assert "'cpu' is no id, machine id, address or name" in unknown.json()["details"]

    with_app(test)


def test_one_that_cannot_be_spares_all(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        busy, idle = await app.agent("busy"), await app.agent("idle")
        await busy.claim()
        ids = [idle.worker_id, busy.worker_id]
        for body, status in (
            ({"workers": ids, "wish": "removed"}, 409),
            ({"workers": [*ids, "nobody"], "wish": "paused"}, 404),
            ({"workers": [], "wish": "paused"}, 400),
            ({"workers": ids, "wish": "stopping"}, 400),
            ({"workers": ["x"] * 1001, "wish": "paused"}, 400),
        ):
            answer = await app.http.post(ADDRESS, json=body)
            assert answer.status_code == status, answer.text
            assert await wishes(app, ids) == ["active", "active"]
        assert await app.post(ADDRESS, {"workers": ids, "wish": "removed", "force": True}) == {"changed": ids}
        runs = (await app.http.get("/api/runs")).json()
        assert [run["state"] for run in runs] == ["lost"]
        answer = await app.http.post(ADDRESS, json={"workers": ids, "wish": "active"})
        assert answer.status_code == 409, "who was removed comes back by being heard"

    with_app(test)

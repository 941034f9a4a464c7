"""The history of progress and vitals over HTTP, as columns for a plot."""

from collections.abc import Callable

from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND, iso
from tests.support.app import App

WithApp = Callable[..., None]


def test_progress_and_vitals_of_a_run_as_columns(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study()
        agent = await app.agent()
        job = (await agent.claim()).job
        assert job is not None
        began = app.clock.now
        for i in range(20):
            progress = {"type": "overall_progress", "current": i, "total": 20}
            await agent.send(
                2 * i,
                wire.SampleItem(app.clock.now, {"cpu": 10.0 * i, "disk_read": 1.5, "page_faults": 3.0}),
                wire.MessageItem(app.clock.now, progress),
            )
            app.clock.now += 10 * SECOND
        path = f"/api/runs/{job.run_id}/samples"
        vitals = await app.get(path, params={"kind": "vitals"})
        assert (vitals["step"], vitals["kind"], len(vitals["times"])) == (0, "vitals", 20)
        assert vitals["times"][0] == began / SECOND
        assert vitals["values"]["cpu"][:3] == [0, 10, 20]
        assert vitals["smallest"] == {}
        progress = await app.get(path)
        assert progress["values"]["percent"][-1] == 95
        few = await app.get(path, params={"kind": "vitals", "points": 5})
        assert few["step"] >= 40
        assert len(few["times"]) <= 5
        assert max(few["largest"]["cpu"]) == 190
        part = {"kind": "vitals", "since": iso(began + 10 * SECOND), "until": iso(began + 30 * SECOND)}
        assert (await app.get(path, params=part))["values"]["cpu"] == [10, 20]
        of_worker = await app.get(f"/api/workers/{agent.worker_id}/samples")
        assert of_worker == vitals
        by_run = {"runId": job.run_id, "kind": "progress"}
        assert await app.get(f"/api/workers/{agent.worker_id}/samples", params=by_run) == progress

    with_app(test)


def test_what_cannot_be_answered_says_why(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study(parts=1)
        one, two = await app.agent("one"), await app.agent("two")
        job = (await one.claim()).job
        assert job is not None
        path = f"/api/runs/{job.run_id}/samples"
        assert (await app.get(path))["times"] == []
        assert (await app.get(f"/api/workers/{two.worker_id}/samples"))["runId"] is None
        for address, params, status, word in (
            ("/api/runs/nobody/samples", {}, 404, "nobody"),
            (path, {"kind": "weather"}, 400, "kind"),
            (path, {"since": "yesterday"}, 400, "since"),
            (path, {"points": 0}, 400, "points"),
            (path, {"points": 100_000}, 400, "points"),
            (f"/api/workers/{two.worker_id}/samples", {"runId": job.run_id}, 404, "another worker"),
            ("/api/workers/nobody/samples", {}, 404, "nobody"),
        ):
            answer = await app.http.get(address, params=params)
            assert answer.status_code == status, answer.text
            assert word in answer.text

    with_app(test)

"""Settings that are changed while the server runs: kept over a restart, obeyed by retention, counted in costs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from goliat_monitoring.fleet.prices import price_of
from goliat_monitoring.server.jobs.retention import Retention
from tests.support.app import App, running_app

WithApp = Callable[..., None]


def test_retention_obeys_what_was_stored(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study("old")
        before = [it for it in (await app.get("/api/settings"))["retention"] if it["name"] == "keep_events_d"]
        assert before == [
            {
                "name": "keep_events_d", "unit": "days", "what": "The record of claims, states and actions",
                "value": 365, "environment": 365, "stored": False, "variable": "GOLIAT_MONITORING_KEEP_EVENTS_D",
            }
        ]  # fmt: skip
        retention = Retention(app.services, rest=0)
        app.clock.now += 3 * 86_400_000_000
        await retention.work()
        assert "study_created" in await _events(app)
        changed = await app.http.patch("/api/settings", json={"retention": {"keep_events_d": 2}})
        assert changed.status_code == 200
        await retention.work()
        told = await _events(app)
        assert "study_created" not in told
        assert "setting_changed" in told
        await app.http.patch("/api/settings", json={"retention": {"keep_events_d": None}})
        (back,) = [it for it in (await app.get("/api/settings"))["retention"] if it["name"] == "keep_events_d"]
        assert (back["value"], back["stored"]) == (365, False)

    with_app(test)


async def _events(app: App) -> list[str]:
    return [it["kind"] for it in await app.get("/api/events")]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"retention": {"host": 1}},
        {"retention": {"keep_logs_d": -1}},
        {"retention": {"keep_logs_d": "long"}},
        {"retention": {"keep_raw_samples_h": 24 * 31}},
        {"retention": {"keep_raw_samples_h": 0}},
        {"retention": {"keep_samples_d": 10}},
        {"currency": "euro"},
        {"currency": "<b>"},
    ],
)
def test_what_makes_no_sense_is_refused_whole(with_app: WithApp, body: dict[str, object]) -> None:
    async def test(app: App) -> None:
        before = await app.get("/api/settings")
        answer = await app.http.patch("/api/settings", json=body)
        assert answer.status_code == 400
        assert answer.json()["details"]
        assert await app.get("/api/settings") == before

    with_app(test)


def test_settings_outlive_a_restart(tmp_path: Path) -> None:
    async def test() -> None:
        async with running_app(tmp_path / "data") as app:
            answer = await app.http.patch("/api/settings", json={"retention": {"keep_logs_d": 7}, "currency": "CHF"})
            assert answer.status_code == 200
        async with running_app(tmp_path / "data", keep_logs_d=90.0) as app:
            told = await app.get("/api/settings")
            assert told["currency"] == "CHF"
            (logs,) = [it for it in told["retention"] if it["name"] == "keep_logs_d"]
            assert (logs["value"], logs["environment"], logs["stored"]) == (7, 90, True)

    asyncio.run(test())


def test_a_worker_costs_what_it_or_its_gpu_costs(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.post("/api/heartbeat", {"machineId": "m", "hostname": "a", "gpuName": "NVIDIA GeForce RTX 4090"})
        put = await app.http.put("/api/settings/gpu-prices", json={"gpu": " rtx  4090", "pricePerHour": 0.5})
        assert put.json()["gpuPrices"] == {"rtx 4090": 0.5}
        await app.http.put("/api/settings/gpu-prices", json={"gpu": "RTX 4090", "pricePerHour": 0.6})
        assert (await app.get("/api/settings"))["gpuPrices"] == {"rtx 4090": 0.6}
        (worker,) = await app.get("/api/workers")
        assert worker["pricePerHour"] == 0.6
        study = await app.study()
        await app.post(f"/api/assignments/{study['assignments'][0]['id']}/claim", {"machineId": "m"})
        await app.gui("m", type="overall_progress", current=1, total=100)
        app.clock.now += 3600_000_000
        await app.http.patch("/api/settings", json={"currency": "USD"})
        cost = (await app.get(f"/api/super-studies/{study['id']}"))["cost"]
        assert (cost["spent"], cost["currency"]) == (pytest.approx(0.6, abs=0.01), "USD")
        await app.http.patch(f"/api/workers/{worker['id']}", json={"pricePerHour": 1.0})
        assert (await app.get("/api/workers"))[0]["pricePerHour"] == 1.0
        await app.http.patch(f"/api/workers/{worker['id']}", json={"pricePerHour": None})
        await app.http.put("/api/settings/gpu-prices", json={"gpu": "RTX 4090"})
        assert (await app.get("/api/workers"))[0]["pricePerHour"] is None
        gone = await app.http.put("/api/settings/gpu-prices", json={"gpu": "RTX 4090"})
        assert gone.status_code == 404
        for wrong in (
            {"gpu": "", "pricePerHour": 1},
            {"gpu": "x\u202ey", "pricePerHour": 1},
            {"gpu": "x", "pricePerHour": -1},
        ):
            assert (await app.http.put("/api/settings/gpu-prices", json=wrong)).status_code == 400

    with_app(test)


def test_the_most_exact_name_of_a_gpu_counts() -> None:
    prices = {"RTX 6000": 1.0, "RTX 6000 Ada": 2.0, "H100": 3.0}
    assert price_of(None, "NVIDIA RTX 6000 Ada Generation", prices) == 2.0
    assert price_of(None, "NVIDIA RTX 6000", prices) == 1.0
    assert price_of(None, "NVIDIA RTX 60001", prices) is None
    assert price_of(0.0, "NVIDIA H100", prices) == 0.0

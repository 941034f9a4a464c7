"""The server's own trouble: seen on pages that are open already, told by /readyz, /api/server and /metrics."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from goliat_monitoring.server.jobs.watch import Watch
from goliat_monitoring.store.engine import database_url
from goliat_monitoring.store.health import wal_size
from tests.support.app import App, in_app

WithApp = Callable[..., None]
UNTIL_FULL = 1e9 - 1


async def scraped(app: App) -> dict[str, float]:
    """All samples, named as Prometheus queries them."""
    answer = await app.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        sample.name + "".join(f"[{label}]" for label in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_a_disk_that_is_nearly_full_is_told_everywhere(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        stamp = app.services.hub.stamp()
        await Watch(app.services).work()
        assert app.services.hub.missed({"server"}, stamp), "open pages are told"
        page = await app.http.get("/workers")
        assert "The server&#39;s disk is nearly full since" in page.text
        assert 'hx-get="/fragments/trouble" hx-trigger="sse:server from:body' in page.text
        assert "server" in page.text.partition('data-topics="')[2].partition('"')[0].split(",")
        assert "nearly full" in (await app.http.get("/fragments/trouble")).text
        ready = await app.http.get("/readyz")
        assert ready.status_code == 200
        assert ready.json() == {"status": "ready", "checks": {"disk": "low", "database": "ok", "files": "ok"}}
        told = await app.get("/api/server")
        assert told["disk"]["low"] is True
        assert [trouble["key"] for trouble in told["troubles"]] == ["disk_low"]
        assert (await scraped(app))["goliat_trouble[disk_low]"] == 1
        stamp = app.services.hub.stamp()
        await Watch(app.services).work()
        assert not app.services.hub.missed({"server"}, stamp), "once is enough"

    with_app(test, disk_low_mb=UNTIL_FULL)


def test_without_trouble_pages_show_none(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await Watch(app.services).work()
        assert (await app.http.get("/fragments/trouble")).text == ""
        assert (await app.get("/api/server"))["troubles"] == []

    with_app(test, disk_low_mb=0.0)


def test_writes_that_fail_are_a_banner_until_they_succeed(tmp_path: Path) -> None:
    async def test(app: App) -> None:
        db = app.services.db
        await db.write(lambda c: c.exec_driver_sql("PRAGMA busy_timeout = 20").close())
        path = database_url(db.url).database
        assert path is not None
        other = sqlite3.connect(path, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE").close()
            stamp = app.services.hub.stamp()
            refused = await app.http.get("/readyz")
            assert refused.status_code == 503
            assert refused.json()["checks"] == {
                "disk": "ok", "database": "the database does not answer", "files": "ok"
            }  # fmt: skip
            assert app.services.hub.missed({"server"}, stamp)
            page = await app.http.get("/")
            assert page.status_code == 200, "what is there can be read"
            assert "Nothing can be written to the database since" in page.text
            assert "database is locked" in page.text
            assert [it["key"] for it in (await app.get("/api/server"))["troubles"]] == ["writing"]
            assert (await scraped(app))["goliat_trouble[writing]"] == 1
        finally:
            other.close()
        stamp = app.services.hub.stamp()
        assert (await app.http.get("/readyz")).status_code == 200
        assert app.services.hub.missed({"server"}, stamp)
        assert (await app.http.get("/fragments/trouble")).text == ""

    in_app(tmp_path / "data", test)


def test_pages_say_that_the_database_does_not_answer_and_try_again(tmp_path: Path) -> None:
    async def test(app: App) -> None:
        path = str(database_url(app.services.db.url).database)
        os.rename(path, path + ".away")  # noqa: PTH104
        os.mkdir(path)  # noqa: PTH102
        app.services.db.read_engine.dispose()
        app.clock.now += 3_600_000_000
        try:
            for address in ("/", "/workers", "/studies", "/runs/x", "/fragments/workers"):
                page = await app.http.get(address)
                assert page.status_code == 503
                assert "The database does not answer since <time" in page.text
                assert '<meta http-equiv="refresh" content="5">' in page.text
                assert page.headers["retry-after"] == "5"
                assert "script-src 'self'" in page.headers["content-security-policy"]
            since = app.services.troubles.reading
            assert since is not None
            assert since.since == app.clock.now
            app.clock.now += 5_000_000
            await Watch(app.services).work()
            assert app.services.troubles.reading is not None
            assert app.services.troubles.reading.since == since.since
            assert "The database does not answer since" in (await app.http.get("/fragments/trouble")).text
            told = await app.get("/api/server")
            assert (told["database"], told["troubles"][0]["key"]) == (None, "reading")
            assert (await scraped(app))["goliat_trouble[reading]"] == 1
            assert (await app.http.get("/api/runs")).status_code == 503
        finally:
            os.rmdir(path)  # noqa: PTH106
            os.rename(path + ".away", path)  # noqa: PTH104
        stamp = app.services.hub.stamp()
        await Watch(app.services).work()
        assert app.services.hub.missed({"server"}, stamp)
        assert (await app.http.get("/")).status_code == 200
        assert (await app.get("/api/server"))["troubles"] == []

    in_app(tmp_path / "data", test)


def test_what_the_server_holds_and_does_is_told_to_prometheus(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study(parts=2)
        agent = await app.agent()
        await agent.claim()
        await agent.send(0, agent.line("one"), agent.line("two"))
        await app.gui("203.0.113.1", type="status", message="hello")
        assert (await app.http.get("/nowhere")).status_code == 404
        found = await scraped(app)
        assert found["goliat_requests_total[agent-batch][2xx]"] == 1
        assert found["goliat_requests_total[gui-update][2xx]"] == 1
        assert found["goliat_requests_total[pages][4xx]"] == 1
        assert found["goliat_request_seconds_count[agent-batch]"] == 1
        assert 0 < found["goliat_request_seconds_sum[agent-batch]"] < 60
        assert found["goliat_request_seconds_bucket[agent-batch][+Inf]"] == 1
        assert found["goliat_runs[running]"] + found["goliat_runs[claimed]"] == 2
        assert (found["goliat_workers[online]"], found["goliat_workers[offline]"]) == (2, 0)
        assert found["goliat_log_lines"] == 2
        assert found["goliat_database_bytes"] > 10_000
        assert found["goliat_writes_waiting"] == 0
        assert found["goliat_commit_calls_sum"] >= found["goliat_commit_calls_count"] > 5
        assert found["goliat_commit_calls_bucket[512.0]"] == found["goliat_commit_seconds_count"]
        assert 0 < found["goliat_commit_seconds_sum"] < 60
        assert found["goliat_writer_restarts_total"] == 0
        assert found["goliat_disk_free_bytes"] > 0
        told = await app.get("/api/server")
        kind = told["database"]["kind"]
        assert told["database"]["sizeBytes"] > 10_000
        if kind == "postgresql":
            assert "runs" in found or any(name.startswith("goliat_table_bytes") for name in found)
            assert told["database"]["walBytes"] is None
        else:
            assert found["goliat_database_wal_bytes"] == told["database"]["walBytes"] > 0

    with_app(test)


def test_metrics_need_a_token_where_all_does(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for path in ("/metrics", "/api/server", "/fragments/trouble"):
            assert (await app.http.get(path)).status_code == 401
            allowed = await app.http.get(path, headers={"Authorization": "Bearer 0123456789abcdef"})
            assert allowed.status_code == 200
        assert (await app.http.get("/readyz")).status_code == 200

    with_app(test, admin_token="0123456789abcdef")


def test_a_long_write_ahead_log_is_emptied(tmp_path: Path) -> None:
    async def test(app: App) -> None:
        watch, db = Watch(app.services), app.services.db
        for i in range(20):
            await app.study(f"study {i}")
        assert wal_size(db.url) > 100_000
        # A reader that still needs it: what can be done is done, nobody waits for long.
        with db.read_engine.connect() as reader:
            reader.exec_driver_sql("SELECT count(*) FROM runs").close()
            await app.study("while somebody reads")
            assert (await watch.look_at_wal() or 0) > 0
        assert await watch.look_at_wal() == 0
        assert await watch.look_at_wal() is None
        assert len(await app.get("/api/super-studies")) == 21

    in_app(tmp_path / "data", test, wal_limit_mb=0.05)

"""Who may call: loopback with its Host and Origin, other addresses with their token."""

from collections.abc import Callable
from pathlib import Path

import pytest

from goliat_monitoring.server.settings import Settings
from goliat_monitoring.wire.errors import Refused
from tests.support.app import App

WithApp = Callable[..., None]
TOKEN = "an-admin-token-of-length"


def test_a_foreign_name_for_this_machine_is_refused(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for host in ("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "monitor.example"):
            assert (await app.http.get("/api/workers", headers={"Host": host})).status_code == 200, host
        for host in ("evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", ""):
            answer = await app.http.get("/api/workers", headers={"Host": host})
            assert answer.status_code == 403, host
            assert answer.json()["error"] == "unknown Host"

    with_app(test, trusted_hosts=("monitor.example",))


def test_pages_of_other_sites_cannot_change_anything(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        body = {"machineId": "m"}
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            answer = await app.http.post("/api/heartbeat", json=body, headers=headers)
            assert answer.status_code == 403, headers
        assert await app.get("/api/workers") == []
        for headers in ({"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {}):
            assert (await app.http.post("/api/heartbeat", json=body, headers=headers)).status_code == 200, headers

    with_app(test)


def test_cors_is_off_by_default_and_on_for_named_origins(with_app: WithApp, tmp_path: Path) -> None:
    preflight = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}

    async def closed(app: App) -> None:
        answer = await app.http.options("/api/workers", headers=preflight)
        assert "access-control-allow-origin" not in answer.headers

    async def opened(app: App) -> None:
        answer = await app.http.options("/api/workers", headers=preflight)
        assert answer.headers["access-control-allow-origin"] == "https://lab.example"
        read = await app.http.get("/api/workers", headers={"Origin": "https://lab.example"})
        assert read.headers["access-control-allow-origin"] == "https://lab.example"
        other = await app.http.get("/api/workers", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers

    with_app(closed)
    with_app(opened, cors_origins=("https://lab.example",))


def test_beyond_this_machine_every_call_needs_the_token(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        calls = [
            ("GET", "/api/workers"), ("GET", "/"), ("GET", "/live?topics=fleet"), ("POST", "/api/gui-update"),
            ("POST", "/api/heartbeat"), ("GET", "/api/docs"), ("POST", "/api/agent/v1/enrol"), ("GET", "/api/nope"),
            ("POST", "/api/agent/v1/runs/x/batch"), ("GET", f"/api/workers?token={TOKEN}"),
        ]  # fmt: skip
        for method, path in calls:
            answer = await app.http.request(method, path)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Basic")
            assert answer.json()["error"] == "a token is needed"
        for authorization in ("Bearer wrong", "Bearer ", "Basic !!!", "Basic d3Jvbmc6d3Jvbmc=", "Digest x", TOKEN):
            answer = await app.http.get("/api/workers", headers={"Authorization": authorization})
            assert answer.status_code == 401, authorization
        assert (await app.http.get("/api/workers", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
        # A URL with credentials, which is how the real client carries them.
        for user in ("", "goliat"):
            said = await app.http.post(
                f"http://{user}:{TOKEN}@monitor.example:8000/api/heartbeat", json={"machineId": "m"}
            )
            assert said.status_code == 200
        assert (await app.http.get("/healthz")).json() == {"status": "alive"}

    with_app(test, host="0.0.0.0", admin_token=TOKEN)


def test_it_does_not_start_open_to_the_network(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "monitor.example"):
        with pytest.raises(Refused) as refused:
            Settings.from_environment({}, data_dir=tmp_path, host=host)
        assert "GOLIAT_MONITORING_ADMIN_TOKEN" in refused.value.details
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.2"):
        assert Settings.from_environment({}, data_dir=tmp_path, host=host).open_to_this_machine


def test_every_option_comes_from_the_environment(tmp_path: Path) -> None:
    settings = Settings.from_environment(
        {
            "GOLIAT_MONITORING_HOST": "0.0.0.0",
            "GOLIAT_MONITORING_PORT": "9000",
            "GOLIAT_MONITORING_DATA_DIR": str(tmp_path),
            "GOLIAT_MONITORING_ADMIN_TOKEN": TOKEN,
            "GOLIAT_MONITORING_CORS_ORIGINS": "https://a.example, https://b.example",
            "GOLIAT_MONITORING_TRUSTED_HOSTS": "monitor.example",
            "GOLIAT_MONITORING_JUDGE_DELAY_S": "2.5",
        },
        port=9001,
    )
    assert (settings.port, settings.host, settings.data_dir) == (9001, "0.0.0.0", tmp_path)
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.judge_delay_s == 2.5
    assert settings.database_url == f"sqlite:///{tmp_path / 'goliat-monitoring.sqlite'}"
    assert settings.storage_url == (tmp_path / "files").as_uri()
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "many"),
        ("PORT", "70000"),
        ("ADMIN_TOKEN", "short"),
        ("ADMIN_TOKEN", "ein Wort, lang genug"),
        ("ADMIN_TOKEN", "schlüsselschlüssel"),
        ("SWEEP_INTERVAL_S", "0"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_option_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(Refused) as refused:
        Settings.from_environment({f"GOLIAT_MONITORING_{name}": value}, data_dir=tmp_path)
    assert refused.value.status == 400
    assert name.lower() in f"{refused.value.error} {refused.value.details}".lower().replace(
        "admin token", "admin_token"
    )

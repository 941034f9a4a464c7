"""API tokens: made once, judged by their role, revoked at once; who used them when."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from goliat_monitoring.server import callers
from goliat_monitoring.store import credentials
from goliat_monitoring.wire.errors import Refused
from tests.support.app import App
from tests.support.studies import new_study

WithApp = Callable[..., None]
ADMIN = {"Authorization": "Bearer an-admin-token-of-length"}


async def made(app: App, **fields: Any) -> dict[str, Any]:
    """A new API token."""
    return dict(await app.post("/api/tokens", {"label": "script"} | fields, headers=ADMIN))


def bearer(token: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token['token']}"}


@pytest.mark.parametrize(
    ("role", "read", "act", "administer"),
    [("viewer", 200, 403, 403), ("operator", 200, 200, 403), ("admin", 200, 200, 200)],
)
def test_a_role_may_what_it_may(with_app: WithApp, role: str, read: int, act: int, administer: int) -> None:
    async def test(app: App) -> None:
        headers = bearer(await made(app, role=role))
        assert (await app.http.get("/api/super-studies", headers=headers)).status_code == read
        preview = {"baseConfig": new_study()["baseConfig"]}
        assert (await app.http.post("/api/super-studies/preview", json=preview, headers=headers)).status_code == read
        assert (await app.http.post("/api/super-studies", json=new_study(), headers=headers)).status_code == act
        claim = await app.http.get("/api/assignment?machineId=m", headers=headers)
        assert claim.status_code == act
        for method, path, body in (
            ("POST", "/api/tokens", {"label": "x", "role": "viewer"}),
            ("PATCH", "/api/settings", {"currency": "USD"}),
            ("PUT", "/api/settings/gpu-prices", {"gpu": "H100", "pricePerHour": 2}),
        ):
            answer = await app.http.request(method, path, json=body, headers=headers)
            assert answer.status_code == administer, path
        if administer == 403:
            assert role in answer.text

    with_app(test, admin_token="an-admin-token-of-length")


@pytest.mark.parametrize("slashes", ["//api/{}", "/api//{}", "/api/{}//", "///api////{}"])
def test_an_address_with_more_slashes_is_no_way_around(with_app: WithApp, slashes: str) -> None:
    def url(rest: str) -> str:
        path, _, query = rest.partition("?")
        return f"http://localhost{slashes.format(path)}?{query}"

    async def test(app: App) -> None:
        viewer, operator = [bearer(await made(app, role=role)) for role in ("viewer", "operator")]
        await app.post("/api/super-studies", new_study(), headers=ADMIN)
        for headers in (viewer, {**ADMIN, "Sec-Fetch-Site": "cross-site"}):
            assert (await app.http.get(url("assignment?machineId=m"), headers=headers)).status_code == 403
        token = {"label": "x", "role": "admin"}
        assert (await app.http.post(url("tokens"), json=token, headers=operator)).status_code == 403
        assert (await app.http.get(url("workers"), headers=viewer)).json() == []
        said = {"machineId": "m", "message": {"type": "print", "message": "x"}}
        assert (await app.http.post(url("gui-update"), json=said, headers=operator)).status_code == 200

    with_app(test, admin_token="an-admin-token-of-length")


def test_a_secret_is_shown_once_and_worthless_when_revoked(with_app: WithApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "REMEMBER_S", 0.0)

    async def test(app: App) -> None:
        token = await made(app, role="viewer")
        assert token["expiresAt"] is None
        listed = await app.http.get("/api/tokens", headers=ADMIN)
        assert token["token"] not in listed.text
        (row,) = listed.json()
        assert (row["kind"], row["role"], row["label"], row["state"], row["createdBy"], row["usedAt"]) == (
            "api", "viewer", "script", "valid", "admin", None,
        )  # fmt: skip
        assert (await app.http.get("/api/workers", headers=bearer(token))).status_code == 200
        # It is noted behind the answer.
        for _ in range(100):
            (row,) = await app.get("/api/tokens", headers=ADMIN)
            if row["usedAt"] is not None:
                break
            await asyncio.sleep(0.05)
        assert row["usedAt"] is not None
        assert (await app.http.delete(f"/api/tokens/{token['id']}", headers=ADMIN)).status_code == 200
        assert (await app.http.get("/api/workers", headers=bearer(token))).status_code == 401
        again = await app.http.delete(f"/api/tokens/{token['id']}", headers=ADMIN)
        assert again.status_code == 409
        (row,) = await app.get("/api/tokens", headers=ADMIN)
        assert row["state"] == "revoked"

    with_app(test, admin_token="an-admin-token-of-length")


def test_callers_that_come_at_once_are_looked_up_together(with_app: WithApp, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = list[int]()
    find = credentials.find

    def counted(connection: Any, now: int, hashes: list[str]) -> Any:
        reads.append(len(hashes))
        return find(connection, now, hashes)

    async def test(app: App) -> None:
        tokens = [await made(app, role="viewer") for _ in range(20)]
        revoked = await made(app, role="viewer")
        assert (await app.http.delete(f"/api/tokens/{revoked['id']}", headers=ADMIN)).status_code == 200
        monkeypatch.setattr(credentials, "find", counted)
        callers_at_once = [*tokens, revoked, {"token": "unknown"}, *tokens]
        answers = await asyncio.gather(
            *(app.http.get("/api/workers", headers=bearer(token)) for token in callers_at_once)
        )
        assert [answer.status_code for answer in answers] == [200] * 20 + [401] * 2 + [200] * 20
        assert sum(reads) == 22, "each secret is looked up once"
        # The first goes alone; whoever came meanwhile goes with the next.
        assert len(reads) <= 4, reads

    with_app(test, admin_token="an-admin-token-of-length")


def test_trouble_of_a_read_is_told_and_the_next_call_reads_again(
    with_app: WithApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = credentials.find

    def broken(*_about: Any, **_more: Any) -> Any:
        raise Refused(503, "the database is away")

    async def test(app: App) -> None:
        tokens = [await made(app, role="viewer") for _ in range(3)]
        monkeypatch.setattr(credentials, "find", broken)
        for asked in (tokens, tokens):
            answers = await asyncio.gather(*(app.http.get("/api/workers", headers=bearer(one)) for one in asked))
            assert [answer.status_code for answer in answers] == [503] * 3
        monkeypatch.setattr(credentials, "find", find)
        assert (await app.http.get("/api/workers", headers=bearer(tokens[0]))).status_code == 200

    with_app(test, admin_token="an-admin-token-of-length")


def test_a_token_ends_by_itself(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        token = await made(app, days=1)
        app.clock.now += 86_400_000_001
        assert (await app.http.get("/api/workers", headers=bearer(token))).status_code == 401
        (row,) = await app.get("/api/tokens", headers=ADMIN)
        assert row["state"] == "expired"
        for wrong in ({"label": " "}, {"role": "owner"}, {"days": 0}, {"days": 1e9}):
            answer = await app.http.post("/api/tokens", json={"label": "x"} | wrong, headers=ADMIN)
            assert answer.status_code == 400, wrong

    with_app(test, admin_token="an-admin-token-of-length")


def test_a_machine_that_enrolled_spent_its_token_and_has_a_credential(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        token = await app.post("/api/enrolment-tokens", {"hours": 1}, headers=ADMIN)
        listed = await app.get("/api/tokens", headers=ADMIN)
        assert [(it["kind"], it["state"]) for it in listed] == [("enrolment", "valid")]
        body = {"fingerprint": {"machineId": "m", "hostname": "gpu-1", "bootId": "b"}, "facts": {}}
        answer = await app.http.post("/api/agent/v1/enrol", json=body, headers=bearer(token))
        assert answer.status_code == 200, answer.text
        listed = await app.get("/api/tokens", headers=ADMIN)
        assert [(it["kind"], it["state"]) for it in listed] == [("enrolment", "used"), ("agent", "valid")]
        assert listed[1]["workerId"] == answer.json()["workerId"]

    with_app(test, admin_token="an-admin-token-of-length")

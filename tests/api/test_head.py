"""HEAD: what GET would answer, without its body."""

from collections.abc import Callable

import pytest

from goliat_monitoring.server.pages.assets import STATIC_URL
from tests.support.app import App

WithApp = Callable[..., None]


@pytest.mark.parametrize(
    "path",
    ["/", "/workers", "/studies", "/studies/{study}", "/studies/{study}/config", "/settings", "/help",
     "/api/workers", "/api/super-studies/{study}", "/api/openapi.json", "/healthz", f"{STATIC_URL}/style.css",
     "/workers/none", "/no/such/page"],
)  # fmt: skip
def test_it_answers_as_get_does_but_for_the_body(with_app: WithApp, path: str) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        address = path.format(study=study["id"])
        whole, head = await app.http.get(address), await app.http.head(address)
        assert head.status_code == whole.status_code
        assert head.content == b""
        assert whole.content
        for name in ("content-type", "content-length", "content-security-policy", "cache-control"):
            assert head.headers.get(name) == whole.headers.get(name), name

    with_app(test)


def test_it_changes_nothing(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study()
        # The one GET that claims.
        claim = await app.http.head("/api/assignment", params={"machineId": "10.0.0.1"})
        assert claim.status_code == 405
        assert (await app.http.head("/api/gui-update")).status_code == 405
        counted = await app.get(f"/api/super-studies/{study['id']}/assignments")
        assert {it["status"] for it in counted} == {"PENDING"}

    with_app(test)

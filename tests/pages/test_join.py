"""How a machine joins a server that asks for tokens: the command holds one, for whoever may make one.

The tests build on each other, in their order: the first one begins with no worker.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from goliat_monitoring.server.auth import Principal, may
from tests.pages.accessibility import problems
from tests.pages.conftest import CONFIG, Screen, Server, mark, unreloaded

TOKEN = "an-admin-token-of-length"
MAKE = "Make a token for one machine"
CODE = "[data-join] .command:visible code"
INSTEAD = "Put a token in place of ONE_TIME_TOKEN."
expect.set_options(timeout=8000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("join"), admin_token=TOKEN)
    yield made
    made.stop()


def screen_of(browser: Browser, server: Server, token: str = TOKEN, **options: Any) -> Screen:
    """A browser of somebody who holds `token`."""
    options.setdefault("viewport", {"width": 1280, "height": 900})
    headers = {"Authorization": f"Bearer {token}"}
    return Screen(browser.new_context(extra_http_headers=headers, **options), server.url)


@pytest.fixture
def screen(browser: Browser, server: Server) -> Iterator[Screen]:
    """That of an admin."""
    made = screen_of(browser, server)
    yield made
    made.context.close()
    assert not made.complaints


@pytest.fixture(scope="module")
def viewer(server: Server) -> str:
    """The token of somebody who may only look."""
    return str(server.post("/api/tokens", {"label": "screen in the hall", "role": "viewer"})["token"])


def enrol(server: Server, name: str, code: Locator) -> None:
    """A machine joins with the token in the command, and with nothing else."""
    command, _, token = code.inner_text().partition(" --token ")
    assert command.endswith(f"goliat-monitoring agent --server {server.url}")
    body = {"fingerprint": {"machineId": name, "hostname": name, "bootId": "b"}, "facts": {"hostname": name}}
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{server.url}/api/agent/v1/enrol", json=body, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text


def live(page: Page) -> Page:
    expect(page.locator("#connection")).to_have_text("Live")
    return page


def refresh(page: Page) -> None:
    """The live part is fetched and has come."""
    with page.expect_response(lambda answer: "/fragments/" in answer.url and "trouble" not in answer.url):
        page.evaluate("document.body.dispatchEvent(new CustomEvent('sse:refresh'))")
    page.wait_for_timeout(200)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_01_what_has_no_worker_is_accessible_and_fits_a_phone(browser: Browser, server: Server, theme: Any) -> None:
    screen = screen_of(browser, server, color_scheme=theme)
    for path in ("/", "/workers"):
        page = live(screen.open(path))
        expect(page.get_by_role("button", name=MAKE)).to_be_visible()
        assert problems(page) == []
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.close()
    screen.context.close()
    assert not screen.complaints


@pytest.mark.parametrize("path", ["/", "/workers"])
def test_02_who_may_only_look_is_told_where_a_token_is_made(
    browser: Browser, server: Server, viewer: str, path: str
) -> None:
    screen = screen_of(browser, server, viewer)
    page = live(screen.open(path))
    expect(page.locator(CODE)).to_contain_text("--token ONE_TIME_TOKEN")
    expect(page.get_by_text(INSTEAD)).to_be_visible()
    refresh(page)
    expect(page.get_by_role("link", name="Settings", exact=True)).to_have_count(2)
    expect(page.get_by_role("button", name=MAKE)).to_have_count(0)
    screen.context.close()
    assert not screen.complaints


@pytest.mark.parametrize("path", ["/", "/workers"])
def test_03_without_a_script_it_says_what_to_put_in(browser: Browser, server: Server, path: str) -> None:
    screen = screen_of(browser, server, java_script_enabled=False)
    page = screen.open(path)
    expect(page.locator("[data-join] code").first).to_contain_text("--token ONE_TIME_TOKEN")
    expect(page.get_by_text(INSTEAD)).to_be_visible()
    expect(page.get_by_role("button", name=MAKE)).to_be_hidden()
    screen.context.close()


def test_04_the_first_machine_joins_with_the_command_of_the_overview(screen: Screen, server: Server) -> None:
    page = live(screen.open("/"))
    mark(page)
    expect(page.get_by_text(INSTEAD)).to_be_hidden()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = page.locator(CODE)
    # Who copies without having asked for a token gets one all the same.
    page.locator("[data-join]").get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    expect(code).not_to_contain_text("ONE_TIME_TOKEN")
    assert page.evaluate("navigator.clipboard.readText()") == code.inner_text()
    expect(page.get_by_text("The command holds a token for one machine, valid until")).to_be_visible()
    # What comes anew leaves it alone.
    kept = code.inner_text()
    server.study("waits", parts=1)
    expect(page.get_by_text("1 assignment will start")).to_be_visible()
    refresh(page)
    expect(code).to_have_text(kept)
    enrol(server, "gpu-1", code)
    expect(page.locator("#fleet")).to_contain_text("gpu-1")
    expect(page.locator("[data-join]")).to_have_count(0)
    assert unreloaded(page)


def test_05_the_next_one_with_that_of_the_workers_page(screen: Screen, server: Server) -> None:
    page = live(screen.open("/workers"))
    page.get_by_text("Add a worker").click()
    code = page.locator(CODE)
    expect(code).to_contain_text("--token ONE_TIME_TOKEN")
    page.get_by_role("button", name=MAKE).click()
    expect(code).not_to_contain_text("ONE_TIME_TOKEN")
    refresh(page)
    expect(code).not_to_contain_text("ONE_TIME_TOKEN")
    enrol(server, "gpu-2", code)
    expect(page.locator("#fleet")).to_contain_text("gpu-2")
    # The token is used: the next machine needs another.
    expect(code).to_contain_text("--token ONE_TIME_TOKEN")


def test_06_on_a_study_too_nobody_is_offered_what_is_not_theirs(browser: Browser, server: Server, viewer: str) -> None:
    study = server.get("/api/super-studies")[0]["id"]
    for token, offered in ((TOKEN, 1), (viewer, 0), (TOKEN, 1)):
        screen = screen_of(browser, server, token)
        page = live(screen.open(f"/studies/{study}"))
        page.get_by_role("button", name="Add worker").click()
        expect(page.locator(CODE)).to_contain_text("--token ONE_TIME_TOKEN")
        expect(page.get_by_role("button", name=MAKE)).to_have_count(offered)
        expect(page.get_by_text(INSTEAD)).to_be_visible(visible=not offered)
        screen.context.close()
        assert not screen.complaints


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_07_pages_offer_each_role_what_it_may_do_and_nothing_else(browser: Browser, server: Server, role: str) -> None:
    token = TOKEN if role == "admin" else str(server.post("/api/tokens", {"label": role, "role": role})["token"])
    server.heartbeat("198.51.100.4", "lab-4")
    made = server.study(f"seen-by-{role}")
    study, run = made["id"], server.claim(made["assignments"][0]["id"], "198.51.100.4")
    server.api.put("/api/configs/base.json", json=CONFIG)
    screen = screen_of(browser, server, token)
    offered = {}
    workers = [it["id"] for it in server.get("/api/workers")]
    paths = ["/", "/workers", "/workers?view=cards", "/studies", "/settings", f"/runs/{run}"]
    paths += [f"/studies/{study}", f"/studies/{study}/assignments?open=0", *(f"/workers/{it}" for it in workers)]
    for path in paths:
        page = live(screen.open(path))
        for one in page.locator("[data-api], [data-fill-api]").evaluate_all(
            "(all) => all.map((it) => it.dataset.api || it.dataset.fillApi)"
        ):
            if one:
                method, address = one.split(" ")
                assert may(Principal("person", "x", role=role), method, address.partition("?")[0]), (path, one)
                offered[path] = one
        # What a button opens is there.
        opens = page.locator("[data-dialog]").evaluate_all("(all) => all.map((it) => it.dataset.dialog)")
        assert [it for it in opens if page.locator(f"dialog#{it}").count() != 1] == [], path
        told = page.get_by_text("Your token may only look. An operator or admin runs studies and workers")
        expect(told).to_be_visible(visible=role == "viewer")
        if role != "viewer":
            assert path == "/" or path in offered or path == "/studies", path
        page.close()
    assert bool(offered) == (role != "viewer")
    page = live(screen.open("/settings"))
    expect(page.get_by_role("button", name="New API token")).to_have_count(int(role == "admin"))
    expect(page.get_by_role("button", name="New enrolment token")).to_have_count(int(role != "viewer"))
    expect(page.get_by_text("Only an admin makes and revokes API tokens")).to_have_count(int(role == "operator"))
    for view in ("table", "cards"):
        page.goto(f"{server.url}/workers?view={view}")
        expect(page.get_by_role("link", name="lab-4").first).to_be_visible()
        expect(page.get_by_role("checkbox", name="Select lab-4")).to_have_count(int(role != "viewer"))
    page.goto(f"{server.url}/studies/new?config=base.json")
    expect(page.get_by_text("An operator or admin can create it.")).to_have_count(int(role == "viewer"))
    assert problems(page) == []
    screen.context.close()
    assert not screen.complaints

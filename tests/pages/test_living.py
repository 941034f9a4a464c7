"""Every page of a living fleet: agents that run, one that fails, one that is lost, and hostile names."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from goliat_monitoring.server.pages.assets import STATIC
from tests.pages.accessibility import problems
from tests.pages.conftest import Screen
from tests.pages.living import HOSTILE, LivingFleet

MOST_SCRIPT = 60_000


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingFleet]:
    made = LivingFleet(tmp_path_factory.mktemp("living"))
    yield made
    made.stop()


@pytest.fixture
def screen(browser: Browser, fleet: LivingFleet) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Europe/Berlin")
    made = Screen(context, fleet.url)
    yield made
    context.close()
    assert not made.complaints


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_live_and_fits_a_phone(browser: Browser, fleet: LivingFleet, theme: str) -> None:
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": 1280, "height": 900}
    )
    screen = Screen(context, fleet.url)
    for name, path in fleet.pages().items():
        page = screen.open(path)
        expect(page.locator("#connection")).to_have_text("Live")
        assert problems(page) == [], name
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        page.close()
    context.close()
    assert not screen.complaints


def test_the_overview_says_what_is_wrong_and_leads_to_its_cause(screen: Screen, fleet: LivingFleet) -> None:
    page = screen.open("/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Working")
    # Three clicks: what needs a person, its run at the first error, the evidence.
    page.get_by_role("link", name="gpu-slow").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("gpu-slow")
    page.go_back()
    expect(page.get_by_text(HOSTILE).first).to_be_visible()


def test_a_lost_run_says_why_and_what_follows(screen: Screen, fleet: LivingFleet) -> None:
    page = screen.open(fleet.pages()["run-lost"])
    expect(page.locator("main")).to_contain_text("the machine burnt down")
    expect(page.locator("main")).to_contain_text("Lost")


def test_pages_read_without_javascript(browser: Browser, fleet: LivingFleet) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    for name, path in fleet.pages().items():
        page.goto(fleet.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert len(page.locator("main").inner_text()) > 100, name
    context.close()


def test_scripts_are_light() -> None:
    scripts = [path for path in Path(STATIC).rglob("*.js") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in scripts) < MOST_SCRIPT

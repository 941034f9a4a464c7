"""Pictures of every page for the docs, from a living fleet: `make screenshots`.

Writes `docs/img/pages/NAME-light.png`, `NAME-dark.png` (1280 px wide) and `NAME-phone.png` (360 px), and the overview
once more as `docs/img/dashboard.png`. Arguments are names of pages, all without.
"""

import json
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from goliat_monitoring.cli.demo.plan import base_config
from tests.pages.conftest import QUIET_FLAGS
from tests.pages.living import LivingFleet
from tests.support.chromium import CHROMIUM

IMAGES = Path(__file__).parents[2] / "docs" / "img"
# Theme, width and height of the window.
LOOKS = {"light": ("light", 1280, 800), "dark": ("dark", 1280, 800), "phone": ("light", 360, 740)}
# Longer pages are cut: what matters stands above.
TALLEST = 1600


def fill_in(page: Page) -> None:
    """A new study with its preview."""
    page.locator("#config").fill(json.dumps(base_config(), indent=2))
    page.get_by_label("Name", exact=True).fill("family-again")
    page.locator("#preview tbody tr").first.wait_for()


# What is done on a page before its picture.
BEFORE = {"new-study": fill_in}


def picture(browser: Browser, name: str, address: str, target: Path, look: str) -> None:
    """One page as a PNG."""
    theme, width, height = LOOKS[look]
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light", viewport=ViewportSize(width=width, height=height)
    )
    page = context.new_page()
    page.goto(address)
    page.locator("#connection[data-state=live]").wait_for()
    BEFORE.get(name, lambda _: None)(page)
    # What scripts draw, and what they fetch for it.
    page.wait_for_timeout(1500)
    tall = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
    page.set_viewport_size({"width": width, "height": max(tall, height)})
    page.wait_for_timeout(300)
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=target)
    context.close()


def main(names: list[str]) -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        fleet = LivingFleet(Path(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET_FLAGS)
        try:
            pages = fleet.pages()
            unknown = [name for name in names if name not in pages]
            if unknown:
                sys.exit(f"{', '.join(unknown)}: choose from {', '.join(pages)}")
            for name in names or pages:
                for look in LOOKS:
                    picture(browser, name, fleet.url + pages[name], IMAGES / "pages" / f"{name}-{look}.png", look)
                print(name, flush=True)
            if not names:
                picture(browser, "overview", fleet.url + pages["overview"], IMAGES / "dashboard.png", "light")
        finally:
            browser.close()
            fleet.stop()


if __name__ == "__main__":
    main(sys.argv[1:])

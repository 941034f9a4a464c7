"""Every page of a living fleet: agents that run, one that fails, one that is lost, and hostile names."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FloatRect, Locator, expect

from goliat_monitoring.server.pages.assets import STATIC
from tests.pages.accessibility import problems
from tests.pages.conftest import Screen
from tests.pages.living import HOSTILE, WAITING, LivingFleet

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
    expect(page.get_by_role("heading", level=1)).to_have_text("Working with trouble")
    expect(page.locator(".sentence").first).to_contain_text(f"{WAITING} no worker fits")
    expect(page.locator("#needs tbody tr").first).to_contain_text("No worker may have what is left of it.")
    waiting = page.locator(f"#s-{fleet.waiting}")
    expect(waiting).to_contain_text("Waiting")
    expect(waiting).to_contain_text("no worker may take what is left")
    workers = fleet.workers()
    for name, word in (
        ("gpu-slow", "Running"), ("gpu-good", "Offline, ended"), ("lab-rtx3090", "Running"),
    ):  # fmt: skip
        expect(page.locator(f"#w-{workers[name]} .c-state")).to_contain_text(word)
    expect(page.locator(f"#w-{workers[HOSTILE]} th")).to_have_text(HOSTILE)
    expect(page.get_by_text("report\u2039U+202E\u203agpj.exe")).to_be_visible()
    page.locator("#needs").get_by_role("link", name=WAITING, exact=True).click()
    page.get_by_role("link", name="#0, open").click()
    expect(page.locator("#detail-0")).to_contain_text("vram>=200")
    expect(page.locator("#detail-0")).to_contain_text("Why is this not running?")


def test_a_failed_run_leads_from_its_first_error_to_the_evidence(screen: Screen, fleet: LivingFleet) -> None:
    page = screen.open(fleet.pages()["run-failed"])
    expect(page.locator(".sentence").first).to_contain_text("Finished with errors after")
    page.get_by_role("link", name="First error, line").click()
    expect(page.locator(".log li.here")).to_contain_text("ERROR during simulation: simulated failure")
    expect(page.get_by_role("heading", name="Evidence")).to_contain_text("0 of 4 proven")
    first = page.locator("#c-1")
    expect(first).to_contain_text("Failed")
    expect(first).to_contain_text("simulated failure")
    once = page.locator("#evidence tr", has_text="times").first
    expect(once).to_contain_text("error 4 times")
    # On paper stand the lines, and times that still mean something when they are read.
    page.emulate_media(media="print")
    expect(page.locator(".log li.here")).to_be_visible()
    expect(page.get_by_label("Find in the log")).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".facts dd").first).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"))
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".facts dd").first).to_contain_text("ago")


def test_a_lost_run_says_why_and_what_follows(screen: Screen, fleet: LivingFleet) -> None:
    page = screen.open(fleet.pages()["run-lost"])
    expect(page.locator(".sentence").first).to_contain_text("Lost after")
    expect(page.locator(".sentence").first).to_contain_text("Given up: the machine burnt down.")
    expect(page.locator(".run-panel")).to_contain_text("0 of 4")
    expect(page.get_by_role("heading", name="Evidence")).to_contain_text("0 of 4 proven")
    lines = page.locator(".log li")
    expect(lines.last).to_contain_text("Run ended: lost. Given up: the machine burnt down")


def place(shown: Locator) -> FloatRect:
    """Where it is; the page may just be replacing it with its like."""
    found = None
    while found is None:
        expect(shown).to_be_visible()
        found = shown.bounding_box()
    return found


def test_on_a_phone_what_can_be_done_stays_under_the_thumb(browser: Browser, fleet: LivingFleet) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, fleet.url)
    pages = fleet.pages()
    for name, buttons in {
        "worker": ("Pause", "Drain"), "study": ("Pause", "Add worker"), "run": ("Stop", "Cancel"),
    }.items():  # fmt: skip
        page = screen.open(pages[name])
        for button in buttons:
            box = place(page.get_by_role("button", name=button, exact=True))
            assert box["height"] >= 44, (name, button)
            assert 740 - 80 < box["y"] + box["height"] <= 740, (name, button)
        page.close()
    # The tab that is open is in sight, however far to the right.
    page = screen.open(pages["study-results"])
    box = place(page.locator(".tabs [aria-current]"))
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.close()
    # Nothing of a row is cut off.
    page = screen.open("/workers")
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((it) => it.scrollWidth <= it.clientWidth)")
    context.close()
    assert not screen.complaints


def test_on_a_phone_a_row_has_two_lines_in_which_nothing_overlaps(browser: Browser, fleet: LivingFleet) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, fleet.url)
    pages = fleet.pages()
    study = pages["study"]
    for path, table in {
        "/": "#fleet", "/workers": "#fleet", "/studies": "main table", study: ".parts",
        f"{study}/gantt": "#attempts", f"{study}/results": "#result-parts", f"{study}/events": "#events",
        f"{study}/burn-up": "#history",
    }.items():  # fmt: skip
        page = screen.open(path)
        page.locator(f"{table} > tbody > tr").first.wait_for()
        rows = page.locator(f"{table} > tbody > tr:not(.detail)").evaluate_all(ROWS)
        assert rows, path
        for text, height, overlaps in rows:
            assert height < 80, (path, text)
            assert overlaps == [], (path, text)
        page.close()
    context.close()
    assert not screen.complaints


# Of each row its text, its height, and the cells that lie on one another.
ROWS = """(rows) => rows.map((row) => {
  const cells = [...row.children].filter((it) => it.offsetParent && it.innerText.trim())
  const boxes = cells.map((it) => {
    const range = document.createRange()
    range.selectNodeContents(it)
    const text = range.getBoundingClientRect(), cell = it.getBoundingClientRect()
    const clips = [it, ...it.querySelectorAll('*')].filter((one) => getComputedStyle(one).overflowX === 'hidden')
    const right = Math.min(text.right, ...clips.map((one) => one.getBoundingClientRect().right))
    return {left: text.left, right, top: cell.top + 4, bottom: cell.bottom - 4, text: it.innerText}
  })
  const over = []
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const apart = a.left > b.right - 1 || b.left > a.right - 1 || a.top > b.bottom || b.top > a.bottom
    if (!apart) over.push([a.text, b.text])
  }))
  return [row.innerText, row.getBoundingClientRect().height, over]
})"""


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

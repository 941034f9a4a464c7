"""Every page of a living fleet: agents that run, one that fails, one that is lost, and hostile names."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from goliat_monitoring.server.pages.assets import STATIC
from tests.pages.accessibility import problems
from tests.pages.conftest import Screen, place
from tests.pages.living import HOSTILE, WAITING, LivingFleet
from tests.pages.phone import ROWS, opened, two_lines

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
    expect(page.locator(".sentence").first).to_contain_text(f"{WAITING}: no worker fits")
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
    expect(first).to_contain_text("started, 1 error; ERROR during simulation: simulated failure")
    expect(page.locator("#evidence h3 + table")).not_to_contain_text("error")
    # From a case to its line.
    page.get_by_role("link", name="1 error").last.click()
    expect(page.locator(".log li.here")).to_contain_text("ERROR during simulation: simulated failure")
    assert page.url.split("#")[1] != "evidence"
    # On paper stand the lines, and times that still mean something when they are read.
    page.emulate_media(media="print")
    expect(page.locator(".log li.here")).to_be_visible()
    expect(page.get_by_label("Find in the log")).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(page.locator(".facts dd").first).to_have_text(re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$"))
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".facts dd").first).to_contain_text("ago")


# Of A4 at 96 dots an inch, less its margins.
PAPER: ViewportSize = {"width": 718, "height": 1040}


def test_on_paper_nothing_lies_on_something_else_and_no_control_is_left(screen: Screen, fleet: LivingFleet) -> None:
    pages = fleet.pages()
    for path, table in {"/": "#fleet", "/workers": "#fleet", f"{pages['study']}/gantt": "#attempts"}.items():
        page = screen.open(path)
        expect(page.locator("#connection")).to_have_text("Live")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        page.set_viewport_size(PAPER)
        rows = page.locator(f"{table} > tbody > tr").evaluate_all(ROWS)
        assert len(rows) > 3, path
        for text, height, overlaps in rows:
            assert height < 120, (path, text)
            assert overlaps == [], (path, text)
        left = page.locator(".hint, .tabs, .button, button, #add-worker").filter(visible=True)
        assert left.count() == 0, (path, left.first.inner_text())
        page.close()
    page = screen.open(pages["run-failed"])
    page.emulate_media(media="print")
    expect(page.get_by_text("All of them are in the log's download.")).to_be_visible()
    expect(page.get_by_role("link", name="packed")).to_be_hidden()
    expect(page.locator("#evidence")).to_be_visible()
    # Plots that nobody opened are empty frames; those that were opened are there.
    expect(page.locator("#plots")).to_be_hidden()
    page.emulate_media(media="screen")
    expect(page.get_by_text("All of them are in the log's download.")).to_be_hidden()
    page.get_by_role("link", name="Plots").click()
    expect(page.locator("#plots .grid").first).to_be_attached()
    page.get_by_role("link", name="Evidence").click()
    page.emulate_media(media="print")
    expect(page.locator("#plots .chart").first).to_be_visible()


def test_a_lost_run_says_why_and_what_follows(screen: Screen, fleet: LivingFleet) -> None:
    page = screen.open(fleet.pages()["run-lost"])
    expect(page.locator(".sentence").first).to_contain_text("Lost after")
    expect(page.locator(".sentence").first).to_contain_text("Given up: the machine burnt down.")
    expect(page.locator(".run-panel")).to_contain_text("0 of 4")
    expect(page.get_by_role("heading", name="Evidence")).to_contain_text("0 of 4 proven")
    lines = page.locator(".log li")
    expect(lines.last).to_contain_text("Run ended: lost. Given up: the machine burnt down")
    # What the server noted is no warning of the run, above the log as in the panel.
    expect(page.locator(".run-panel")).to_contain_text("0 warnings, 0 errors")
    expect(page.locator("#log-problems")).to_be_hidden()
    # Another try has it, and may have proven it by now: nobody must act.
    states = page.locator("#evidence tbody .state")
    expect(states).to_have_count(4)
    expect(states.last).to_have_text(re.compile("^(Missing|By another try)$"))
    expect(page.locator("#evidence .state.bad")).to_have_count(0)


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
    expect(page.locator("#connection")).to_have_text("Live")
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
        **{f"{study}/assignments?open={index}": "#tries" for index in tried(fleet)},
    }.items():  # fmt: skip
        page = screen.open(path)
        two_lines(page, table, path)
        # A name that is too long ends with a sign of it: its link is cut, not the cell around it.
        assert page.locator(f"{table} > tbody > tr > :is(.b12, .a2):has(> .short)").evaluate_all(
            "(all) => all.every((it) => it.scrollWidth <= it.clientWidth)"
        ), path
        page.close()
    context.close()
    assert not screen.complaints


def test_on_a_phone_a_row_of_the_settings_has_two_lines_and_a_third_that_opens(
    browser: Browser, fleet: LivingFleet
) -> None:
    long = "nightly export of results to the institute's file server"
    fleet.post("/api/tokens", {"label": long, "role": "operator", "days": 300})
    fleet.post("/api/enrolment-tokens", {"hours": 24})
    spent = fleet.post("/api/tokens", {"label": "lent", "role": "viewer"})
    assert fleet.api.delete(f"/api/tokens/{spent['id']}").status_code == 200
    for name, config in (("base.json", {}), ("near_field_of_a_family_at_700_MHz.json", {"extends": "base.json"})):
        assert fleet.api.put(f"/api/configs/{name}", json=config).status_code == 200
    price = {"gpu": "NVIDIA RTX 3090", "pricePerHour": 0.3}
    assert fleet.api.put("/api/settings/gpu-prices", json=price).status_code == 200
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, fleet.url)
    page = screen.open("/settings")
    page.locator("#agents > summary").click()
    tables = ("#tokens > .scroll table", "#agents table", "#retention table", "#prices table", "#library table")
    for table in tables:
        two_lines(page, table, table)
    for row, *labels in (
        (page.locator("#tokens tr", has_text="nightly"), "Kind", "Created", "Last used", "Expires"),
        (page.locator("#agents tr", has_text="gpu-slow"), "Enrolled"),
        (page.locator("#retention tr", has_text="Logs in"), "Said by"),
        (page.locator("#library tr", has_text="near_field"), "Extends", "Size", "Stored", "SHA-256"),
    ):
        opened(row, labels)
        ((text, height, overlaps),) = row.evaluate_all(ROWS)
        assert height > 80, text
        assert overlaps == [], text
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("[...document.querySelectorAll('.scroll')].every((it) => it.scrollWidth <= it.clientWidth)")
    # From the top: what the head of the page covers has no size to be touched.
    page.evaluate("scrollTo(0, 0)")
    assert problems(page) == []
    context.close()
    assert not screen.complaints


def test_on_a_phone_an_attempt_opens(browser: Browser, fleet: LivingFleet) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, fleet.url)
    lost = next(run for run in fleet.get("/api/runs") if run["state"] == "lost")
    page = screen.open(f"{fleet.pages()['study']}/assignments?open={lost['index']}")
    row = page.locator("#tries > tbody > tr", has_text="Lost")
    expect(row.get_by_text("the machine burnt down")).to_be_visible()
    opened(row, ["Began", "Took"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    context.close()
    assert not screen.complaints


def tried(fleet: LivingFleet) -> set[int]:
    """Indexes of the study's assignments that a worker has had."""
    return {int(run["index"]) for run in fleet.get("/api/runs") if run["superStudyId"] == fleet.study}


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

"""A log of a million lines in a real Chromium: its first line painted, all of it scrolled through, its memory."""

from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, CDPSession, Error, Page, sync_playwright

from bench.log_store import settle
from bench.options import Options
from bench.product import product
from bench.rows import NoFigure, Row, at_most, not_measured, whole
from bench.seed import assignments, database, fill, fleet
from tests.support.chromium import CHROMIUM

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-precise-memory-info"]
FIRST_BAR_MS, GAP_BAR_MS, HEAP_BAR_MB = 300, 1000, 40
SCROLLED_S = 10.0
# The moment after the frame in which a line of the log was first there, since the navigation began.
PAINTED = """
const look = () => document.querySelector("#log li time")
  ? requestAnimationFrame(() => setTimeout(() => (window.painted = performance.now())))
  : requestAnimationFrame(look);
look();
"""
# By the script above or by the browser's own account of its first picture, whichever is later.
BOTH = """() => {
  const [first] = performance.getEntriesByName("first-contentful-paint");
  return window.painted && first && Math.max(window.painted, first.startTime);
}"""
# From the first line to the last at even speed, a step a frame; milliseconds between frames. Then: lines seen loaded.
SCROLL = """(seconds) => new Promise((done) => {
  const box = document.getElementById("log");
  const gaps = [];
  let began, before, loaded = 0;
  const step = (now) => {
    began ??= now;
    if (before !== undefined) gaps.push(now - before);
    before = now;
    if (box.querySelector("li time")) loaded += 1;
    const share = Math.min((now - began) / 1000 / seconds, 1);
    box.scrollTop = share * (box.scrollHeight - box.clientHeight);
    if (share < 1) requestAnimationFrame(step);
    else done({ gaps, loaded });
  };
  requestAnimationFrame(step);
})"""


def log_viewer(options: Options) -> list[Row]:
    """Rows of the log viewer."""
    lines = options.size(1_000_000, 20_000)
    what = f"Log viewer in Chromium, {whole(lines)} lines"
    if not Path(CHROMIUM).exists():
        return [not_measured(what, f"no Chromium at {CHROMIUM}", f"≤ {FIRST_BAR_MS} ms")]
    with options.scratch() as folder:
        with database(folder / "data") as db:
            assignments(db, 1)
            (seat,) = fleet(db, 1)
            fill(db, seat.run_id, 1, lines)
            options.say(f"  {whole(lines)} lines are written")
        # Lines are sealed as the server finds time: it is given that before it is watched.
        with product(folder / "data"):
            settle(folder / "data")
        with product(folder / "data") as server, sync_playwright() as playwright:
            address = f"http://127.0.0.1:{server.port}/runs/{seat.run_id}"
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            try:
                return _rows(browser, address, what, options, lines)
            except Error as problem:
                raise NoFigure(f"Chromium: {problem}") from problem
            finally:
                browser.close()


def _rows(browser: Browser, address: str, what: str, options: Options, lines: int) -> list[Row]:
    cold, warm = _first(browser, address, max(options.rounds, 3))
    seconds = options.size(int(SCROLLED_S), 2)
    page = _open(browser, address)
    tools = page.context.new_cdp_session(page)
    before = _heap(tools)
    said = page.evaluate(SCROLL, seconds)
    page.wait_for_selector(f"#log #L{lines} time")
    after = _heap(tools)
    gaps: list[float] = said["gaps"]
    nodes = page.locator("#log li").count()
    slow = sum(gap > 50 for gap in gaps)
    return [
        Row(
            what=f"{what}: navigation to first line painted",
            verdict=at_most(median(warm), FIRST_BAR_MS),
            ours=f"{median(warm):.0f} ms",
            bar=f"≤ {FIRST_BAR_MS} ms",
            note=f"median of {len(warm)} navigations, {min(warm):.0f} to {max(warm):.0f} ms; the very first, with an "
            f"empty cache and a browser just started, {cold:.0f} ms; {Path(CHROMIUM).name} {browser.version}",
        ),
        Row(
            what=f"{what}: longest gap between frames while all of it is scrolled through",
            verdict=at_most(max(gaps), GAP_BAR_MS),
            ours=f"{max(gaps):.0f} ms",
            bar=f"≤ {GAP_BAR_MS} ms",
            note=f"from the first line to the last in {seconds:g} s, a step a frame: {len(gaps)} frames, median "
            f"{median(gaps):.1f} ms, {slow} over 50 ms; in {said['loaded']} of them lines were there already; "
            "software rendering",
        ),
        Row(
            what=f"{what}: JavaScript heap after that",
            verdict=at_most(after, HEAP_BAR_MB),
            ours=f"{after:.1f} MB",
            bar=f"≤ {HEAP_BAR_MB} MB",
            note=f"{before:.1f} MB before; garbage collected both times; {nodes} lines are nodes of the page",
        ),
    ]


def _first(browser: Browser, address: str, times: int) -> tuple[float, list[float]]:
    """Milliseconds to the first line: of the first visit, and of those after it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(PAINTED)
    found = []
    for _ in range(times + 1):
        page = context.new_page()
        page.goto(address)
        found.append(float(page.wait_for_function(BOTH).json_value()))
        page.close()
    context.close()
    return found[0], found[1:]


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(address)
    page.wait_for_selector("#log li time")
    page.evaluate("document.getElementById('log-section').scrollIntoView()")
    page.wait_for_timeout(1000)
    return page


def _heap(tools: CDPSession) -> float:
    """Megabytes of JavaScript objects that are in use."""
    tools.send("HeapProfiler.enable")
    tools.send("HeapProfiler.collectGarbage")
    tools.send("Performance.enable")
    metrics: list[dict[str, Any]] = tools.send("Performance.getMetrics")["metrics"]
    return next(float(it["value"]) for it in metrics if it["name"] == "JSHeapUsedSize") / 1e6

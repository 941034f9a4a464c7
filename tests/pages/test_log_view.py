"""The log viewer in a real Chromium: a log of 60,000 lines and a live one, hostile lines among them."""

import gzip
import re
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from goliat_monitoring.wire.lines import Line
from tests.pages.accessibility import problems
from tests.pages.conftest import Screen, Server, place
from tests.support.written_log import lines_of, write_log

BULK = 60_000
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(1)>report\u202egpj.exe \x00 \ufeff end"
BOMB = "".join(f"\x1b[3{i % 8};4{i % 5}m#" for i in range(50_000))
COLOURS = "\x1b[31mred\x1b[0m \x1b[38;5;226myellow\x1b[0m \x1b[38;2;1;2;3mblack\x1b[0m \x1b[1;44mbold\x1b[0m plain"
SPECIAL: dict[int, tuple[str, str]] = {
    1_000: ("warning", "Disk is slow, 40 MB/s"),
    30_000: ("error", "material 'Skin' is missing"),
    40_000: ("warning", "Disk is slow, 17 MB/s"),
    50_000: ("error", "material 'Fat' is missing"),
    45_000: ("info", "wide " * 300),
    BULK - 9: ("warning", HOSTILE),
    BULK - 8: ("info", BOMB),
    BULK - 7: ("info", COLOURS),
    BULK - 6: ("default", "y" * 1_000_000),
    BULK - 5: ("default", "        eight spaces in"),
    BULK - 4: ("info", "needle \U0001f600 Needle nee"),
}
_sequence = count()


# Lines that GOLIAT's window did not show.
TERMINAL = range(20_000, 20_010)


class Long:
    """The long log."""

    run = ""
    total = BULK + 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose database holds the long log."""
    data = tmp_path_factory.mktemp("log-view")

    def lines() -> Iterator[Line]:
        last = 0
        for n, line in enumerate(lines_of(BULK), 1):
            level, text = SPECIAL.get(n, (line.level, line.text))
            yield Line(line.time, level, "terminal_only" if n in TERMINAL else "status", text)
            last = line.time
        for i in range(5):
            yield Line(last + i, "warning", "status", "Waiting for a licence")

    Long.run = write_log(data, lines())
    made = Server(data)
    yield made
    assert made.stop() < 10


@pytest.fixture(scope="module")
def live(server: Server) -> str:
    """A run of a GOLIAT that speaks."""
    server.heartbeat("203.0.113.7", "gpu-live")
    run = server.claim(server.study("live")["assignments"][0]["id"], "203.0.113.7")
    for start in range(0, 600, 200):
        say(server, *(f"step {'a' * (i % 90)} {i}" for i in range(start, start + 200)))
    deadline = time.monotonic() + 10
    while server.get(f"/api/runs/{run}")["run"]["lines"] < 600:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return run


def say(server: Server, *texts: str) -> None:
    server.log("203.0.113.7", next(_sequence), *texts)


def opened(screen: Screen, hash_: str = "") -> tuple[Page, Locator]:
    page = screen.open(f"/runs/{Long.run}{hash_}")
    log = page.locator("#log")
    expect(log.locator("li").first).to_be_attached()
    page.evaluate("document.getElementById('log-section').scrollIntoView()")
    return page, log


def scroll(page: Page, share: float) -> None:
    """The scrollbar to a share of its way."""
    page.evaluate(
        "(share) => { const box = document.getElementById('log');"
        " box.scrollTop = share * (box.scrollHeight - box.clientHeight); }",
        share,
    )


def text_of(log: Locator, n: int) -> Locator:
    return log.locator(f"#L{n} > span")


def test_the_newest_lines_are_there_at_once_and_only_those_in_view_are_nodes(screen: Screen, server: Server) -> None:
    page, log = opened(screen)
    expect(page.locator("#log-range")).to_contain_text("of 60\u202f001 lines")
    expect(log.locator(f"#L{Long.total}")).to_be_in_viewport()
    expect(log.locator(f"#L{Long.total} b")).to_have_text("repeated 5 times")
    expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")
    for share, first in ((0.5, BULK // 2), (0.0, 1), (0.25, BULK // 4)):
        scroll(page, share)
        near = log.locator(f"#L{first + 5}")
        expect(near).to_be_in_viewport()
        expect(near.locator("time")).to_be_visible()
        assert log.locator("li").count() < 120
    log.press("Home")
    expect(text_of(log, 1)).to_contain_text("Simulation 1/48")
    log.press("End")
    expect(log.locator(f"#L{Long.total}")).to_be_in_viewport()


def test_hostile_lines_are_text(screen: Screen) -> None:
    page, log = opened(screen)
    page.evaluate("() => { window.alert = () => { window.pwned = true; }; }")
    expect(text_of(log, BULK - 9)).to_have_text(
        "<script>alert(1)</script><img src=x onerror=alert(1)>report‹U+202E›gpj.exe ‹U+0000› ‹U+FEFF› end"  # noqa: RUF001
    )
    assert log.locator("script, img").count() == 0
    assert page.evaluate("window.pwned") is None
    expect(text_of(log, BULK - 5)).to_have_text("        eight spaces in")
    # A line that changes its colour 50,000 times is shown, and is no work.
    assert 100 < log.locator(f"#L{BULK - 8} > span > *").count() <= 201
    expect(log.locator(f"#L{BULK - 8} button")).to_contain_text("more characters")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_the_machines_and_can_be_read(browser: Browser, server: Server, theme: Any) -> None:
    context = browser.new_context(color_scheme=theme, viewport={"width": 1280, "height": 900})
    screen = Screen(context, server.url)
    page, log = opened(screen)
    line = text_of(log, BULK - 7)
    expect(line).to_have_text("red yellow black bold plain")
    colour = "(node) => getComputedStyle(node).color"
    error = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--log-error')")
    assert line.locator("span").first.get_attribute("class") == "f1"
    assert line.locator("span").first.evaluate(colour) != line.evaluate(colour), error
    assert log.locator(f"#L{Long.total} > span").evaluate(colour) != line.evaluate(colour), "a warning has its colour"
    expect(line.locator(".bold")).to_have_css("font-weight", "700")
    # Yellow on white and black on black become readable: axe measures the contrast of every line in view.
    assert line.locator(".fore").count() == 2
    assert problems(page) == []
    context.close()
    assert not screen.complaints


def test_a_very_long_line_is_clipped_and_whole_on_demand(screen: Screen) -> None:
    page, log = opened(screen)
    assert len(text_of(log, BULK - 6).inner_text()) == 2000
    log.locator(f"#L{BULK - 6} button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Line 59\u202f994, 1\u202f000\u202f000 characters")
    assert page.evaluate("document.querySelector('#log-whole pre').textContent.length") == 1_000_000
    screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name="Copy").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()) === 'y'.repeat(1_000_000)")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()


def test_a_megabyte_and_a_bomb_of_colours_are_wrapped_and_nothing_runs(screen: Screen) -> None:
    page, log = opened(screen, f"#L{BULK - 9}")
    page.evaluate("() => { window.alert = () => { window.pwned = true; }; }")
    page.get_by_role("button", name="Wrap").click()
    page.evaluate(f"location.hash = '#L{BULK - 8}'")
    for n in (BULK - 9, BULK - 8, BULK - 6):
        page.evaluate(f"location.hash = '#L{n}'")
        expect(log.locator(f"#L{n}.here")).to_be_in_viewport()
        page.wait_for_function(CONTIGUOUS)
    box, width = place(log), log.evaluate("(box) => box.scrollWidth - box.clientWidth")
    assert width <= 0, "nothing is wider than the log"
    # Each is cut, so neither fills the log for screens and screens.
    for n in (BULK - 8, BULK - 6):
        row = place(log.locator(f"#L{n}"))
        assert row["height"] < 3 * box["height"], n
        assert log.locator(f"#L{n} > span > *").count() <= 201
    assert page.evaluate("window.pwned") is None
    assert log.locator("script, img").count() == 0
    page.get_by_role("button", name="Wrap").click()


def test_search_counts_in_the_whole_log_and_goes_from_match_to_match(screen: Screen, server: Server) -> None:
    page, log = opened(screen)
    log.press("Home")
    page.keyboard.press("Control+f")
    field, found = page.get_by_label("Find in the log"), page.locator("#log-found")
    expect(field).to_be_focused()
    numbers = server.get(f"/api/runs/{Long.run}/log/search?q=Disk%20is%20SLOW")["numbers"]
    assert numbers == [1_000, 40_000]
    field.fill("Disk is SLOW")
    expect(found).to_have_text("– of 2")  # noqa: RUF001
    field.press("Enter")
    expect(found).to_have_text("1 of 2")
    expect(log.locator("#L1000 mark")).to_have_text("Disk is slow")
    expect(log.locator("#L1000")).to_be_in_viewport()
    field.press("Enter")
    expect(found).to_have_text("2 of 2")
    expect(log.locator("#L40000")).to_be_in_viewport()
    field.press("Enter")
    expect(found).to_have_text("1 of 2")
    expect(page.locator("#log-said")).to_have_text("From the beginning again")
    field.press("Shift+Enter")
    expect(found).to_have_text("2 of 2")
    page.get_by_title("Match case").click()
    expect(found).to_have_text("no match")
    page.get_by_title("Match case").click()
    expect(found).to_contain_text("of 2")
    field.fill("")
    expect(found).to_have_text("")
    page.get_by_title("Regular expression").click()
    log.press("Home")
    expect(log.locator("#L1")).to_be_in_viewport()
    field.fill(r"missing$|n[e]+dle")
    field.press("Shift+Enter")
    expect(found).to_have_text("3 of 3")
    expect(log.locator(f"#L{BULK - 4} mark")).to_have_text(["needle", "Needle"])
    field.fill("(")
    field.press("Enter")
    expect(page.locator("#log-said")).to_contain_text("bad search pattern")
    page.get_by_title("Regular expression").click()
    # More matches than the server names at once.
    field.fill("Time step")
    field.press("Enter")
    total = server.get(f"/api/runs/{Long.run}/log/search?q=Time%20step")["total"]
    assert total > 10_000
    expect(found).to_contain_text(f"of {total // 1000}\u202f")
    scroll(page, 0.99)
    expect(log.locator("#L59400")).to_be_attached()
    page.get_by_role("button", name="Previous match").click()
    expect(log.locator("li.at mark")).to_be_in_viewport()
    expect(found).not_to_contain_text("–")  # noqa: RUF001
    field.press("Escape")
    expect(found).to_have_text("")
    expect(log.locator("mark")).to_have_count(0)
    # The browser tells of the refused pattern too, and not always at once.
    page.close()
    screen.complaints.clear()


def test_types_are_filtered_and_a_permalink_shows_all_again(screen: Screen) -> None:
    page, log = opened(screen)
    page.locator("#log-levels summary").click()
    expect(page.locator("#log-levels label", has_text="error")).to_contain_text("2")
    page.get_by_role("button", name="Warnings and errors", exact=True).click()
    numbers = log.locator("li > i")
    expect(numbers).to_have_text(["1000", "30000", "40000", "50000", "59991", "60001"])
    expect(page.locator("#log-range")).to_contain_text("6 of these types")
    page.get_by_label("error", exact=False).nth(0).uncheck()
    page.locator("#log-levels input[value=warning]").uncheck()
    page.locator("#log-levels input[value=success]").check()
    scroll(page, 0.5)
    expect(log.locator("li.success").nth(20)).to_be_attached()
    expect(log.locator("li:not(.success)")).to_have_count(0)
    page.locator("#log-levels").get_by_role("button", name="All", exact=True).click()
    expect(page.locator("#log-range")).not_to_contain_text("of these types")
    expect(page.locator("#log-levels input:checked")).to_have_count(0)
    expect(log.locator("li:not(.success)").first).to_be_attached()
    page.locator("#log-levels input[value=success]").check()
    expect(log.locator("li:not(.success)")).to_have_count(0)
    # How a line came is chosen in the same way, and with its type.
    page.locator("#log-levels").get_by_role("button", name="All", exact=True).click()
    terminal = page.locator("#log-levels label", has_text="terminal_only")
    expect(terminal).to_have_attribute("title", "what GOLIAT shows in its terminal alone")
    expect(terminal).to_contain_text("10")
    expect(page.locator("#log-levels label", has_text="print")).to_be_hidden()
    terminal.locator("input").check()
    expect(log.locator("li > i")).to_have_text([str(n) for n in TERMINAL])
    expect(page.locator("#log-chosen")).to_have_text(": terminal_only")
    page.locator("#log-levels input[value=fatal]").evaluate("box => box.click()")
    expect(log.locator("li > i")).to_have_count(0)
    page.keyboard.press("Escape")
    page.evaluate("location.hash = '#L45000'")
    expect(log.locator("#L45000.here")).to_be_in_viewport()
    expect(page.locator("#log-said")).to_contain_text("All types are shown again")
    expect(log.locator("#L45001")).to_be_in_viewport()


def test_keys_of_the_log_are_listed_and_can_be_switched_off(screen: Screen) -> None:
    page, log = opened(screen)
    log.press("Home")
    expect(log.locator("#L1")).to_be_in_viewport()
    log.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    for says in (
        "Mark a line of the log",
        "Next error",
        "Error before",
        "Follow the log, or let go",
        "Find in the list",
    ):
        expect(keys).to_contain_text(says)
    keys.get_by_label("Use keys of one letter").uncheck()
    keys.get_by_role("button", name="Close").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    log.press("e")
    page.get_by_role("button", name="Keys").click()
    keys.get_by_label("Use keys of one letter").check()
    keys.get_by_role("button", name="Close").click()
    assert not [url for url in asked if "level=" in url]
    log.press("e")
    expect(log.locator("#L30000.here")).to_be_in_viewport()


def test_errors_are_one_key_away_and_problems_grouped(screen: Screen) -> None:
    page, log = opened(screen)
    log.press("Home")
    expect(log.locator("#L1")).to_be_in_viewport()
    log.press("e")
    expect(log.locator("#L30000.here")).to_be_in_viewport()
    log.press("e")
    expect(log.locator("#L50000.here")).to_be_in_viewport()
    log.press("e")
    expect(page.locator("#log-said")).to_have_text("No error after this")
    log.press("E")
    expect(log.locator("#L30000.here")).to_be_in_viewport()
    # The same by the mouse.
    page.get_by_role("button", name="↓ Error").click()
    expect(log.locator("#L50000.here")).to_be_in_viewport()
    page.get_by_role("button", name="Previous error").click()
    expect(log.locator("#L30000.here")).to_be_in_viewport()
    page.get_by_role("button", name="Previous error").click()
    expect(page.locator("#log-said")).to_have_text("No error before this")
    page.locator("#log-problems summary", has_text="2 errors and 8 warnings, by text").click()
    rows = page.locator("#log-problems li")
    expect(rows.nth(0)).to_contain_text("error × 1")  # noqa: RUF001
    slow = rows.filter(has_text="Disk is slow")
    expect(slow).to_contain_text("warning × 2")  # noqa: RUF001
    slow.get_by_role("link", name="last 40\u202f000").click()
    expect(log.locator("#L40000.here")).to_be_in_viewport()
    assert page.locator("#log-map .error").count() == 2
    assert 3 <= page.locator("#log-map .warning").count() <= 4
    # The map leads to what it shows, and elsewhere to the line at that height.
    field = place(page.locator("#log-map"))
    page.mouse.click(field["x"] + 5, field["y"] + field["height"] * 49_930 / Long.total)
    expect(log.locator("#L50000.here")).to_be_in_viewport()
    page.mouse.click(field["x"] + 5, field["y"] + field["height"] / 4)
    here = log.locator("li.here > i")
    expect(here).to_have_text(re.compile(r"^1[45]\d{3}$"))
    expect(here).to_be_in_viewport()


def test_the_whole_log_is_downloaded_as_text_packed_and_raw(screen: Screen, server: Server) -> None:
    page, _ = opened(screen)
    got = {}
    for name in ("text", "packed", "raw"):
        with page.expect_download() as found:
            page.locator("#log-section header").get_by_role("link", name=name, exact=True).click()
        got[name] = Path(found.value.path()).read_bytes()
    got["packed"] = gzip.decompress(got["packed"])
    for name, content in got.items():
        assert b"material 'Skin' is missing" in content, name
    address = f"/api/runs/{Long.run}/log.txt"
    assert got["text"] == server.api.get(address).content
    assert got["raw"] == server.api.get(f"{address}?raw=true").content
    assert COLOURS.encode() in got["raw"]


def test_lines_have_addresses_and_can_be_copied(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen = Screen(context, server.url)
    page, log = opened(screen, "#L120-L140")
    expect(log.locator("#L120.here")).to_be_in_viewport()
    expect(log.locator("li.here").first).to_have_id("L120")
    log.locator("#L125 > i").click()
    assert page.url.endswith("#L125")
    log.locator("#L127 > i").click(modifiers=["Shift"])
    assert page.url.endswith("#L125-L127")
    expect(log.locator("li.here")).to_have_count(3)
    page.get_by_role("button", name="Copy 3 lines").click()
    expect(page.locator("#log-said")).to_have_text("Copied 3 lines")
    copied = page.evaluate("navigator.clipboard.readText()")
    lines = server.get(f"/api/runs/{Long.run}/log?after=124&limit=3")["lines"]
    assert copied == "\n".join(line["text"] for line in lines)
    # A selection holds the texts alone, without numbers and times.
    page.evaluate(
        "() => { const at = (n) => document.querySelector(`#L${n} > span`).firstChild;"
        " getSelection().setBaseAndExtent(at(125), 0, at(127), 1); }"
    )
    page.keyboard.press("Control+c")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines()[0] == lines[0]["text"]
    assert lines[1]["text"] in copied
    assert lines[0]["time"][11:19] not in copied
    # Back is the range before.
    page.go_back()
    expect(log.locator("li.here")).to_have_count(1)
    page.evaluate("location.hash = '#L99999999'")
    expect(page.locator("#log-said")).to_have_text("The log has 60\u202f001 lines")
    context.close()
    assert not screen.complaints


CONTIGUOUS = """() => {
  const rows = [...document.querySelectorAll("#log li")].map((node) => node.getBoundingClientRect());
  const box = document.getElementById("log").getBoundingClientRect();
  const gaps = rows.slice(1).map((row, i) => Math.abs(row.top - rows[i].bottom));
  return Math.max(0, ...gaps) < 1 && rows[0].top <= box.top + 2 && rows.at(-1).bottom >= box.bottom - 2;
}"""


def test_wrapped_lines_have_their_own_heights(screen: Screen) -> None:
    page, log = opened(screen, "#L45000")
    height = "(node) => node.getBoundingClientRect().height"
    one = log.locator("#L45001").evaluate(height)
    page.get_by_role("button", name="Wrap").click()
    wide = log.locator("#L45000")
    expect(wide).to_be_in_viewport()
    assert wide.evaluate(height) >= 5 * one
    assert page.evaluate(CONTIGUOUS)
    log.hover()
    for way in (-300, -300, 900, -200):
        page.mouse.wheel(0, way)
        page.wait_for_function(CONTIGUOUS)
    for share, first in ((0.0, 1), (0.5, BULK // 2), (1.0, Long.total)):
        scroll(page, share)
        near = log.locator(f"#L{first}")
        expect(near).to_be_attached()
        page.wait_for_function(CONTIGUOUS)
    expect(log.locator(f"#L{Long.total}")).to_be_in_viewport()
    page.evaluate("location.hash = '#L30000'")
    expect(log.locator("#L30000.here")).to_be_in_viewport()
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function(CONTIGUOUS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


WHOLE = """(n) => {
  const line = document.querySelector(`#L${n}.here:not(.wait)`)?.getBoundingClientRect();
  const box = document.getElementById("log").getBoundingClientRect();
  const fresh = document.getElementById("log-fresh").getBoundingClientRect();
  return line && line.top >= box.top && line.bottom <= (fresh.height ? fresh.top : box.bottom);
}"""


def test_on_a_phone_a_line_that_is_gone_to_is_whole_in_the_middle(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    screen = Screen(context, server.url)
    # In the middle of lines that come together, and the first of those that come later than the ones before it.
    for n in (4300, 1201):
        page, log = opened(screen, f"#L{n}")
        page.wait_for_function(WHOLE, arg=n)
        # What came of the lines around it has not moved it.
        expect(log.locator("li.wait")).to_have_count(0)
        page.wait_for_function(CONTIGUOUS)
        assert page.evaluate(WHOLE, n)
        page.close()
    page, log = opened(screen, "#L29000")
    page.wait_for_function(WHOLE, arg=29_000)
    log.press("e")
    page.wait_for_function(WHOLE, arg=30_000)
    expect(log.locator("li.wait")).to_have_count(0)
    assert page.evaluate(WHOLE, 30_000)
    # Whoever moves on is not brought back by what comes.
    log.hover()
    page.mouse.wheel(0, 1500)
    page.wait_for_function("() => !(document.querySelector('#L30000')?.getBoundingClientRect().bottom >= 0)")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('sse:log'))")
    page.wait_for_load_state("networkidle")
    assert not page.evaluate(WHOLE, 30_000)
    log.press("Home")
    expect(log.locator("#L1")).to_be_in_viewport()
    page.evaluate("document.body.dispatchEvent(new CustomEvent('sse:log'))")
    page.wait_for_load_state("networkidle")
    expect(log.locator("#L1")).to_be_in_viewport()
    context.close()
    assert not screen.complaints


def test_on_a_phone_all_types_are_above_what_can_be_done(browser: Browser, live: str, server: Server) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, server.url)
    page = screen.open(f"/runs/{live}")
    page.locator("#log-levels summary").click()
    last = page.locator("#log-levels").get_by_role("button", name="All", exact=True)
    expect(last).to_be_in_viewport(ratio=1)
    # Nothing lies on it.
    last.click(trial=True)
    page.locator("#log-title").click()
    expect(last).to_be_hidden()
    context.close()
    assert not screen.complaints


def test_with_keys_alone_lines_are_marked(screen: Screen) -> None:
    page, log = opened(screen, "#L2000")
    expect(log.locator("#L2000.here")).to_be_in_viewport()
    log.press("Home")
    expect(log.locator("#L1")).to_be_in_viewport()
    log.press("Enter")
    expect(log.locator("li.here")).to_have_id("L1")
    assert page.url.endswith("#L1")
    log.press("Enter")
    assert page.url.endswith("#L2")
    for _ in range(60):
        log.press("Shift+ArrowDown")
    assert page.url.endswith("#L2-L62")
    expect(log.locator("#L62.here")).to_be_in_viewport()
    expect(page.get_by_role("button", name="Copy 61 lines")).to_be_visible()
    # What was gone to gets its address first; of lines of some types the next of these is meant.
    log.press("e")
    expect(log.locator("#L30000.here")).to_be_in_viewport()
    log.press("Enter")
    assert page.url.endswith("#L30000")
    page.get_by_text("Types", exact=True).click()
    page.get_by_role("button", name="Warnings and errors").click()
    expect(log.locator("li")).to_have_count(6)
    page.keyboard.press("Escape")
    log.press("Home")
    log.press("Enter")
    # On from what is marked, as long as that is in view.
    assert page.url.endswith("#L40000")
    log.press("Shift+ArrowDown")
    assert page.url.endswith("#L40000-L50000")


def test_times_are_clock_date_or_since_the_start(screen: Screen, server: Server) -> None:
    page, log = opened(screen, "#L2000")
    first, line = (server.get(f"/api/runs/{Long.run}/log?after={n}&limit=1")["lines"][0] for n in (0, 1999))
    shown = log.locator("#L2000 time")
    expect(shown).to_have_attribute("datetime", line["time"])
    shown.hover()
    expect(shown).to_have_attribute("title", re.compile("by the machine's clock\nReceived 20"))
    page.locator("#log-time").select_option("date")
    expect(shown).to_contain_text(line["time"][:4])
    page.locator("#log-time").select_option("start")
    assert first["time"] < line["time"]
    expect(shown).to_have_text("+1 min 59 s")


def test_a_log_that_grows_is_followed_until_the_reader_lets_go(screen: Screen, server: Server, live: str) -> None:
    page = screen.open(f"/runs/{live}")
    log, follow, fresh = page.locator("#log"), page.locator("#log-follow"), page.locator("#log-fresh")
    expect(page.locator("#connection")).to_have_text("Live")
    page.evaluate("document.getElementById('log-section').scrollIntoView()")
    expect(log.locator("li", has_text=re.compile("step a+ 599$"))).to_be_in_viewport()
    say(server, "the newest", "the very newest")
    expect(log.locator("li.window", has_text="the very newest")).to_be_in_viewport()
    expect(log.locator("li[id]", has_text="the very newest")).to_be_in_viewport()
    log.hover()
    page.mouse.wheel(0, -2000)
    expect(follow).to_have_attribute("aria-pressed", "false")
    place = "document.getElementById('log').scrollTop"
    before, top = page.evaluate(place), log.locator("li[id]").nth(14).text_content()
    say(server, "one more", "and another")
    expect(fresh).to_have_text("↓ 2 new lines")
    say(server, *(f"many {'b' * i}" for i in range(300)))
    expect(fresh).to_have_text("↓ 302 new lines")
    assert page.evaluate(place) == before, "what is read does not move"
    assert log.locator("li[id]").nth(14).text_content() == top
    fresh.click()
    expect(log.locator("li", has_text="many " + "b" * 299)).to_be_in_viewport()
    expect(follow).to_have_attribute("aria-pressed", "true")
    # Selecting lets go too, and `f` follows again.
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#log li:nth-last-child(3) > span'))")
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.evaluate("getSelection().removeAllRanges()")
    log.press("f")
    expect(follow).to_have_attribute("aria-pressed", "true")
    # A line that repeats counts on where it stands.
    for times in (2, 5):
        say(server, *["No licence yet"] * times)
        repeated = log.locator("li[id]", has_text="No licence yet")
        expect(repeated.locator("b")).to_have_text(f"repeated {times if times == 2 else 7} times")
        expect(repeated).to_have_count(1)
    assert log.locator("li").count() < 150


def test_the_newest_lines_are_seen_before_any_script_is_there(screen: Screen) -> None:
    page = screen.context.new_page()
    page.route("**/log.js", lambda route: route.abort())
    page.goto(f"{screen.url}/runs/{Long.run}")
    log = page.locator("#log")
    log.evaluate("(box) => box.scrollIntoView()")
    last = log.locator("li").last
    expect(last).to_contain_text("Waiting for a licence")
    expect(last).to_be_in_viewport()
    above = place(last)["y"] - place(log)["y"]
    assert place(log)["height"] - above - place(last)["height"] < 3, "the list shows its end"
    page.unroute("**/log.js")
    page.reload()
    log.evaluate("(box) => box.scrollIntoView()")
    known = log.locator("li[id]").last
    expect(known).to_be_in_viewport()
    expect(log.locator(".first")).to_have_count(0)
    assert abs(place(known)["y"] - place(log)["y"] - above) < 3, "where it stood before"
    page.close()


def test_without_script_the_newest_lines_and_the_way_to_earlier_ones(browser: Browser, server: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/runs/{Long.run}")
    lines = page.locator("#log-section .still li")
    expect(lines.last).to_contain_text("Waiting for a licence")
    first = int(lines.first.locator("i").inner_text())
    page.get_by_role("link", name=f"Earlier lines, before {first}").click()
    expect(lines.last.locator("i")).to_have_text(str(first - 1))
    expect(page.get_by_role("link", name="text", exact=True)).to_have_attribute("href", f"/api/runs/{Long.run}/log.txt")
    context.close()


PURE = """async ([base]) => {
  const { Geometry, LONGEST } = await import(`${base}/log/geometry.js`);
  const { cut, parse, shown } = await import(`${base}/log/row.js`);
  const { upTo } = await import(`${base}/log/search.js`);
  const geometry = new Geometry(20);
  geometry.view = 500;
  const far = [];
  for (const total of [0, 3, 1000, 700_000, 10_000_000]) {
    geometry.total = total;
    geometry.fit();
    for (let share = 0; share <= 1; share += 0.125) {
      const top = share * geometry.most;
      far.push(Math.abs(geometry.top(geometry.at(top)) - top));
    }
    const end = geometry.end();
    if (total) far.push(Math.abs(total * 20 - Math.min(total * 20, 500) - (end.row * 20 + end.offset)));
  }
  const ends = [geometry.length === LONGEST, geometry.at(geometry.most).row, geometry.at(0).row];
  geometry.wrap = true;
  geometry.total = 4;
  [30, 600, 20, 20].forEach((height, row) => geometry.measured(row, height));
  return {
    far: Math.max(...far), ends,
    wrapped: [geometry.move({ row: 0, offset: 0 }, 640), geometry.end(), geometry.move({ row: 3, offset: 5 }, -660)],
    ansi: parse("a\\x1b[1;31mb\\x1b[38;5;208;48;2;1;2;3mc\\x1b[md\\x1b[2Ke\\x1b]0;title\\x07f\\x1b[38:2::9:8:7mg"),
    none: parse(""),
    cut: cut(parse("ab\\x1b[1mcd\\x1b[0mef"), [[1, 3], [5, 6]]).map(({ text, marked }) => [text, Boolean(marked)]),
    shown: shown("a\\u202e\\ud800\\u0007\\t\\n\\u{1f600}"),
    upTo: [0, 5, 6, 99].map((n) => upTo([5, 6, 9], n)),
  };
}"""


def test_geometry_escapes_and_marks_by_themselves(screen: Screen) -> None:
    page = screen.open("/")
    static = page.locator("script[src*='start.js']").get_attribute("src")
    assert static is not None
    said = page.evaluate(PURE, [screen.url + static.removesuffix("/start.js")])
    assert said["far"] < 1
    assert said["ends"] == [True, 10_000_000 - 25, 0]
    assert said["wrapped"] == [{"row": 2, "offset": 10}, {"row": 1, "offset": 140}, {"row": 0, "offset": 0}]
    plain: dict[str, Any] = {}
    red = {"bold": True, "fore": 1}
    assert [(it["text"], it["style"]) for it in said["ansi"]] == [
        ("a", plain), ("b", red), ("c", {"bold": True, "fore": "#ff8700", "back": "#010203"}), ("def", plain),
        ("g", {"fore": "#090807"}),
    ]  # fmt: skip
    assert said["none"] == [{"text": "", "style": {}}]
    assert said["cut"] == [["a", False], ["b", True], ["c", True], ["d", False], ["e", False], ["f", True]]
    assert said["shown"] == "a‹U+202E›‹U+D800›‹U+0007›\t‹U+000A›\U0001f600"  # noqa: RUF001
    assert said["upTo"] == [0, 1, 2, 3]


def test_scripts_of_the_log_stay_light() -> None:
    static = Path(__file__).parents[2] / "src/goliat_monitoring/server/pages/static"
    files = [static / "log.js", *sorted((static / "log").glob("*.js"))]
    assert sum(len(gzip.compress(file.read_bytes(), 9)) for file in files) < 20_000

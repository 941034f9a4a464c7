"""The dashboard in a real Chromium, with a real server behind it, as a person sees it.

The tests build on each other, in their order.
"""

import re
import sqlite3
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.accessibility import problems
from tests.pages.conftest import Screen, Server, mark, place, unreloaded

HOSTILE = "<script>alert(1)</script>"
REVERSED = "report\u202egpj.exe"
MACHINE = "203.0.113.7"
# One pixel of JPEG would do; the page only shows it.
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "03" * 64 + "ffc0000b080001000101011100ffc40014000100000000"
    "00000000000000000000000009ffc40014100100000000000000000000000000000000ffda0008010100003f0054ffd9"
)
expect.set_options(timeout=8000)


class Scene:
    """What the tests share: ids of what they made."""

    study: str
    assignments: list[dict[str, Any]]
    run: str
    worker: str
    sequence = 0


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


def test_01_an_empty_server_says_what_to_do_and_turns_by_itself(screen: Screen, server: Server) -> None:
    page = screen.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("No workers yet")
    expect(page.locator(".command:visible code").first).to_contain_text(
        f"goliat-monitoring agent --server {server.url}"
    )
    page.get_by_role("button", name="PowerShell").first.click()
    expect(page.locator(".command:visible code").first).to_contain_text("Scripts\\goliat-monitoring agent")
    expect(page.get_by_text("No studies yet")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("Live")
    mark(page)
    server.heartbeat(MACHINE, HOSTILE)
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Nothing to do")
    assert unreloaded(page)


def test_02_a_claim_and_its_progress_appear_on_the_overview(screen: Screen, server: Server, scene: Scene) -> None:
    study = server.study("far-field-700")
    scene.study, scene.assignments = study["id"], study["assignments"]
    page = screen.open("/")
    expect(page.get_by_text("2 assignments queued; 1 worker takes work within seconds.")).to_be_visible()
    mark(page)
    scene.run = server.claim(scene.assignments[0]["id"], MACHINE)
    scene.worker = server.get(f"/api/runs/{scene.run}")["run"]["workerId"]
    server.gui(MACHINE, type="sim_details", count=1, total=2, details="thelonious, 700MHz, x_pos, theta")
    server.gui(MACHINE, type="overall_progress", current=41.7, total=100)
    row = page.locator(f"#w-{scene.worker}")
    expect(row).to_contain_text("Running")
    expect(row).to_contain_text("far-field-700 #0")
    expect(row).to_contain_text("1 / 2")
    expect(row).to_contain_text("41 %")
    expect(page.get_by_role("heading", level=1)).to_have_text("Working")
    expect(page.locator(f"#s-{scene.study}")).to_contain_text("0 / 2")
    assert unreloaded(page)


def test_03_a_new_log_line_appears_on_the_open_run_page(screen: Screen, server: Server, scene: Scene) -> None:
    page = screen.open(f"/runs/{scene.run}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("far-field-700 #0, try 1")
    expect(page.locator("#connection")).to_have_text("Live")
    mark(page)
    repeated = ["Waiting for a licence"] * 3
    server.log(MACHINE, 0, "Computing the field of \x1b[31mx_pos\x1b[0m", "    indented", *repeated, level="info")
    line = page.locator("#log li", has_text="Computing the field of x_pos")
    expect(line).to_be_visible()
    expect(line).to_have_class("window info")
    expect(page.locator("#log li.window", has_text="indented").locator("span")).to_have_text("    indented")
    # Its neighbours had their time: the same line now has its number.
    numbered = page.locator("#log li[id]", has_text="Computing the field of x_pos")
    expect(numbered).to_be_visible()
    expect(page.locator("#log li", has_text="Computing")).to_have_count(1)
    expect(page.locator("#log li", has_text="Waiting for a licence")).to_have_count(1)
    expect(page.locator("#log li", has_text="Waiting for a licence").locator("b")).to_have_text("repeated 3 times")
    server.gui(MACHINE, type="stage_progress", name="Running Simulation", current=66, total=100)
    expect(page.locator(".gauge", has_text="Running Simulation")).to_contain_text("66 %")
    expect(page.locator(".gauge", has_text="GOLIAT says")).to_contain_text("41 %")
    expect(page.locator(".gauge", has_text="1 of 2")).to_be_visible()
    assert unreloaded(page)


def test_04_hostile_text_is_text(screen: Screen, server: Server, scene: Scene) -> None:
    screen.context.add_init_script("window.alert = () => { window.pwned = true; }")
    page = screen.open(f"/runs/{scene.run}")
    bad = f"{HOSTILE}<img src=x onerror=alert(1)>{REVERSED}"
    server.log(MACHINE, 1, bad, "x" * 1_000_000, level="warning")
    shown = page.locator("#log li", has_text=HOSTILE).locator("span")
    expect(shown).to_have_text(f"{HOSTILE}<img src=x onerror=alert(1)>report‹U+202E›gpj.exe")  # noqa: RUF001
    long = page.locator("#log li", has_text="xxxx")
    expect(long.get_by_role("button")).to_have_text("998\u202f000 more characters")
    assert page.locator("#log img, #log script").count() == 0
    assert page.evaluate("window.pwned") is None
    page.reload()
    expect(page.locator("#log li", has_text=HOSTILE).locator("span")).to_contain_text("report‹U+202E›gpj")  # noqa: RUF001
    expect(page.locator(".crumbs")).to_contain_text(HOSTILE)
    page = screen.open(f"/workers/{scene.worker}")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert page.evaluate("window.pwned") is None
    answer = server.api.get(f"/runs/{scene.run}")
    assert "\u202e" not in answer.text
    assert "<img src=x" not in answer.text
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_05_follow_lets_go_and_counts_what_is_new(screen: Screen, server: Server, scene: Scene) -> None:
    texts = [f"step {number} of 1500" for number in range(1500)]
    for start in range(0, 1500, 250):
        server.log(MACHINE, 2 + start // 250, *texts[start : start + 250])
    deadline = time.monotonic() + 10
    while server.get(f"/api/runs/{scene.run}")["run"]["lines"] < 1504 and time.monotonic() < deadline:
        time.sleep(0.1)
    page = screen.open(f"/runs/{scene.run}")
    log = page.locator("#log")
    at_end = "const box = document.getElementById('log'); box.scrollTop + box.clientHeight >= box.scrollHeight - 4"
    expect(page.locator("#log-problems")).to_be_visible()
    page.evaluate("document.getElementById('log-section').scrollIntoView()")
    expect(log.locator("li", has_text="step 1499 of 1500")).to_be_in_viewport()
    assert log.locator("li").count() < 120, "only what is in view, and some around it"
    assert page.evaluate(at_end)
    follow, fresh = page.get_by_role("button", name="Follow"), page.locator("#log-fresh")
    expect(follow).to_have_attribute("aria-pressed", "true")
    log.hover()
    page.mouse.wheel(0, -600)
    expect(follow).to_have_attribute("aria-pressed", "false")
    before = page.evaluate("document.getElementById('log').scrollTop")
    server.log(MACHINE, 8, "one more", "and another")
    expect(fresh).to_have_text("↓ 2 new lines")
    assert page.evaluate("document.getElementById('log').scrollTop") == before, "what is read does not move"
    fresh.click()
    expect(log.locator("li", has_text="and another")).to_be_in_viewport()
    expect(follow).to_have_attribute("aria-pressed", "true")
    log.press("Home")
    expect(log.locator("#L1")).to_be_in_viewport()
    assert log.locator("li").count() < 120
    expect(follow).to_have_attribute("aria-pressed", "false")


def test_06_a_line_has_an_address(screen: Screen, scene: Scene) -> None:
    page = screen.open(f"/runs/{scene.run}#L12")
    expect(page.locator("#L12")).to_be_in_viewport()
    expect(page.locator("#L12")).to_have_class("default here")
    page.locator("#L14 > i").click()
    assert page.url.endswith("#L14")
    expect(page.locator("#L14")).to_have_class("default here")


def test_07_results_and_screenshots_arrive_and_the_end_is_seen_everywhere(
    screen: Screen, server: Server, scene: Scene
) -> None:
    run, overview = screen.open(f"/runs/{scene.run}"), screen.open("/")
    worker, study = screen.open(f"/workers/{scene.worker}"), screen.open(f"/studies/{scene.study}")
    pages = (run, overview, worker, study)
    for page in pages:
        mark(page)
    expect(worker.locator("main")).to_contain_text("Running")
    expect(study.locator("main")).not_to_contain_text("Failed")
    path = "far_field/thelonious/700MHz/environmental_x_pos_theta"
    answer = server.api.post(
        f"/api/assignments/{scene.assignments[0]['id']}/results",
        data={"relativePath": path},
        files=[("files", ("sar_results.json", b'{"sar": 0.0123}', "application/json"))],
    )
    assert answer.status_code == 200, answer.text
    run.get_by_role("link", name="Files").click()
    expect(run.locator("#files")).to_contain_text(f"{path}/sar_results.json")
    with run.expect_download() as waiting:
        run.get_by_role("link", name=f"{path}/sar_results.json").first.click()
    assert waiting.value.path().read_bytes() == b'{"sar": 0.0123}'
    answer = server.api.post(
        "/api/gui-screenshots", data={"machineId": MACHINE}, files=[("Disk_I/O", ("Disk_I/O.jpg", JPEG, "image/jpeg"))]
    )
    assert answer.status_code == 200, answer.text
    run.get_by_role("link", name="Screenshots").click()
    picture = run.locator("#screenshots figure img")
    expect(picture).to_have_attribute("alt", "GOLIAT's tab Disk_I/O")
    assert server.api.get(picture.get_attribute("src") or "").content == JPEG
    server.log(MACHINE, 9, "material 'Skin' is missing", level="error")
    server.gui(MACHINE, type="finished", message="Study finished with errors")
    expect(run.locator(".head")).to_contain_text("Failed")
    expect(run.locator("main")).to_contain_text("no result")
    run.get_by_role("link", name="Evidence").click()
    expect(run.locator("#evidence")).to_contain_text("1 of 2 proven")
    run.get_by_role("link", name="First error").click()
    expect(run.locator("#log li.here")).to_contain_text("material 'Skin' is missing")
    expect(overview.locator(f"#w-{scene.worker}")).to_contain_text("Error")
    expect(worker.locator("main")).to_contain_text("Error")
    expect(study.locator("main")).to_contain_text("Failed")
    expect(study.locator("#a-0")).to_contain_text("1 / 2")
    assert all(unreloaded(page) for page in pages)


def test_08_numbers_are_links(screen: Screen) -> None:
    page = screen.open("/")
    page.get_by_role("link", name="1 error").click()
    assert page.url.endswith("/workers?show=error")
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    page.get_by_role("link", name="0 idle").click()
    expect(page.get_by_text("None of 1 worker is idle.")).to_be_visible()


def test_09_the_theme_is_kept(screen: Screen) -> None:
    page = screen.open("/")
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert page.evaluate(ground) == "rgb(245, 247, 249)"
    page.get_by_role("button", name="Use the dark theme").click()
    assert page.evaluate(ground) == "rgb(17, 21, 26)"
    page.goto(page.url + "workers")
    assert page.evaluate(ground) == "rgb(17, 21, 26)"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_10_axe_finds_nothing_and_the_phone_does_not_scroll_sideways(
    browser: Browser, server: Server, scene: Scene, theme: str
) -> None:
    context = browser.new_context(
        color_scheme="dark" if theme == "dark" else "light", viewport={"width": 1280, "height": 900}
    )
    screen = Screen(context, server.url)
    for path in addresses(scene):
        page = screen.open(path)
        expect(page.locator("#connection")).to_have_text("Live")
        assert problems(page) == [], path
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        page.close()
    context.close()
    assert not screen.complaints


def addresses(scene: Scene) -> list[str]:
    """Every page."""
    return ["/", "/workers", f"/workers/{scene.worker}", "/studies", f"/studies/{scene.study}", f"/runs/{scene.run}"]


def test_11_pages_read_without_javascript(browser: Browser, server: Server, scene: Scene) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/runs/{scene.run}")
    expect(page.locator("#log-section .still li", has_text="and another")).to_have_count(1)
    expect(page.locator("#evidence")).to_contain_text("1 of 2 proven")
    expect(page.get_by_role("button")).to_have_count(0)
    page.goto(server.url)
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    context.close()


def test_12_an_unknown_address_is_a_page_too(server: Server) -> None:
    for path in ("/runs/none", "/workers/none", "/studies/none"):
        answer = server.api.get(path)
        assert answer.status_code == 404
        assert "Back to the overview" in answer.text
        assert answer.headers["content-type"].startswith("text/html")


def test_13_pages_stay_small_and_scripts_light(server: Server, scene: Scene) -> None:
    for path in addresses(scene):
        assert len(server.api.get(path).content) < 300_000, path


def test_13a_what_a_page_loads_travels_packed_and_is_kept(server: Server) -> None:
    (address,) = re.findall(r'src="(/static/[^"]+/htmx[^"]+)"', server.api.get("/").text)
    plain, packed = (server.api.get(address, headers={"Accept-Encoding": how}) for how in ("identity", "gzip"))
    assert plain.content == packed.content
    assert int(packed.headers["content-length"]) * 2 < int(plain.headers["content-length"])
    assert packed.headers["vary"] == "Accept-Encoding"
    assert "immutable" in packed.headers["cache-control"]


def test_13b_stop_asks_first_and_then_tells_the_agent(screen: Screen, server: Server, scene: Scene) -> None:
    machine = {"fingerprint": {"machineId": "m-1", "hostname": "agent-1", "bootId": "b-1"}, "facts": {}}
    enrolled = server.post("/api/agent/v1/enrol", machine)
    agent = {"Authorization": f"Bearer {enrolled['credential']}"}
    opened = server.api.post("/api/agent/v1/session", json={**machine, "sentAt": time.time_ns() // 1000}, headers=agent)
    session = opened.json()["sessionId"]
    job = server.api.post("/api/agent/v1/claim", json={"sessionId": session}, headers=agent).json()["job"]
    page = screen.open(f"/runs/{job['runId']}")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_role("heading", name="Stop this run?")).to_be_visible()
    page.get_by_role("button", name="Keep running").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert server.get(f"/api/runs/{job['runId']}")["run"]["directive"] == "continue"
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop this run").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_text("Stop asked", exact=True)).to_be_visible()
    expect(page.locator("#log li", has_text="Stop asked by")).to_be_visible()
    beat = {"sessionId": session, "sentAt": time.time_ns() // 1000, "run": {"runId": job["runId"]}}
    fence = {**agent, "X-Goliat-Fence": job["fence"]}
    assert server.api.post("/api/agent/v1/heartbeat", json=beat, headers=fence).json()["directive"] == "stop"


def test_13c_a_database_that_takes_nothing_is_seen_on_open_pages(screen: Screen, server: Server, scene: Scene) -> None:
    pages = [screen.open("/"), screen.open(f"/runs/{scene.run}")]
    for page in pages:
        expect(page.locator("#connection")).to_have_text("Live")
        expect(page.locator("#trouble")).to_be_empty()
        mark(page)
    other = sqlite3.connect(server.data_dir / "goliat-monitoring.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE").close()
        for page in pages:
            # The server gives the lock ten seconds before it calls it trouble.
            banner = page.get_by_role("alert")
            expect(banner).to_contain_text("Nothing can be written to the database since", timeout=30_000)
            expect(banner).to_contain_text("database is locked")
        assert problems(pages[0]) == []
    finally:
        other.close()
    for page in pages:
        expect(page.locator("#trouble")).to_be_empty(timeout=15_000)
        assert unreloaded(page)


# The ticks of the countdown to the next try are lost.
NO_COUNTDOWN = """
    const later = window.setTimeout;
    window.setTimeout = (what, wait, ...rest) => (wait === 500 ? 0 : later(what, wait, ...rest));
"""


def test_14_a_lost_connection_is_seen_and_found_again(screen: Screen, server: Server) -> None:
    runs = server.get("/api/runs")
    page, run, new = screen.open("/"), screen.open(f"/runs/{runs[0]['id']}"), screen.open("/studies/new")
    for one in (page, run, new):
        expect(one.locator("#connection")).to_have_text("Live")
        expect(one.get_by_role("button", name="Try now")).to_be_hidden()
    mark(page)
    screen.tolerant = True
    server.stop()
    expect(page.locator("#connection")).to_contain_text("Connection lost. Data as of")
    expect(page.locator("body")).to_have_class("stale")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        assert problems(page) == [], theme
    # What can be done stays under the thumb.
    run.set_viewport_size({"width": 360, "height": 740})
    expect(run.locator("body")).to_have_class("stale")
    expect(run.locator("#log")).to_have_css("filter", "grayscale(1)")
    assert run.evaluate("document.documentElement.scrollWidth") <= 360
    actions = place(run.locator(".head .actions"))
    assert actions["y"] + actions["height"] == 740
    expect(new.locator("body")).to_have_class("stale")
    new.get_by_label("Priority").fill("3")
    expect(new.locator("#preview")).to_contain_text("it follows by itself")
    # Whoever does not wait, and a machine that is on its network again. Of themselves these two would wait for ever.
    for one in (page, run):
        one.evaluate(NO_COUNTDOWN)
    server.start()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.get_by_role("button", name="Try now")).to_be_hidden()
    run.evaluate("dispatchEvent(new Event('online'))")
    expect(run.locator("#connection")).to_have_text("Live")
    new.get_by_role("button", name="Try now").click()
    expect(new.locator("#preview")).not_to_contain_text("cannot be reached")
    expect(page.locator("body")).not_to_have_class("stale")
    server.heartbeat("203.0.113.9", "second-machine")
    expect(page.get_by_role("link", name="second-machine")).to_be_visible()
    assert unreloaded(page), "the same build is no reason to reload"

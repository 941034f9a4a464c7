"""The page of a run in a real Chromium: what a person would check of bars, plots, timings, pictures and actions.

The tests build on each other, in their order.
"""

import json
import math
import re
import sqlite3
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from goliat_monitoring.server.pages.numbers import LEFT
from tests.pages.conftest import Screen, Server, place
from tests.pages.machine import Machine

FOLDER = "far_field/thelonious/700MHz/environmental_x_pos_theta"
HOSTILE = "<script>document.title='run'</script>"
REPORT = (
    b"<h1>SAR statistics</h1><p>Skin 0.0123 W/kg</p><script>document.querySelector('h1').textContent='ran'</script>"
)
# Samples of the machine: two hours, one in ten seconds, and a hole of 14 minutes.
HOLE = (3600, 3600 + 14 * 60)
HOURS = 7200
expect.set_options(timeout=8000)


class Scene:
    """What the tests share."""

    began: float
    vitals: list[tuple[float, dict[str, float]]]


@pytest.fixture(scope="module")
def scene() -> Scene:
    made = Scene()
    made.began = math.floor(time.time()) - HOURS
    made.vitals = [
        (
            made.began + at,
            {"cpu": 20 + at // 100 % 30, "ram": 40.0, "gpu": 100 * at / HOURS, "vram": 75.0, "disk_read": 12.5},
        )
        for at in range(0, HOURS, 10)
        if not HOLE[0] < at < HOLE[1]
    ]
    return made


@pytest.fixture(scope="module")
def machine(server: Server, scene: Scene) -> Iterator[Machine]:
    """A machine at its second simulation, two hours after it claimed."""
    server.study("far-field-700", parts=3)
    made = Machine(server, "win10-rtx4090")
    made.claim()
    made.simulate(1)
    for name, seconds in (("load_phantom", 30), ("voxelize", 90)):
        made.say(f"      - Subtask 'setup_{name}' done in {seconds:.2f}s", level="verbose")
    made.say("--- Finished: setup (took 120.00s) ---", "--- Finished: run (took 480.00s) ---", level="header")
    made.tell("stage_progress", name="Extracting Results", current=1, total=1)
    made.upload(FOLDER, "sar_results.json", b'{"sar": 0.0123}')
    made.upload(FOLDER, "sar_stats_all_tissues.html", REPORT)
    made.simulate(2)
    made.tell("stage_progress", name="Run", current=0, total=1)
    made.tell("start_animation", estimate=7200.0, end_value=100)
    made.say("[PROGRESS]: 40% [20000/50000] Time Update, estimated remaining time 900 seconds @ 2134.5 MCells/s")
    made.tell("overall_progress", current=61.4, total=100)
    made.say("Material 'Skin' has no loss tangent", level="warning")
    made.past_samples("vitals", scene.vitals)
    made.past_samples("progress", [(at, {"percent": values["gpu"]}) for at, values in scene.vitals[::3]])
    made.began(HOURS)
    yield made
    made.close()


def share(bar: Locator) -> float:
    """How much of its track a bar fills, in percent, as it is drawn."""
    length = (
        "(bar) => 100 * bar.querySelector('.fill').getBoundingClientRect().width / bar.getBoundingClientRect().width"
    )
    return float(bar.evaluate(length))


def gauge(page: Page, name: str) -> Locator:
    return page.locator(".run-panel .gauge").filter(has_text=name)


def chart(page: Page, name: str) -> Locator:
    """A chart that has been drawn."""
    figure = page.locator(f"[data-chart={name}]")
    expect(figure.locator(".grid")).to_be_visible()
    return figure


def curve(figure: Locator, colour: str) -> list[list[tuple[float, float]]]:
    """What a line is drawn as: [time, value] of its points, part by part."""
    parts: list[list[tuple[float, float]]] = figure.locator(f"path.{colour}").last.evaluate(
        """(path) => {
          const chart = path.closest("figure").chart;
          const [from, to] = chart.bounds;
          const back = ([x, y]) => [from + (x / chart.width) * (to - from), (1 - y / chart.tall) * chart.marks[4]];
          const parts = path.getAttribute("d").split("M").slice(1);
          return parts.map((part) => part.split("L").map((point) => back(point.split(" ").map(Number))));
        }"""
    )
    return parts


def at_pixel(figure: Locator, at: float) -> float:
    """Where a time is in the plot, pixels from its left."""
    return float(
        figure.evaluate("(figure, at) => Number(figure.chart.field.getAttribute('x')) + figure.chart.x(at)", at)
    )


def test_01_the_panel_shows_the_servers_progress_and_goliats(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/runs/{machine.run}")
    expect(gauge(page, "Simulation")).to_contain_text("2 of 2")
    assert share(gauge(page, "Simulation").locator(".bar")) == pytest.approx(50, abs=0.5)
    expect(gauge(page, "GOLIAT says")).to_contain_text("61 %")
    assert share(gauge(page, "GOLIAT says").locator(".bar")) == pytest.approx(61, abs=0.5)
    expect(gauge(page, "Solver")).to_contain_text("40 %")
    expect(gauge(page, "Solver")).to_contain_text("2\u202f134 MCells/s")
    # One of two equal cases is proven, and of the other setup and 40 % of its run: 50 + 50 * (0.25 + 0.4 * 0.5).
    overall = gauge(page, "Overall")
    expect(overall).to_contain_text("72 %")
    assert share(overall.locator(".bar")) == pytest.approx(72, abs=0.5)
    # GOLIAT's stage is an animation, and is shown as one.
    expect(gauge(page, "Stage Run")).to_contain_text("~0 %")
    expect(gauge(page, "Stage Run")).to_contain_text("GOLIAT reckons 2 h for it")
    expect(page.locator(".run-panel")).to_contain_text("Case thelonious, 700MHz, x_pos, phi")
    expect(page.locator(".run-panel")).to_contain_text("1 warning, 0 errors")
    expect(page.locator(".times div", has_text="Elapsed").locator("time")).to_have_text("2 h 0 min")


def test_02_tabs_are_links_that_stay_in_the_address(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/runs/{machine.run}")
    expect(page.locator("#evidence")).to_be_visible()
    expect(page.locator("#timings")).to_be_hidden()
    page.locator(".tabs").get_by_role("link", name="Timings").click()
    assert page.url.endswith("#timings")
    expect(page.locator("#timings")).to_be_visible()
    expect(page.locator("#evidence")).to_be_hidden()
    expect(page.locator(".tabs [aria-current]")).to_have_text("Timings")
    page.go_back()
    expect(page.locator("#evidence")).to_be_visible()
    page.reload()
    expect(page.locator("#evidence")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    machine.upload(FOLDER, "sar_stats_all_tissues.pkl", b"\x80pickle")
    expect(page.locator("#evidence")).to_be_visible()
    with page.expect_response("**/evidence"):
        machine.say("one more line")
    assert not any(url.endswith(("/files", "/timings", "/screenshots")) for url in asked), "what is hidden rests"
    # It is fetched when it is shown, before anything else happens.
    page.locator(".tabs").get_by_role("link", name="Files").click()
    expect(page.locator("#files")).to_contain_text("sar_stats_all_tissues.pkl")


def test_03_the_plotted_points_are_the_samples(screen: Screen, machine: Machine, server: Server, scene: Scene) -> None:
    page = screen.open(f"/runs/{machine.run}#plots")
    load = chart(page, "load")
    samples = server.get(f"/api/runs/{machine.run}/samples?kind=vitals&points=600")
    assert load.evaluate("(figure) => figure.chart.samples.times") == samples["times"]
    assert load.evaluate("(figure) => figure.chart.samples.columns.gpu") == samples["values"]["gpu"]
    known = dict(zip(samples["times"], samples["values"]["gpu"], strict=True))
    before, after = curve(load, "gpu")
    assert before[-1][0] == pytest.approx(scene.began + HOLE[0], abs=60), "the line ends where samples do"
    assert after[0][0] == pytest.approx(scene.began + HOLE[1], abs=60)
    for at, value in (*before, *after):
        nearest = min(known, key=lambda one: abs(one - at))
        assert at == pytest.approx(nearest, abs=2)
        assert value == pytest.approx(known[nearest], abs=0.1)
    # Of the samples in one column of pixels at most four are drawn.
    width = float(load.evaluate("(figure) => figure.chart.width"))
    assert len(known) * 0.5 < len(before) + len(after) <= min(len(known), 4 * width)
    path = load.locator("path.gpu").last
    assert path.evaluate("(node) => getComputedStyle(node).stroke") == "rgb(148, 114, 0)"
    assert path.evaluate("(node) => getComputedStyle(node).strokeWidth") == "1.5px"
    patterns = [load.locator(f"path.{name}").last.get_attribute("stroke-dasharray") for name in ("cpu", "ram", "vram")]
    assert patterns == ["", "7 4", "2 3"]
    # The hole is shaded from its first moment to its last, and says how long it is.
    gap = load.locator("rect.gap")
    expect(gap).to_have_count(1)
    box, plot = place(gap), place(load.locator(".plot"))
    assert box["x"] - plot["x"] == pytest.approx(at_pixel(load, before[-1][0]), abs=2), "from the last sample"
    assert box["width"] == pytest.approx(width * (after[0][0] - before[-1][0]) / HOURS, abs=3), "to the next"
    expect(load.locator(".plot")).to_contain_text("no data 14 min")
    assert load.locator(".plot text").all_text_contents()[:5] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    assert chart(page, "disk").locator(".plot text").first.text_content() == "0 MB/s"
    # Each line is named at its end, and no name lies on another.
    names = [place(load.locator(f"g.{name} text")) for name in ("cpu", "ram", "gpu", "vram")]
    heights = sorted(name["y"] for name in names)
    assert len(heights) == 4
    assert all(below - above >= 11.5 for above, below in pairwise(heights))


def test_03b_thousands_of_points_are_drawn_as_what_can_be_told_apart(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/runs/{machine.run}#plots")
    progress = chart(page, "progress")
    took, drawn, highest = progress.evaluate(
        """({ chart }) => {
          const { samples } = chart;
          const [from, to] = chart.bounds;
          const many = Array.from({ length: 10000 }, (_, i) => i);
          samples.times = many.map((i) => from + (i * (to - from)) / 9999);
          samples.steps = many.map(() => 1);
          samples.columns = { percent: many.map((i) => (i === 7001 ? 99 : 30 + (i % 7))) };
          const began = performance.now();
          chart.draw(chart.bounds);
          const took = performance.now() - began;
          const points = chart.ground.querySelector("path.ok").getAttribute("d").split(/[ML]/).slice(1);
          return [took, points.length, Math.min(...points.map((point) => Number(point.split(" ")[1])))];
        }"""
    )
    assert drawn <= 4 * float(progress.evaluate("({ chart }) => chart.width")) + 4
    assert highest == pytest.approx(float(progress.evaluate("({ chart }) => chart.y(99)")), abs=0.1), "no peak is lost"
    assert took < 200


def test_04_one_cursor_and_one_time_axis_for_all_charts(screen: Screen, machine: Machine, scene: Scene) -> None:
    page = screen.open(f"/runs/{machine.run}#plots")
    load, progress = chart(page, "load"), chart(page, "progress")
    span = "(figure) => figure.chart.bounds"
    assert load.evaluate(span) == progress.evaluate(span)
    middles = {
        at_pixel(chart(page, name), scene.began + 3600) for name in ("progress", "left", "load", "disk", "faults")
    }
    assert len(middles) == 1, "charts that stand over each other share their pixels"

    def move_to(at: float) -> None:
        load.locator(".plot").hover(position={"x": at_pixel(load, at), "y": 40})

    move_to(scene.began + 1800)
    # A pixel is some seconds wide.
    expect(load.locator("output")).to_contain_text(re.compile("GPU 2[456] %"))
    expect(progress.locator("output")).to_contain_text(re.compile("GOLIAT says 2[456] %"))
    move_to(scene.began + sum(HOLE) / 2)
    expect(load.locator("output")).to_contain_text("no data 14 min")
    # Drag over the first hour: all charts show it, and a double click shows everything again.
    box = place(load.locator(".plot"))
    page.mouse.move(box["x"] + at_pixel(load, scene.began) + 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + at_pixel(load, scene.began + HOURS / 2), box["y"] + 50, steps=4)
    page.mouse.up()
    zoomed = progress.evaluate(span)
    assert zoomed == load.evaluate(span)
    assert zoomed[1] - zoomed[0] == pytest.approx(HOURS / 2, rel=0.05)
    load.locator(".plot").dblclick()
    assert progress.evaluate(span)[1] - progress.evaluate(span)[0] == pytest.approx(HOURS, rel=0.02)
    page.mouse.move(0, 0)
    # The same by keys.
    plot = load.get_by_role("slider", name="Load at a moment")
    plot.press("Home")
    expect(plot).to_have_attribute("aria-valuetext", re.compile("CPU 2[0-9] %.*GPU 0 %"))
    expect(progress.locator("output")).to_contain_text("GOLIAT says 0 %")
    for _ in range(3):
        plot.press("PageUp")
    moved = int(plot.get_attribute("aria-valuenow") or 0)
    assert moved == 30
    plot.press("ArrowLeft")
    expect(plot).to_have_attribute("aria-valuenow", "29")
    plot.press("+")
    assert progress.evaluate(span)[1] - progress.evaluate(span)[0] < HOURS / 2 + 1
    plot.press("Escape")
    assert progress.evaluate(span)[1] - progress.evaluate(span)[0] == pytest.approx(HOURS, rel=0.02)


def test_05_what_is_newer_is_fetched_alone_and_drawn(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/runs/{machine.run}#plots")
    progress = chart(page, "progress")
    before = progress.evaluate("(figure) => figure.chart.samples.times.length")
    page.evaluate("window.mark = 1")

    def is_newer(request: Request) -> bool:
        return "kind=progress" in request.url and "since=" in request.url

    with page.expect_request(is_newer, timeout=20_000) as waiting:
        machine.tell("overall_progress", current=88, total=100)
    answer = waiting.value.response()
    assert answer is not None
    assert len(answer.json()["times"]) < 10, "not the whole history again"
    expect(progress.locator("output")).to_contain_text("GOLIAT says 88 %")
    assert progress.evaluate("(figure) => figure.chart.samples.times.length") > before
    assert page.evaluate("window.mark") == 1


def test_06_each_chart_has_a_table(screen: Screen, machine: Machine, server: Server) -> None:
    page = screen.open(f"/runs/{machine.run}#plots")
    load = chart(page, "load")
    button = load.get_by_role("button", name="Table")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(load.locator("thead")).to_have_text("TimeCPURAMGPUVRAM")
    newest = server.get(f"/api/runs/{machine.run}/samples?kind=vitals&points=600")["values"]["gpu"][-1]
    expect(load.locator("tbody tr").first.locator("td").nth(2)).to_have_text(f"{int(newest)} %")
    assert 60 <= load.locator("tbody tr").count() <= 120
    button.click()
    expect(load.locator("table")).to_have_count(0)


def test_07_an_empty_chart_has_axes_and_says_why(screen: Screen, server: Server) -> None:
    study = server.study("by-hand", parts=1)
    server.heartbeat("203.0.113.9", "lab-bare")
    run = server.claim(study["assignments"][0]["id"], "203.0.113.9")
    page = screen.open(f"/runs/{run}#plots")
    expect(chart(page, "load").locator(".plot p")).to_have_text(
        "A GOLIAT without an agent reports no load of its machine."
    )
    progress = chart(page, "progress")
    expect(progress.locator(".plot p")).to_have_text("GOLIAT has told no percentage yet.")
    expect(chart(page, "left").locator(".plot p")).to_have_text("GOLIAT has told no time left yet.")
    expected = chart(page, "expected")
    expect(expected.locator(".plot p")).to_have_text("It is known once a simulation of its study is done.")
    # The words stand on a ground of their own, and no hole is told where nothing is drawn.
    assert progress.locator(".plot p").evaluate("(it) => getComputedStyle(it).backgroundColor") != "rgba(0, 0, 0, 0)"
    progress.evaluate("({ chart }) => { chart.samples.gaps = [chart.bounds]; chart.draw(chart.bounds); }")
    expect(progress.locator("text", has_text="no data")).to_be_hidden()
    assert chart(page, "load").evaluate("(f) => f.chart.marks[4]") == 100
    # What was foretold is a line and its range.
    with sqlite3.connect(server.data_dir / "goliat-monitoring.sqlite", timeout=20) as database:
        for ago, left in ((60, 1800), (0, 1200)):
            at = time.time_ns() // 1000 - ago * 1_000_000
            body = json.dumps({"p10": left / 2, "p50": left, "p90": left * 2})
            database.execute("INSERT INTO samples VALUES (?, 'forecast', 0, ?, ?, ?)", (run, at, at, body))
    database.close()
    page.reload()
    expect(expected.locator("output")).to_have_text(re.compile(r"p50 20 min\s*p10 10 min\s*p90 40 min$"))
    (line,) = curve(expected, "run")
    assert [left for _, left in line] == pytest.approx([1800, 1200], abs=10), "a tenth of a pixel"
    server.post(f"/api/runs/{run}/give-up", {})


def test_08_timings_are_goliats_with_their_share_as_bars(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/runs/{machine.run}#timings")
    rows = page.locator("#timings tbody tr")
    expect(rows.locator("th")).to_have_text(["Setup", "Load phantom", "Voxelize", "Run"])
    assert [share(rows.nth(i).locator(".bar")) for i in range(4)] == pytest.approx([20, 25, 75, 80], abs=0.5)
    expect(rows.nth(2).locator("td")).to_contain_text(["75 %", "1 min 30 s", "1", "90.00"])
    machine.say("      - Subtask 'setup_voxelize' done in 110.00s", level="verbose")
    expect(rows.nth(2).locator("td")).to_contain_text(["87 %", "3 min 20 s", "2", "100.00", "90.00", "90.00", "110.00"])


def test_09_the_slider_goes_back_through_the_pictures_of_a_tab(screen: Screen, machine: Machine) -> None:
    for percent in (10, 50, 90):
        machine.picture("Overall_Progress", percent)
        machine.picture("Disk_I/O", percent)
    page = screen.open(f"/runs/{machine.run}#screenshots")
    expect(page.locator("#screenshots figure")).to_have_count(2)
    page.locator("#screenshots figure", has_text="Overall Progress").get_by_role("link").click()
    viewer = page.locator(".viewer")
    expect(viewer).to_contain_text("3 of 3")
    newest = drawn(viewer)
    slider = viewer.get_by_role("slider", name="History")
    slider.press("Home")
    expect(viewer).to_contain_text("1 of 3")
    oldest = drawn(viewer)
    assert len({newest, oldest}) == 2, "another picture is seen"
    slider.press("ArrowRight")
    expect(viewer).to_contain_text("2 of 3")
    assert drawn(viewer) not in {newest, oldest}
    # Another tab is shown as it was then.
    page.locator("#screenshots figure", has_text="Disk I/O").get_by_role("link").click()
    expect(viewer.locator("b")).to_have_text("Disk I/O")
    expect(viewer).to_contain_text("2 of 3")
    viewer.get_by_role("button", name="Later picture").click()
    expect(viewer).to_contain_text("3 of 3")
    now = drawn(viewer)
    viewer.get_by_role("button", name="Earlier picture").click()
    expect(viewer).to_contain_text("2 of 3")
    assert drawn(viewer) != now, "another picture is seen"
    viewer.get_by_role("button", name="Close").click()
    expect(viewer).to_be_hidden()


def drawn(viewer: Locator) -> int:
    """A number for what the large picture shows, once it is there."""
    return int(
        viewer.locator("img").evaluate(
            """async (image) => {
              await image.decode();
              const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext("2d");
              canvas.drawImage(image, 0, 0);
              const { data } = canvas.getImageData(0, 0, image.naturalWidth, image.naturalHeight);
              return data.reduce((sum, value, i) => (sum * 31 + value * (i % 97)) % 2147483647, 7);
            }"""
        )
    )


def test_10_a_report_opens_in_a_sandbox(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/runs/{machine.run}#files")
    expect(page.get_by_role("link", name="Open ")).to_have_count(2)
    with page.expect_popup() as opening:
        page.get_by_role("link", name=f"Open {FOLDER}/sar_stats_all_tissues.html").click()
    report = opening.value
    expect(report.get_by_text("Skin 0.0123 W/kg")).to_be_visible()
    expect(report.get_by_role("heading")).to_have_text("SAR statistics")
    assert report.evaluate("origin") == "null", "it is nobody to this server"


def test_11_hostile_names_are_shown_as_text(screen: Screen, machine: Machine) -> None:
    machine.picture(HOSTILE, 10)
    machine.upload(FOLDER, "sar 'x' & y.json", b"{}")
    machine.tell("sim_details", count=2, total=2, details=HOSTILE)
    machine.tell("stage_progress", name=HOSTILE, current=1, total=4)
    page = screen.open(f"/runs/{machine.run}#screenshots")
    expect(page.locator(".run-panel")).to_contain_text(f"Case {HOSTILE}")
    expect(gauge(page, "Stage <script>")).to_contain_text("25 %")
    page.locator("#screenshots figure", has_text="script").get_by_role("link").click()
    expect(page.locator(".viewer b")).to_have_text(HOSTILE)
    expect(page.locator(".viewer")).to_contain_text("1 of 1")
    page.locator(".tabs").get_by_role("link", name="Files").click()
    expect(page.get_by_role("link", name=f"Open {FOLDER}/sar 'x' & y.json")).to_be_visible()
    assert "far-field-700" in page.title()
    machine.simulate(2)


def test_12_stop_and_cancel_say_what_is_lost(screen: Screen, machine: Machine, server: Server) -> None:
    page = screen.open(f"/runs/{machine.run}")
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog", name="Cancel this run?")
    expect(dialog).to_contain_text("2.0 GPU h are lost; uploaded results stay.")
    dialog.get_by_role("button", name="Keep running").click()
    expect(dialog).to_be_hidden()
    assert server.get(f"/api/runs/{machine.run}")["run"]["directive"] == "continue"
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("dialog", name="Stop this run?").get_by_role("button", name="Stop this run").click()
    expect(page.get_by_text("Stop asked", exact=True)).to_be_visible()
    assert machine.beat().directive == "stop"
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog.get_by_role("button", name="Cancel this run").click()
    expect(page.get_by_text("Kill asked", exact=True)).to_be_visible()
    assert machine.beat().directive == "kill"


def test_13_an_ended_run_says_why_and_can_be_tried_again(screen: Screen, machine: Machine, server: Server) -> None:
    first = machine.run
    page = screen.open(f"/runs/{first}")
    machine.say("material 'Skin' is missing", level="error")
    machine.end(exit_code=1, cause="killed")
    expect(page.locator(".head")).to_contain_text("Cancelled")
    expect(page.locator("main")).to_contain_text("Nothing follows by itself: a person must act.")
    expect(gauge(page, "Proven")).to_contain_text("1 of 2")
    assert share(gauge(page, "Proven").locator(".bar")) == pytest.approx(50, abs=0.5)
    page.get_by_role("link", name="First error").click()
    expect(page.locator("#log")).to_contain_text("material 'Skin' is missing")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog", name="Try this assignment again?").get_by_role("button", name="Retry").click()
    expect(page.locator("main")).to_contain_text("Its work waits for another try.")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_14_keys_go_from_one_try_to_the_next(screen: Screen, server: Server) -> None:
    runs = server.get("/api/runs")
    first = next(run for run in runs if run["state"] == "cancelled")
    other = Machine(server, "cloud-a6000")
    claimed: list[dict[str, Any]] = []
    while not any(run["assignmentId"] == first["assignmentId"] for run in claimed):
        other.claim()
        claimed = [run for run in server.get("/api/runs") if run["id"] == other.run]
    page = screen.open(f"/runs/{first['id']}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("try 1 of 2")
    page.keyboard.press("]")
    page.wait_for_url(f"**/runs/{other.run}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("try 2 of 2")
    expect(page.get_by_role("navigation", name="Tries").get_by_role("link")).to_have_text([f"{LEFT} earlier"])
    page.keyboard.press("]")
    page.keyboard.press("[")
    page.wait_for_url(f"**/runs/{first['id']}")
    other.close()


def test_15_everything_reads_without_javascript(browser: Browser, server: Server) -> None:
    run = next(run for run in server.get("/api/runs") if run["state"] == "cancelled")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/runs/{run['id']}")
    for part in ("evidence", "timings", "screenshots", "files"):
        expect(page.locator(f"#{part}")).to_be_visible()
    expect(page.locator("#timings")).to_contain_text("Voxelize")
    expect(page.locator("#screenshots figure img")).to_have_count(3)
    expect(page.get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Samples as a table").click()
    gpu = page.locator("section", has_text="Load of the machine")
    assert 100 < gpu.locator("tbody tr").count() <= 200
    expect(gpu.locator("thead")).to_contain_text("GPU, %")
    context.close()


def test_15b_a_run_that_no_agent_can_end_is_given_up_as_lost(screen: Screen, server: Server) -> None:
    part = server.study("by hand", parts=1)["assignments"][0]["id"]
    server.heartbeat("203.0.113.8", "lab-hand")
    run = server.claim(part, "203.0.113.8")
    page = screen.open(f"/runs/{run}")
    page.get_by_role("button", name="Give up as lost").click()
    dialog = page.get_by_role("dialog", name="Give up this run as lost?")
    expect(dialog).to_contain_text("Its missing simulations are queued again for another machine.")
    dialog.get_by_role("button", name="Keep waiting").click()
    assert server.get(f"/api/runs/{run}")["run"]["state"] != "lost"
    page.get_by_role("button", name="Give up as lost").click()
    dialog.get_by_role("button", name="Give up this run").click()
    expect(page.locator(".head")).to_contain_text("Lost")
    expect(page.get_by_role("button", name="Give up as lost")).to_have_count(0)
    assert server.get(f"/api/runs/{run}")["run"]["state"] == "lost"
    assert server.get(f"/api/assignments/{part}")["state"] == "PENDING"


def test_16_a_live_part_is_light(server: Server) -> None:
    run = server.get("/api/runs")[-1]["id"]
    for kind in ("", "/evidence", "/timings", "/screenshots", "/files"):
        assert len(server.api.get(f"/fragments/runs/{run}{kind}").content) < 60_000
    answer = server.api.get(f"/fragments/runs/{run}/nothing")
    assert answer.status_code == 404

"""The page of a worker in a real Chromium: the replica of its GOLIAT's window, and what a person may do to it.

The tests build on each other, in their order.
"""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.pages.conftest import RED, Screen, Server, place
from tests.pages.machine import Machine

VITALS = {"cpu": 37.0, "ram": 51.0, "gpu": 93.0, "vram": 80.0, "gpu_temp": 71.0, "disk_free": 200e9}
expect.set_options(timeout=8000)


@pytest.fixture(scope="module")
def machine(server: Server) -> Iterator[Machine]:
    """A machine at its first simulation."""
    server.study("far-field-700", parts=6)
    made = Machine(server, "win10-rtx4090")
    yield made
    made.close()


def dialog(page: Page, button: str, title: str) -> Locator:
    """The question that a button asks; what is done seldom stands in a menu, which closes behind it."""
    found = page.get_by_role("button", name=button, exact=True)
    if not found.is_visible():
        page.get_by_text("More", exact=True).click()
    found.click()
    expect(page.locator("#worker-more")).not_to_have_attribute("open", "")
    asked = page.get_by_role("dialog", name=title)
    expect(asked).to_be_visible()
    return asked


def wish(server: Server, machine: Machine) -> str:
    return str(server.get(f"/api/workers/{machine.id}")["worker"]["wish"])


def test_01_a_worker_without_a_run_turns_when_it_claims(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/workers/{machine.id}")
    expect(page.locator("main")).to_contain_text("Nothing has run on this worker yet.")
    expect(page.locator(".tabs a")).to_have_text(["Machine", "Sessions", "Runs"])
    machine.claim()
    # The first sample is taken at once, the next one five seconds later.
    machine.tell("overall_progress", current=12.5, total=100)
    machine.simulate(1)
    # The log and the plots of the run are there without anyone asking.
    expect(page.locator("#log li").first).to_contain_text("Processing Simulation 1/2")
    expect(page.locator("[data-chart=progress] .grid")).to_be_visible()
    expect(page.locator("[data-chart=progress] output")).to_contain_text("GOLIAT says 12 %")
    expect(page.locator(".run-panel")).to_contain_text("12 %")
    expect(page.locator(".run-panel")).to_contain_text("1 of 2")


def test_02_what_its_machine_does_now_is_seen(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/workers/{machine.id}")
    machine.beat(VITALS)
    gpu = page.locator(".gauge").filter(has_text="GPU").first
    expect(gpu).to_contain_text("93 %")
    drawn = gpu.locator(".bar").evaluate(
        "(bar) => bar.querySelector('.fill').getBoundingClientRect().width / bar.getBoundingClientRect().width"
    )
    assert drawn == pytest.approx(0.93, abs=0.01)
    expect(page.locator(".gauge").filter(has_text="GPU temp.")).to_contain_text("71 °C")
    expect(page.locator(".gauge").filter(has_text="Disk free")).to_contain_text("200 GB")
    machine.beat({**VITALS, "gpu": 12.0})
    expect(gpu).to_contain_text("12 %")


def test_03_log_lines_and_curves_go_on_by_themselves(screen: Screen, machine: Machine) -> None:
    began = time.time() - 600
    machine.past_samples("vitals", [(began + 10 * i, {"cpu": float(i), "gpu": 90.0}) for i in range(59)])
    page = screen.open(f"/workers/{machine.id}")
    load = page.locator("[data-chart=load]")
    expect(load.locator("output")).to_contain_text("CPU 58 %")
    machine.say("    - Voxelising, 48.2 million cells")
    expect(page.locator("#log li").last).to_contain_text("48.2 million cells")
    machine.past_samples("vitals", [(time.time(), {"cpu": 77.0, "gpu": 90.0})])
    machine.beat(VITALS)
    expect(load.locator("output")).to_contain_text("CPU 77 %", timeout=15_000)
    assert load.evaluate("(figure) => figure.chart.samples.columns.cpu.at(-1)") == 77


def test_03b_beside_its_plots_nothing_is_cut(screen: Screen, browser: Browser, machine: Machine) -> None:
    page = screen.open(f"/workers/{machine.id}")
    page.set_viewport_size({"width": 1440, "height": 900})
    wrap, follow = (place(page.locator(f"[data-do={name}]")) for name in ("wrap", "follow"))
    assert wrap["y"] == follow["y"], "all tools stand in one row"
    for _ in range(3):
        machine.say(f"[PROGRESS]: 2% [1000/50000] Time Update @ {'of a very long line ' * 12}")
    badge = page.locator("#log li > b").last
    expect(badge).to_have_text("repeated 3 times")
    seen = "(it) => it.getBoundingClientRect().right <= document.querySelector('#log').getBoundingClientRect().right"
    assert badge.evaluate(seen)
    for width in (1440, 600, 360):
        page.set_viewport_size({"width": width, "height": 900})
        for stage in ("Extracting Results", "Running Simulation"):
            machine.tell("stage_progress", name=stage, current=1, total=2)
            name = page.locator(".gauge .clip", has_text=f"Stage {stage}")
            expect(name).to_be_visible()
            assert name.evaluate("(it) => [it.scrollWidth <= it.clientWidth, it.scrollHeight <= it.clientHeight]") == [
                True, True,
            ], (width, stage)  # fmt: skip
    # On a phone, where lines wrap, a text begins beside its number and away from the frame.
    narrow = browser.new_context(viewport={"width": 360, "height": 740})
    phone = Screen(narrow, screen.url).open(f"/workers/{machine.id}")
    places = phone.locator("#log li", has_text="very long line").last.evaluate(
        """(it) => ["i", "span"].map((kind) => it.querySelector(kind).getClientRects()[0])
          .map(({ left, top }) => [left - document.querySelector("#log").getBoundingClientRect().left, top])"""
    )
    (left, above), (_, beside) = places
    assert left >= 8
    assert abs(above - beside) < 4
    narrow.close()


def test_04_the_tabs_tell_of_machine_sessions_and_runs(screen: Screen, machine: Machine) -> None:
    machine.open_session()
    page = screen.open(f"/workers/{machine.id}#machine")
    expect(page.locator("#machine")).to_contain_text("NVIDIA GeForce RTX 4090")
    expect(page.locator("#machine")).to_contain_text("Windows 10")
    page.locator(".tabs").get_by_role("link", name="Sessions").click()
    expect(page.locator("#sessions tbody tr")).to_have_count(2)
    page.locator(".tabs").get_by_role("link", name="Runs").click()
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    page.locator("#runs").get_by_role("link", name="far-field-700").click()
    page.wait_for_url(f"**/runs/{machine.run}")


def test_05_pause_resume_and_drain(screen: Screen, machine: Machine, server: Server) -> None:
    page = screen.open(f"/workers/{machine.id}")
    asked = dialog(page, "Pause", "Pause win10-rtx4090?")
    expect(asked).to_contain_text("It claims nothing new until it is resumed. The run at hand goes on.")
    asked.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert wish(server, machine) == "paused"
    assert machine.beat().wish == "paused"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    assert machine.beat().wish == "active"
    asked = dialog(page, "Drain", "Drain win10-rtx4090?")
    # Red is for what loses something.
    expect(asked.get_by_role("button", name="Drain")).not_to_have_css("background-color", RED)
    asked.get_by_role("button", name="Drain").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    assert machine.beat().wish == "draining"


def test_06_stop_after_this_one_and_a_new_name(screen: Screen, machine: Machine, server: Server) -> None:
    page = screen.open(f"/workers/{machine.id}")
    asked = dialog(page, "Stop after this one", "Stop the agent of win10-rtx4090?")
    asked.get_by_role("button", name="Stop after this one").click()
    expect(page.locator("main")).to_contain_text("Its agent ends itself when this run is delivered.")
    assert machine.beat().wish == "stopping"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    asked = dialog(page, "Rename", "Rename win10-rtx4090")
    asked.get_by_role("textbox", name="Name").fill("<b>lab</b> 4090")
    asked.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("<b>lab</b> 4090")


def test_07_the_page_turns_to_the_next_run(screen: Screen, machine: Machine) -> None:
    page = screen.open(f"/workers/{machine.id}#runs")
    first = machine.run
    machine.began(9000)
    machine.end(exit_code=1)
    expect(page.locator("main")).to_contain_text("Last run")
    machine.claim()
    assert machine.run != first
    machine.simulate(1)
    machine.say("a line of the second run")
    expect(page.locator(f".replica[data-run='{machine.run}']")).to_be_visible()
    expect(page.locator("#log")).to_contain_text("a line of the second run")
    expect(page.locator("#runs tbody tr")).to_have_count(2)
    expect(page.locator(".tabs [aria-current]")).to_have_text("Runs")


def test_08_a_bare_client_shows_why_it_has_no_load(screen: Screen, server: Server) -> None:
    server.heartbeat("203.0.113.7", "lab-bare")
    server.gui("203.0.113.7", type="sim_details", count=1, total=3, details="duke, 900MHz, by_cheek_tragus_cheek_base")
    worker = next(it for it in server.get("/api/workers") if it["hostname"] == "lab-bare")
    page = screen.open(f"/workers/{worker['id']}")
    expect(page.locator(".run-panel")).to_contain_text("1 of 3")
    expect(page.locator("[data-chart=load] .plot p")).to_contain_text("reports no load")
    expect(page.get_by_role("button", name="Stop after this one")).to_have_count(0)
    page.locator(".tabs").get_by_role("link", name="Sessions").click()
    expect(page.locator("#sessions")).to_contain_text("Only agents have sessions.")


def test_08b_the_agent_of_an_idle_worker_is_stopped(screen: Screen, server: Server) -> None:
    idle = Machine(server, "win10-idle")
    page = screen.open(f"/workers/{idle.id}")
    asked = dialog(page, "Stop the agent", "Stop the agent of win10-idle?")
    expect(asked).to_contain_text("It ends itself now. To use the machine again, start the agent on it.")
    asked.get_by_role("button", name="Cancel").click()
    assert wish(server, idle) == "active"
    asked = dialog(page, "Stop the agent", "Stop the agent of win10-idle?")
    asked.get_by_role("button", name="Stop the agent").click()
    expect(page.locator(".sentence").first).to_have_text("Its agent ends itself.")
    assert idle.beat().wish == "stopping"
    idle.close()


def test_09_removing_a_worker_names_what_is_lost(screen: Screen, machine: Machine, server: Server) -> None:
    machine.began(7200)
    machine.beat(VITALS)
    run = machine.run
    page = screen.open(f"/workers/{machine.id}")
    asked = dialog(page, "Remove", "Remove <b>lab</b> 4090?")
    expect(asked).to_contain_text("Its run is given up as lost: 2.0 GPU h are lost; uploaded results stay.")
    asked.get_by_role("button", name="Cancel").click()
    assert wish(server, machine) == "active"
    asked = dialog(page, "Remove", "Remove <b>lab</b> 4090?")
    expect(asked.get_by_role("button", name="Remove")).to_have_css("background-color", RED)
    asked.get_by_role("button", name="Remove").click()
    page.wait_for_url("**/workers")
    assert server.get(f"/api/runs/{run}")["run"]["state"] == "lost"
    assert machine.id not in [it["id"] for it in server.get("/api/workers")]

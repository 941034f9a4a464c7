"""The page of a super study and the list of studies, as a person uses them, with agents behind.

The tests build on each other, in their order.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.pages.accessibility import problems
from tests.pages.conftest import CONFIG, Screen, Server, place
from tests.pages.phone import two_lines
from tests.support.agent import Agent

WIDE: dict[str, Any] = {**CONFIG, "phantoms": ["thelonious", "duke"], "frequencies_mhz": [700, 900, "700+2450"]}
TROUBLE = "ERROR: material 'Skin' is missing from the database"
TABS = ("assignments", "gantt", "matrix", "burn-up", "results", "config", "events")
expect.set_options(timeout=8000)


class Scene:
    """What the tests share: six assignments of two simulations each, two agents and a silent claim.

    #0 completed at once. #1 failed on the first agent, then #2 with the same text on the second: nothing is tried
    again. #3 has one simulation proven and one under way, #4 its first. #5 was claimed by a machine that spoke under
    another address.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        parts = [(phantom, frequency) for phantom in WIDE["phantoms"] for frequency in WIDE["frequencies_mhz"]]
        study = server.post(
            "/api/super-studies",
            {
                "name": "children",
                "description": "Two children, three bands",
                "baseConfig": WIDE,
                "assignments": [
                    {"splitConfig": {**WIDE, "phantoms": [phantom], "frequencies_mhz": [frequency]}}
                    for phantom, frequency in parts
                ],
                "requirements": ["vram>=12"],
            },
        )
        self.id: str = study["id"]
        self.parts: list[str] = [it["id"] for it in study["assignments"]]
        self.one, self.two = Agent(server.url, "gpu-one"), Agent(server.url, "gpu-two")
        self.agents = [self.one, self.two]
        self.one.claim()
        self.one.simulate(0, 2)
        self.one.simulate(1, 2)
        self.one.upload(1, "verbose.log", b"x" * 3000)
        assert self.one.end() == "succeeded"
        for agent in (self.one, self.two):
            agent.claim()
            agent.say(TROUBLE, level="error")
            assert agent.end(1) == "failed"
        self.two.claim()
        self.two.simulate(0, 2)
        self.two.simulate(1, 2, done=False)
        self.one.claim()
        self.one.simulate(0, 2, done=False)
        server.heartbeat("10.0.0.4", "lab-4")
        self.silent = server.claim(self.parts[5], "10.0.0.4")
        server.heartbeat("10.8.0.9", "lab-4")
        server.gui("10.8.0.9", type="sim_details", count=1, total=2, details="duke, 700+2450MHz, x_pos, theta")

    def path(self, rest: str = "") -> str:
        """An address of this study."""
        return f"/studies/{self.id}{rest}"


@pytest.fixture(scope="module")
def scene(server: Server) -> Iterator[Scene]:
    made = Scene(server)
    yield made
    for agent in made.agents:
        agent.close()


@pytest.fixture
def plain(browser: Browser, server: Server) -> Iterator[Page]:
    """A browser without JavaScript."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(8000)
    yield page
    context.close()


def row(page: Page, index: int) -> Locator:
    return page.locator(f"#a-{index}")


def cells(line: Locator) -> list[str]:
    return [" ".join(text.split()) for text in line.locator("th, td").all_inner_texts()]


def settled(page: Page) -> Page:
    expect(page.locator("#connection")).to_have_text("Live")
    return page


def test_01_the_list_tells_state_progress_and_failures(screen: Screen, scene: Scene) -> None:
    scene.server.study("idle-one", parts=3)
    page = settled(screen.open("/studies"))
    line = page.locator(f"#s-{scene.id}")
    expect(line).to_contain_text("Running")
    expect(line).to_contain_text("1 / 6")
    expect(line.locator("[data-label=Failed]")).to_have_text("1")
    names = page.locator("tbody th.name a")
    expect(names).to_have_text(["idle-one", "children"])
    page.get_by_role("link", name="Study", exact=True).click()
    expect(names).to_have_text(["children", "idle-one"])
    page.get_by_role("link", name="1 waiting").click()
    expect(names).to_have_text(["idle-one"])
    assert "sort=name" in page.url, "a filter keeps the order"


def test_01_on_a_phone_what_needs_a_look_has_two_lines_a_row(browser: Browser, scene: Scene) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, scene.server.url)
    page = settled(screen.open(scene.path()))
    two_lines(page, "#attention table", "needs a look")
    expect(page.locator("#failed-2").get_by_role("link", name="log L")).to_be_visible()
    # The longest of its kind is read as a whole, for its row has no third line.
    then = row(page, 1).locator("td.a23")
    expect(then).to_contain_text("Failed, try 2 is due")
    then.locator(".small .state > span").evaluate("(it) => (it.textContent = 'Finished with errors, try 2 is due')")
    assert then.evaluate("(it) => it.scrollWidth <= it.clientWidth")
    buttons = [page.get_by_role("button", name=name) for name in ("Retry 1", "Resume", "Add worker")]
    boxes = [place(it) for it in (*buttons, page.locator("#study-more summary"))]
    assert len({round(it["y"]) for it in boxes}) == 1, "what can be done is one line"
    offer = page.locator(f"[id^='offer-{scene.silent}-']")
    join = offer.get_by_role("button", name="This run is that machine's")
    expect(join).to_be_hidden()
    offer.get_by_text("More about").click()
    expect(join).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert problems(page) == []
    page.goto(scene.server.url)
    two_lines(page, "#needs table", "needs a person")
    context.close()
    assert not screen.complaints


def test_02_the_head_says_how_it_is_and_who_is_needed(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path()))
    expect(page.get_by_role("heading", level=1)).to_have_text("children")
    expect(page.locator("#finish")).to_contain_text("1 of 6 assignments completed, 3 of 12 simulations proven.")
    expect(page.locator(".notice")).to_contain_text("Nothing of it is tried again")
    failed = page.locator("#failed-2")
    expect(failed).to_contain_text("1 try on 1 worker")
    failed.get_by_role("link", name="log L1").click()
    expect(page.locator("#L1")).to_contain_text(TROUBLE)


def test_03_every_row_tells_what_its_assignment_does(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path("/assignments")))
    assert cells(row(page, 0)) == [
        "#0", "Completed", "thelonious · 700 MHz · 2 plane waves", "gpu-one", "1", "100 %", "\N{EN DASH}", "2 / 2",
    ]  # fmt: skip
    expect(row(page, 1)).to_contain_text("Failed, try 2 is due")
    expect(row(page, 2)).to_contain_text("Failed")
    assert cells(row(page, 3))[-1] == "1 / 2"
    expect(row(page, 5)).to_contain_text("Assigned")
    page.get_by_role("navigation", name="Study")
    page.get_by_role("link", name="2 running").click()
    expect(page.locator("tr[id^=a-]")).to_have_count(2)
    assert page.locator("tr[id^=a-]").evaluate_all("rows => rows.map(row => row.id)") == ["a-3", "a-4"]


def test_04_an_open_row_says_why_it_waits_and_which_keys_differ(plain: Page, scene: Scene) -> None:
    plain.goto(scene.server.url + scene.path("/assignments"))
    plain.get_by_role("link", name="#1, open").click()
    detail = plain.locator("#detail-1")
    expect(detail).to_contain_text("Why is this not running?")
    expect(detail.locator(".unmet")).to_contain_text(["Nothing of its study is tried again", "It is tried again from"])
    expect(detail.locator(".met").first).to_contain_text("It is pending.")
    keys = detail.locator(".changes tbody tr")
    assert [cells(it) for it in keys.all()] == [
        ["phantoms", '["thelonious", "duke"]', '["thelonious"]'],
        ["frequencies_mhz", '[700, 900, "700+2450"]', "[900]"],
    ]
    attempts = detail.locator("table").first.locator("tbody tr")
    expect(attempts).to_have_count(1)
    expect(attempts).to_contain_text("gpu-one")
    plain.get_by_role("link", name="#1, close").click()
    expect(plain.locator("#detail-1")).to_have_count(0)


def test_05_the_numbers_of_the_matrix_add_up_and_lead_to_the_assignments(plain: Page, scene: Scene) -> None:
    plain.goto(scene.server.url + scene.path("/matrix"))
    lines = plain.locator("#matrix tbody tr").all()
    shown = [[tuple(map(int, it)) for it in re.findall(r"(\d+)/(\d+)", line.inner_text())] for line in lines]
    foot = re.findall(r"(\d+)/(\d+)", plain.locator("#matrix tfoot").inner_text())
    for *own, total in shown:
        assert (sum(it[0] for it in own), sum(it[1] for it in own)) == total
    for nth, column in enumerate(zip(*shown, strict=True)):
        assert (sum(it[0] for it in column), sum(it[1] for it in column)) == tuple(map(int, foot[nth]))
    assert foot[-1] == ("3", "12")
    expect(plain.locator("#matrix tbody tr").first.locator("td").nth(2)).to_have_text("0/2 2 failed")
    plain.get_by_role("link", name="0/2 2 failed").click()
    expect(plain.locator("tr[id^=a-]")).to_have_count(1)
    expect(row(plain, 2)).to_contain_text("700+2450 MHz")


def test_06_retry_asks_says_what_follows_and_queues_again(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path()))
    page.get_by_role("button", name="Retry 1").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("Retry 1 failed assignment?")
    expect(dialog).to_contain_text("Only what is missing of each is computed")
    dialog.get_by_role("button", name="Leave as is").click()
    assert scene.server.get(f"/api/assignments/{scene.parts[2]}")["state"] == "FAILED"
    page.get_by_role("button", name="Retry 1").click()
    dialog.get_by_role("button", name="Retry 1").click()
    expect(row(page, 2)).to_contain_text("Pending")
    expect(page.get_by_role("button", name="Retry 1")).to_have_count(0)
    expect(page.locator(".notice")).to_have_count(0)
    assert scene.server.get(f"/api/assignments/{scene.parts[2]}")["state"] == "PENDING"


def test_07_a_retried_part_shows_both_attempts_in_its_lane(screen: Screen, scene: Scene) -> None:
    # On a slow machine the pause of #1 is over by now, and the first gets that.
    for name in ("gpu-three", "gpu-four"):
        third = Agent(scene.server.url, name)
        scene.agents.append(third)
        job = third.claim()
        if job.index != 1:
            break
    assert (job.index, job.attempt) == (2, 2)
    third.simulate(0, 2, done=False)
    tries = {it["attempt"]: it for it in scene.server.get(f"/api/runs?assignmentId={scene.parts[2]}")}
    page = settled(screen.open(scene.path("/gantt?by=assignment")))
    first, second = (page.locator(f"[data-run='{tries[n]['id']}']") for n in (1, 2))
    expect(first).to_have_class("box bad again")
    expect(second).to_have_class("box run")
    left, right = place(first), place(second)
    # A hatched bar has an outline.
    assert abs(left["y"] - right["y"]) < 2, "one after the other in the lane of #2"
    assert left["x"] + left["width"] <= right["x"] + 1
    expect(page.locator(".legend")).to_contain_text("expected, at least")
    now = place(page.locator(".gantt line.now"))
    assert abs(right["x"] + right["width"] - now["x"]) < 3, "what runs reaches to now"
    page.get_by_role("link", name="worker", exact=True).click()
    boxes = [place(page.locator(f"[data-run='{tries[n]['id']}']")) for n in (1, 2)]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) > 10, "on two workers"
    table = page.locator("#attempts")
    expect(table.locator(f"#t-{tries[1]['id']}")).to_contain_text("Failed, tried again")
    expect(table.locator(f"#t-{tries[2]['id']}")).to_contain_text(name)


def test_08_results_are_counted_and_can_be_downloaded(plain: Page, scene: Scene) -> None:
    plain.goto(scene.server.url + scene.path("/results"))
    assert cells(plain.locator("#f-0"))[3:5] == ["2 of 2", "3"]
    assert cells(plain.locator("#f-3"))[3:5] == ["1 of 2", "1"]
    plain.get_by_role("link", name="#0, files, open").click()
    with plain.expect_download() as found:
        plain.locator("#files-0").get_by_role("link", name="verbose.log").click()
    assert Path(found.value.path()).read_bytes() == b"x" * 3000


def test_09_the_config_folds_and_each_difference_is_exact(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path("/config")))
    inner = page.locator("#base .json code", has_text="polarizations")
    expect(inner).to_be_hidden()
    page.locator("#base summary", has_text="environmental").first.click()
    expect(inner).to_be_visible()
    differs = page.locator("#differs #d-4 td div code").locator("xpath=self::code[b]")
    expect(differs).to_have_text(['phantoms ["duke"]', "frequencies_mhz [900]"])
    study = scene.server.get(f"/api/super-studies/{scene.id}")
    with page.expect_download() as found:
        page.locator("#base").get_by_role("link", name="Download").click()
    assert Path(found.value.path()).read_text().replace(" ", "").startswith('{\n"study_type":"far_field"')
    assert scene.server.get(f"/api/super-studies/{scene.id}/config") == study["baseConfig"]


def test_10_events_are_newest_first_and_filtered(plain: Page, scene: Scene) -> None:
    plain.goto(scene.server.url + scene.path("/events"))
    everything = plain.locator("#events tbody tr")
    expect(everything.last).to_contain_text("Study created")
    expect(everything.filter(has_text="Run failed")).to_have_count(2)
    plain.get_by_role("link", name="by people").click()
    expect(plain.locator("#events tbody tr")).to_have_count(4)
    expect(plain.locator("#events")).to_contain_text("Study retry")
    expect(plain.locator("#events")).not_to_contain_text("Run claimed")


def test_11_a_stranger_is_offered_and_one_click_joins_it(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path()))
    offer = page.locator(f"[id^='offer-{scene.silent}-']")
    expect(offer).to_contain_text("it computes a simulation of this assignment")
    expect(row(page, 5)).to_contain_text("Assigned")
    offer.get_by_role("button", name="This run is that machine's").click()
    expect(offer).to_have_count(0)
    expect(row(page, 5)).to_contain_text("Running")
    assert cells(row(page, 5))[3:5] == ["lab-4", "2"]
    part = scene.server.get(f"/api/assignments/{scene.parts[5]}")
    assert (part["state"], part["worker"]["machineId"]) == ("RUNNING", "10.8.0.9")


def test_12_the_command_to_add_a_worker_gets_a_fresh_token_that_works_once(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path()))
    page.get_by_role("button", name="Add worker").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("vram>=12")
    code = dialog.locator(".command:visible code")
    expect(code).to_contain_text(f"agent --server {scene.server.url} --token ONE_TIME_TOKEN")
    # Who copies without having asked for a token gets one all the same.
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    expect(code).not_to_contain_text("ONE_TIME_TOKEN")
    assert page.evaluate("navigator.clipboard.readText()") == code.inner_text()
    dialog.get_by_role("button", name="Make a token for one machine").click()
    expect(code).not_to_have_text(page.evaluate("navigator.clipboard.readText()"))
    told = re.search(r"--token (\S+)$", code.inner_text())
    assert told is not None
    dialog.get_by_role("button", name="PowerShell").click()
    expect(dialog.locator(".command:visible code")).to_contain_text(
        f"Scripts\\goliat-monitoring agent --server {scene.server.url} --token {told[1]}"
    )
    enrol = {"fingerprint": {"machineId": "new", "hostname": "new", "bootId": "b"}, "facts": {}}
    headers = {"Authorization": f"Bearer {told[1]}"}
    first = scene.server.api.post("/api/agent/v1/enrol", json=enrol, headers=headers)
    assert first.status_code == 200, first.text
    # A credential that was just used is remembered for a moment.
    time.sleep(2.1)
    again = scene.server.api.post("/api/agent/v1/enrol", json=enrol, headers={**headers, "Origin": scene.server.url})
    assert again.status_code != 200 or again.json()["workerId"] != first.json()["workerId"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_13_every_tab_is_accessible_in_both_themes(browser: Browser, scene: Scene, theme: Any) -> None:
    context = browser.new_context(color_scheme=theme)
    page = context.new_page()
    for path in ("/studies", *(scene.path(f"/{tab}?open=1") for tab in TABS)):
        page.goto(scene.server.url + path)
        settled(page)
        assert problems(page) == [], path
    context.close()


def test_14_nothing_is_wider_than_a_phone_and_the_gantt_is_its_table(browser: Browser, scene: Scene) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 760})
    page = context.new_page()
    for path in ("/studies", *(scene.path(f"/{tab}?open=1") for tab in TABS)):
        page.goto(scene.server.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        if path.endswith("gantt?open=1"):
            expect(page.locator(".gantt")).to_be_hidden()
            expect(page.locator("#attempts tbody tr").first).to_be_visible()
            expect(page.get_by_role("link", name="assignment", exact=True)).to_be_hidden()
            zooms = page.locator(".choices a:visible").evaluate_all("(all) => all.map((it) => it.offsetTop)")
            assert len(zooms) == 5
            assert len(set(zooms)) == 1, "beside their label"
    context.close()


def test_15_cancel_asks_and_names_how_many_runs(screen: Screen, scene: Scene) -> None:
    page = settled(screen.open(scene.path()))
    page.locator("#study-more summary").click()
    page.get_by_role("button", name="Cancel 4 runs").click()
    dialog = page.locator("dialog[open]")
    expect(dialog.get_by_role("heading")).to_have_text("Cancel 4 runs?")
    expect(dialog).to_contain_text("GPU h of unfinished simulations are lost")
    expect(dialog).to_contain_text("1 waiting assignment is never begun.")
    expect(dialog).to_contain_text("Uploaded results stay.")
    expect(dialog).to_contain_text("1 run without an agent")
    dialog.get_by_role("button", name="Keep running").click()
    assert scene.server.get(f"/api/super-studies/{scene.id}")["state"] == "running"
    # The menu closed behind the choice, and the focus is back on it.
    expect(page.locator("#study-more summary")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Cancel 4 runs").click()
    dialog.get_by_role("button", name="Cancel 4 runs").click()
    expect(page.locator(".head")).to_contain_text("Cancelled")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    assert scene.server.get(f"/api/super-studies/{scene.id}")["state"] == "cancelled"

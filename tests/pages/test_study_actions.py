"""What a person may do to a study and to its assignments: each is clicked, seen, and done by the server.

The tests build on each other, in their order.
"""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.pages.conftest import Screen, Server
from tests.pages.machines import micros, rewrite
from tests.support.agent import Agent
from tests.support.studies import CONFIG

NAME = "family"
WIDE = {**CONFIG, "frequencies_mhz": [450, 700, 900, 1450, 2140, 2450]}
expect.set_options(timeout=8000)


class Scene:
    """Six assignments of two simulations. #0 is completed, #1 and #2 run, #3 to #5 wait."""

    def __init__(self, server: Server) -> None:
        self.server = server
        parts = [{"splitConfig": {**WIDE, "frequencies_mhz": [it]}} for it in WIDE["frequencies_mhz"]]
        study = server.post("/api/super-studies", {"name": NAME, "baseConfig": WIDE, "assignments": parts})
        self.id: str = study["id"]
        self.parts: list[str] = [it["id"] for it in study["assignments"]]
        self.one, self.two = Agent(server.url, "gpu-one"), Agent(server.url, "gpu-two")
        self.one.claim()
        self.one.simulate(0, 2)
        self.one.simulate(1, 2)
        assert self.one.end() == "succeeded"
        for agent in (self.one, self.two):
            agent.claim()
            agent.simulate(0, 2, done=False)

    @property
    def state(self) -> str:
        return str(self.server.get(f"/api/super-studies/{self.id}")["state"])

    def assignment(self, index: int) -> str:
        """The state of an assignment."""
        return str(self.server.get(f"/api/assignments/{self.parts[index]}")["state"])

    def open(self, screen: Screen, rest: str = "") -> Page:
        """A page of the study, live."""
        page = screen.open(f"/studies/{self.id}{rest}")
        expect(page.locator("#connection")).to_have_text("Live")
        return page


@pytest.fixture(scope="module")
def scene(server: Server) -> Iterator[Scene]:
    made = Scene(server)
    yield made
    made.one.close()
    made.two.close()


def asked(page: Page, button: str) -> Locator:
    """The question that a button asks; what is done seldom stands in a menu."""
    found = page.get_by_role("button", name=button, exact=True)
    if not found.is_visible():
        page.locator("#study-more summary").click()
    found.click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible()
    return dialog


def test_01_pause_and_resume(screen: Screen, scene: Scene) -> None:
    page = scene.open(screen)
    dialog = asked(page, "Pause")
    expect(dialog).to_contain_text("2 runs go on. Nothing more is given out until you resume: 3 assignments wait.")
    dialog.get_by_role("button", name="Go on").click()
    assert scene.state == "running"
    asked(page, "Pause").get_by_role("button", name="Pause").click()
    expect(page.locator(".head")).to_contain_text("Paused")
    assert scene.state == "paused"
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".head")).to_contain_text("Running")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    assert scene.state == "running"


def test_02_priority(screen: Screen, scene: Scene) -> None:
    page = scene.open(screen)
    dialog = asked(page, "Priority 0")
    expect(dialog).to_contain_text("What runs goes on.")
    dialog.get_by_label("Priority").fill("7")
    dialog.get_by_role("button", name="Set priority").click()
    expect(page.locator(".spend")).to_contain_text("priority 7")
    assert scene.server.get(f"/api/super-studies/{scene.id}")["priority"] == 7


def test_03_results_and_the_config_are_taken_away_whole(screen: Screen, scene: Scene) -> None:
    screen.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = scene.open(screen, "/config")
    page.locator("#study-more summary").click()
    with page.expect_download() as found:
        page.get_by_role("link", name="Download results").click()
    names = zipfile.ZipFile(Path(found.value.path())).namelist()
    assert len([name for name in names if name.endswith("sar_results.json")]) == 2
    page.get_by_text("As text, to copy").click()
    page.locator("#config-text").get_by_role("button", name="Copy").click()
    expect(page.locator("#config-text").get_by_role("button", name="Copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == WIDE


def test_04_a_run_is_stopped_from_its_row_and_so_is_its_worker(screen: Screen, scene: Scene) -> None:
    page = scene.open(screen, "/assignments?open=1")
    tries = page.locator("#tries")
    tries.get_by_role("button", name="Stop", exact=True).click()
    dialog = page.get_by_role("dialog", name="Stop try 1 of #1?")
    expect(dialog).to_contain_text("Uploaded results stay; the assignment then waits for a person.")
    dialog.get_by_role("button", name="Keep running").click()
    assert scene.one.job is not None
    run = f"/api/runs/{scene.one.job.run_id}"
    assert scene.server.get(run)["run"]["directive"] == "continue"
    tries.get_by_role("button", name="Stop", exact=True).click()
    dialog.get_by_role("button", name="Stop this run").click()
    expect(dialog).to_be_hidden()
    assert scene.server.get(run)["run"]["directive"] == "stop"
    tries.get_by_role("button", name="Stop after this").click()
    dialog = page.get_by_role("dialog", name="Stop gpu-one after this one?")
    dialog.get_by_role("button", name="Stop after this one").click()
    expect(dialog).to_be_hidden()
    assert scene.server.get(f"/api/workers/{scene.one.worker_id}")["worker"]["wish"] == "stopping"
    tries.get_by_role("link", name="gpu-one").click()
    expect(page.locator("main")).to_contain_text("Its agent ends itself when this run is delivered.")


def test_05_an_assignment_is_cancelled_and_queued_again(screen: Screen, scene: Scene) -> None:
    page = scene.open(screen, "/assignments?open=5")
    page.get_by_role("button", name="Cancel #5").click()
    dialog = page.get_by_role("dialog", name="Cancel #5?")
    expect(dialog).to_contain_text("It is taken out of the study; uploaded results stay. It can be queued again.")
    dialog.get_by_role("button", name="Keep it").click()
    assert scene.assignment(5) == "PENDING"
    page.get_by_role("button", name="Cancel #5").click()
    dialog.get_by_role("button", name="Cancel #5").click()
    expect(page.locator("#a-5")).to_contain_text("Cancelled")
    assert scene.assignment(5) == "CANCELLED"
    page.get_by_role("button", name="Queue #5 again").click()
    expect(page.locator("#a-5")).to_contain_text("Pending")
    expect(page.get_by_role("button", name="Queue #5 again")).to_have_count(0)
    assert scene.assignment(5) == "PENDING"


def test_06_a_run_that_is_not_heard_is_given_up_from_its_row(screen: Screen, scene: Scene) -> None:
    assert scene.two.job is not None
    run = scene.two.job.run_id
    # Leases do not end in the first minutes of a server.
    rewrite(scene.server, "UPDATE runs SET state = 'unreachable', lease_until = ? WHERE id = ?", micros() - 1, run)
    # A change that the server hears of makes the page anew.
    scene.one.say("goes on")
    page = scene.open(screen, "/assignments?open=2")
    expect(page.locator("#a-2")).to_contain_text("Unreachable")
    tries = page.locator("#tries")
    tries.get_by_role("button", name="Give up").click()
    dialog = page.get_by_role("dialog", name="Give up try 1 of #2?")
    expect(dialog).to_contain_text("gpu-two counts as lost for it and the assignment waits for another worker.")
    dialog.get_by_role("button", name="Wait for it").click()
    assert scene.server.get(f"/api/runs/{run}")["run"]["state"] == "unreachable"
    tries.get_by_role("button", name="Give up").click()
    dialog.get_by_role("button", name="Give up").click()
    expect(tries).to_contain_text("Lost")
    assert scene.server.get(f"/api/runs/{run}")["run"]["state"] == "lost"
    assert scene.assignment(2) == "PENDING"


def test_07_a_worker_that_was_set_aside_is_taken_back(screen: Screen, scene: Scene) -> None:
    rewrite(
        scene.server, "INSERT INTO set_aside VALUES (?, ?, ?, ?, NULL)",
        scene.id, scene.two.worker_id, micros(), "3 of its runs failed",
    )  # fmt: skip
    scene.one.say("still goes on")
    page = scene.open(screen)
    row = page.locator(f"#aside-{scene.two.worker_id}")
    expect(row).to_contain_text("3 of its runs failed; it gets no more of this study since")
    row.get_by_role("button", name="Take back").click()
    expect(row).to_have_count(0)
    assert scene.server.get(f"/api/workers/{scene.two.worker_id}")["worker"]["setAside"] == []


def test_08_what_waits_is_split_again(screen: Screen, scene: Scene) -> None:
    page = scene.open(screen)
    dialog = asked(page, "Split again")
    expect(dialog).to_contain_text("4 waiting assignments are replaced by others of the same missing simulations")
    dialog.get_by_label("Assignments, at least").fill("8")
    dialog.get_by_role("button", name="Split again").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".numbers")).to_contain_text("8 pending")
    parts = scene.server.get(f"/api/super-studies/{scene.id}/assignments")
    assert sum(it["state"] == "PENDING" for it in parts) == 8


def test_09_what_is_missing_becomes_a_study_which_is_deleted_again(screen: Screen, scene: Scene) -> None:
    page = scene.open(screen, "/assignments?state=PENDING")
    first = page.locator("tr[id^=a-]").first
    index = str(first.get_attribute("id")).removeprefix("a-")
    first.get_by_role("link", name=f"#{index}, open").click()
    page.get_by_role("button", name=f"Cancel #{index}").click()
    page.locator("dialog[open]").get_by_role("button", name=f"Cancel #{index}").click()
    dialog = asked(page, "Study of what is missing")
    expect(dialog).to_contain_text("the simulations that 1 failed or cancelled assignment lacks. This study stays")
    expect(dialog.get_by_label("Name")).to_have_value(f"{NAME}-missing")
    dialog.get_by_role("button", name="Create study").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{NAME}-missing")
    made = page.url.rpartition("/")[2]
    assert len(scene.server.get(f"/api/super-studies/{made}")["assignments"]) == 1
    expect(page.locator("#finish")).to_contain_text("0 of 1 assignment completed, 0 of")
    dialog = asked(page, "Delete")
    expect(dialog.get_by_role("heading")).to_have_text(f"Delete {NAME}-missing?")
    expect(dialog).to_contain_text("Its 1 assignment, all logs and all result files are deleted for good.")
    dialog.get_by_role("button", name="Keep it").click()
    assert scene.server.api.get(f"/api/super-studies/{made}").status_code == 200
    # Before it is left, the page may hear of the deletion and ask for what is gone.
    screen.tolerant = True
    asked(page, "Delete").get_by_role("button", name="Delete for good").click()
    page.wait_for_url("**/studies")
    expect(page.get_by_role("link", name=NAME, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name=f"{NAME}-missing")).to_have_count(0)
    assert scene.server.api.get(f"/api/super-studies/{made}").status_code == 404
    # What runs is not deleted under its machine.
    page.get_by_role("link", name=NAME, exact=True).click()
    page.locator("#study-more summary").click()
    expect(page.get_by_role("button", name="Priority 7")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)

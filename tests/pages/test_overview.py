"""The overview as an operator reads it: how the fleet is, why, who must act, and three clicks to the cause."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.accessibility import problems
from tests.pages.conftest import Screen, Server, mark, place, unreloaded
from tests.pages.machines import MINUTE, Machine, fall_silent, micros, rewrite
from tests.pages.phone import two_lines

expect.set_options(timeout=8000)


class Fleet:
    """What the tests share: machines, a study with a failure, and who is in trouble."""

    def __init__(self, server: Server) -> None:
        self.study = server.study("near-field-phone", parts=6)
        self.works, self.silent, self.full = (Machine(server, name) for name in ("works", "silent", "full"))
        self.bad = Machine(server, "bad-disk")
        for machine in (self.works, self.silent, self.bad):
            machine.claim()
        self.works.tell(type="sim_details", count=1, total=2, details="thelonious, 700MHz, x_pos, theta")
        self.works.tell(type="stage_progress", name="Run", current=50, total=100)
        self.works.beat(gpu=93.0)
        self.bad.say("Loading the phantom", "All well so far")
        self.bad.say("ERROR: material 'Skin' is missing", level="error")
        self.failed_run = self.bad.run
        self.bad.end()
        self.bad.beat(skew_s=-200)
        self.full.beat(notes=["disk_low"])
        self.failed = self._fail(server)
        fall_silent(server, self.silent, 14)
        server.api.patch(f"/api/workers/{self.works.id}", json={"pricePerHour": 0.55})
        server.api.patch(f"/api/workers/{self.full.id}", json={"pricePerHour": 0.25})

    def _fail(self, server: Server) -> str:
        """Nothing follows the failure any more; as if it had been tried often enough."""
        assignment = str(server.get(f"/api/runs/{self.failed_run}")["run"]["assignmentId"])
        rewrite(
            server, "UPDATE assignments SET state = 'FAILED', updated_at = ? WHERE id = ?", micros(), assignment
        )  # fmt: skip
        return assignment


@pytest.fixture(scope="module")
def fleet(server: Server) -> Fleet:
    return Fleet(server)


def needs(page: Page) -> dict[str, str]:
    """By what is wrong, the whole row."""
    rows = page.locator("#needs tbody tr")
    return {row.get_attribute("data-state") or "": row.inner_text() for row in rows.all()}


def test_the_sentence_gives_counts_cause_and_consequence(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Working with trouble")
    sentence = page.locator(".sentence")
    expect(sentence).to_contain_text("1 of 4 workers runs; silent was last heard ")
    # 14 minutes ago it was heard, 10 later its lease ended, 20 after that another may have its work.
    expect(sentence).to_contain_text(
        re.compile(r"held near-field-phone #1, which goes to another worker at \d\d:\d\d ")
    )
    heard, offered = (time.get_attribute("datetime") or "" for time in sentence.locator("time").all()[:2])
    assert heard < offered
    expect(sentence).to_contain_text("3 assignments queued")


def test_what_needs_a_person_is_there_newest_first_with_the_way_to_act(
    screen: Screen, server: Server, fleet: Fleet
) -> None:
    page = screen.open("/")
    found = needs(page)
    assert set(found) == {"Failed", "Disk low", "Clock off", "Offline 14 min, was running"}
    assert list(found)[-1] == "Offline 14 min, was running", "the oldest comes last"
    assert "material 'Skin' is missing" in found["Failed"]
    assert "near-field-phone #" in found["Failed"]
    assert "off by 3 min" in found["Clock off"]
    expect(page.locator("#needs h2")).to_have_text("Needs a person 4")
    low = page.locator("#needs tr", has_text="Disk low")
    since = low.locator("time").get_attribute("datetime")
    fleet.full.beat(notes=["disk_low"])
    page.reload()
    assert page.locator("#needs tr", has_text="Disk low").locator("time").get_attribute("datetime") == since


def test_the_cause_is_three_clicks_away(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    page.locator("#needs tr", has_text="Failed").get_by_role("link", name="log L").click()
    assert f"/runs/{fleet.failed_run}#L" in page.url
    expect(page.locator("#log")).to_contain_text("material 'Skin' is missing")


def test_numbers_lead_to_what_they_count(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    for name, path in (("3 online", "show=online"), ("1 running", "show=running"), ("1 offline", "show=offline")):
        link = page.get_by_role("link", name=name, exact=True).first
        expect(link).to_have_attribute("href", f"/workers?{path}")
    expect(page.get_by_role("link", name="1 failed", exact=True)).to_have_attribute("href", "/#needs")
    # A machine that is not heard may be off: it costs nothing that anybody knows of.
    expect(page.get_by_role("link", name="0.80 EUR/h")).to_be_visible()
    expect(page.get_by_role("link", name="0.25 of it idle")).to_be_visible()
    page.get_by_role("link", name="1 without a price").click()
    expect(page.locator("#fleet")).to_contain_text("0.25 EUR")
    expect(page.locator(f"#w-{fleet.full.id}")).to_contain_text("0.25")


def test_a_number_is_marked_where_it_leads(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    page.get_by_role("link", name="3 online", exact=True).click()
    expect(page.locator(".numbers [aria-current]")).to_have_text("3 online")
    expect(page.locator("#fleet tbody tr")).to_have_count(3)
    page.get_by_role("link", name="4 all", exact=True).click()
    expect(page.locator("#fleet tbody tr")).to_have_count(4)
    page.goto(f"{server.url}/workers?show=flagged")
    expect(page.locator(".numbers [aria-current]")).to_have_text("3 flagged or lost")


def test_numbers_stand_side_by_side_where_there_is_room(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    page.set_viewport_size({"width": 1600, "height": 900})
    boxes = [place(it) for it in page.locator(".groups > div").all()]
    assert len(boxes) == 3
    assert len({box["y"] for box in boxes}) == 1
    # Nothing is kept free behind the last number of a group.
    last = place(page.locator(".groups > div:first-child a").last)
    assert boxes[0]["x"] + boxes[0]["width"] == pytest.approx(last["x"] + last["width"], abs=1)


def test_the_worst_worker_is_first_and_a_busy_gpu_is_seen(screen: Screen, server: Server, fleet: Fleet) -> None:
    fleet.works.beat(gpu=93.0)
    page = screen.open("/")
    expect(page.locator("#fleet tbody tr").first).to_contain_text("silent")
    row = page.locator(f"#w-{fleet.works.id}")
    expect(row.get_by_role("img", name=re.compile(r"^GPU 93 % now, 93 % on average of \d+ min$"))).to_be_visible()
    expect(row).to_contain_text("93 %")
    expect(row).to_contain_text("1 / 2")
    expect(page.locator(f"#s-{fleet.study['id']}")).to_contain_text("after first simulation")


def test_a_worker_that_was_set_aside_is_taken_back_here(screen: Screen, server: Server, fleet: Fleet) -> None:
    rewrite(
        server, "INSERT INTO set_aside VALUES (?, ?, ?, ?, NULL)",
        fleet.study["id"], fleet.full.id, micros() - 90 * MINUTE, "3 of its runs failed",
    )  # fmt: skip
    # A change that the server hears of makes the page anew.
    fleet.full.beat(notes=["disk_low"])
    page = screen.open("/")
    mark(page)
    row = page.locator("#needs tr", has_text="Set aside")
    expect(row).to_contain_text(
        "3 of its runs failed. It gets no more of near-field-phone until somebody takes it back."
    )
    expect(row.locator("time")).to_have_text("1 h ago")
    row.get_by_role("button", name="Take back").click()
    expect(row).to_be_hidden()
    assert server.get(f"/api/workers/{fleet.full.id}")["worker"]["setAside"] == []
    assert unreloaded(page)


def test_times_are_the_viewers_or_utc_by_choice(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    heard = page.locator(".sentence time").first
    stamp = heard.get_attribute("datetime") or ""
    zone = page.locator("#zone")
    expect(zone).to_have_text("Europe/Berlin")
    local = heard.inner_text()
    assert local != stamp[11:16]
    zone.click()
    expect(zone).to_have_text("UTC")
    expect(heard).to_have_text(stamp[11:16])
    assert (heard.get_attribute("title") or "").endswith("UTC")
    page.goto(f"{server.url}/workers")
    expect(page.locator("#zone")).to_have_text("UTC")
    page.locator("#zone").click()
    expect(page.locator("td.heard time").first).to_have_attribute("title", re.compile("Europe/Berlin$"))


def test_the_phone_shows_first_what_a_person_must_know(browser: Browser, server: Server, fleet: Fleet) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    screen = Screen(context, server.url)
    page = screen.open("/")
    expect(page.locator("#connection")).to_have_text("Live")
    boxes = [place(page.locator(name).first) for name in (".sentence", "#needs", ".groups", "#fleet")]
    tops = [box["y"] for box in boxes]
    assert len(tops) == 4
    assert tops == sorted(tops)
    row = place(page.locator(f"#w-{fleet.works.id}"))
    assert row["height"] <= 72, "two lines"
    rewrite(
        server, "INSERT OR REPLACE INTO set_aside VALUES (?, ?, ?, ?, NULL)",
        fleet.study["id"], fleet.full.id, micros() - 90 * MINUTE, "3 of its runs failed",
    )  # fmt: skip
    fleet.full.beat(notes=["disk_low"])
    page.reload()
    aside = page.locator("#needs tr", has_text="Set aside")
    expect(aside.get_by_role("button", name="Take back")).to_be_visible()
    two_lines(page, "#needs table", "needs")
    two_lines(page, "#fleet", "workers")
    flagged = page.locator(f"#w-{fleet.full.id}")
    for text in ("full", "Idle", "Disk low", "Set aside"):
        expect(flagged.get_by_text(text, exact=True)).to_be_visible()
    # All of what two lines have cut.
    why = aside.locator(".clip")
    cut = "(it) => it.scrollWidth > it.clientWidth"
    assert why.evaluate(cut)
    aside.get_by_text("More about").click()
    assert not why.evaluate(cut)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert problems(page) == []
    context.close()
    assert not screen.complaints


def test_it_prints_without_controls_and_with_every_word(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".top")).to_be_hidden()
    expect(page.locator("#keys-open")).to_be_hidden()
    expect(page.locator(".sentence")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('#needs .clip')).whiteSpace") == "normal"
    assert page.evaluate("getComputedStyle(document.querySelector('.sentence')).color") == "rgb(24, 32, 42)", (
        "dark on white"
    )


def test_more_of_what_needs_a_person_is_one_click_away(screen: Screen, server: Server, fleet: Fleet) -> None:
    many = server.study("all-failed", parts=25)
    rewrite(
        server, "UPDATE assignments SET state = 'FAILED', updated_at = ? WHERE super_study_id = ?", micros(), many["id"]
    )  # fmt: skip
    # A change that the server hears of makes the page anew.
    fleet.full.beat(notes=["disk_low"])
    page = screen.open("/")
    rows = page.locator("#needs tbody tr")
    expect(rows).to_have_count(20)
    total = int(page.locator("#needs .count").inner_text())
    assert total > 25
    page.get_by_role("link", name="Show more").click()
    expect(rows).to_have_count(total)
    expect(page.get_by_role("link", name="Show more")).to_have_count(0)
    expect(rows.filter(has_text="all-failed #24")).to_have_count(1)
    assert server.api.delete(f"/api/super-studies/{many['id']}").is_success
    expect(rows).to_have_count(total - 25)


def test_an_upgraded_server_makes_open_pages_load_again(screen: Screen, server: Server, fleet: Fleet) -> None:
    page = screen.open("/")
    expect(page.locator("#connection")).to_have_text("Live")
    mark(page)
    screen.tolerant = True
    # As if this page had come from an older build.
    page.evaluate("document.documentElement.dataset.build = 'older'")
    server.stop()
    expect(page.locator("#connection-words")).to_have_text(re.compile(r"^Connection lost. Data as of \d\d:\d\d:\d\d.$"))
    expect(page.locator("#connection-next")).to_have_text(re.compile(r"Next try in \d+ s."))
    server.start()
    expect(page.locator("#connection")).to_have_text("Live", timeout=20_000)
    assert not unreloaded(page)
    assert page.evaluate("document.documentElement.dataset.build") != "older"

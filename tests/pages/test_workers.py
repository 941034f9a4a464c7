"""The list of workers: found, sorted, chosen and acted upon, with the mouse, the keyboard and without a script."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.pages.accessibility import problems
from tests.pages.conftest import RED, Screen, Server, mark, place, unreloaded
from tests.pages.machines import Machine, fall_silent

expect.set_options(timeout=8000)
NAMES = ("alpha", "bravo", "charlie", "delta", "<b>echo</b>")


@pytest.fixture(scope="module")
def machines(server: Server) -> dict[str, Machine]:
    """Five agents: two run, one is silent, two are idle."""
    server.study("near-field-phone", parts=3)
    made = {name: Machine(server, name, "NVIDIA RTX A6000" if name < "c" else "NVIDIA L40S") for name in NAMES}
    for name in ("alpha", "bravo", "delta"):
        made[name].claim()
        made[name].say(f"line of {name}")
    made["bravo"].say("ERROR: retry", level="error")
    for name, gpu in (("alpha", 30.0), ("bravo", 90.0)):
        made[name].beat(gpu=gpu)
    fall_silent(server, made["delta"], 42)
    return made


def names(page: Page) -> list[str]:
    """Of the workers in the order in which they are shown."""
    page.wait_for_load_state("domcontentloaded")
    return page.locator("#fleet tbody th a, #fleet h2 a").all_inner_texts()


def pick(page: Page, machine: Machine) -> None:
    page.locator(f"#pick-{machine.id}").click()


def test_rows_tell_state_work_and_trouble(screen: Screen, machines: dict[str, Machine]) -> None:
    page = screen.open("/workers")
    assert names(page) == ["delta", "bravo", "alpha", "<b>echo</b>", "charlie"], "the worst first"
    row = page.locator(f"#w-{machines['bravo'].id}")
    for text in ("Running", "near-field-phone #1", "RTX A6000", "0 W", "1 E", "ERROR: retry", "90 %", "just now"):
        expect(row).to_contain_text(text)
    silent = page.locator(f"#w-{machines['delta'].id}")
    expect(silent).to_contain_text("Offline 42 min, was running")
    # The second line of a long state begins below its words.
    icon, said = place(silent.locator(".c-state svg")), place(silent.locator(".c-state .state > span"))
    assert icon["x"] + icon["width"] < said["x"]


def test_cards_are_sorted_by_links_and_name_what_they_know(
    browser: Browser, server: Server, machines: dict[str, Machine]
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    screen = Screen(context, server.url)
    page = screen.open("/workers?view=cards")
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.get_by_text("Columns", exact=True)).to_have_count(0)
    sorts = page.locator(".sorts")
    for begin, names_then in (("-use", ["bravo", "alpha"]), ("use", ["alpha", "bravo"])):
        sorts.get_by_role("link", name="GPU, last hour").click()
        assert page.url.endswith(f"?sort={begin}&view=cards")
        assert names(page)[:2] == names_then
    expect(sorts.locator("[aria-current]")).to_have_text("GPU, last hour ↑")
    page.get_by_role("link", name="Worst first").click()
    assert page.url.endswith("/workers?view=cards")
    # The box stands before the name, however long state and name are.
    for name in ("delta", "alpha"):
        card = page.locator(f"#w-{machines[name].id}")
        box, link = place(card.get_by_role("checkbox")), place(card.locator("h2 a"))
        assert box["x"] + box["width"] <= link["x"]
        assert abs(box["y"] + box["height"] / 2 - link["y"] - link["height"] / 2) <= 2
    expect(page.locator(f"#w-{machines['bravo'].id}")).to_contain_text("GPU 90 %")
    expect(page.locator(f"#w-{machines['delta'].id}")).not_to_contain_text("\N{EN DASH}")
    # Cards hold their order under the pointer as rows do.
    page.goto(f"{server.url}/workers?view=cards&sort=name")
    expect(page.locator("#connection")).to_have_text("Live")
    before = names(page)
    page.locator(f"#w-{machines['charlie'].id} .cardhead").hover()
    server.api.patch(f"/api/workers/{machines['alpha'].id}", json={"label": "zulu"})
    expect(page.get_by_role("link", name="zulu", exact=True)).to_be_visible()
    assert names(page) == ["zulu" if name == "alpha" else name for name in before]
    expect(page.get_by_role("button", name="1 moved, reorder")).to_be_visible()
    server.api.patch(f"/api/workers/{machines['alpha'].id}", json={"label": "alpha"})
    context.close()
    assert not screen.complaints


def test_the_address_is_seen_at_every_width(browser: Browser, server: Server, machines: dict[str, Machine]) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    screen = Screen(context, server.url)
    page = screen.open("/workers")
    row = page.locator(f"#w-{machines['bravo'].id}")
    column, below = row.locator(".c-ip"), row.locator(".ip")
    expect(column).to_have_text("127.0.0.1")
    expect(below).to_be_hidden()
    for width in (1399, 1280, 1024, 800, 360):
        page.set_viewport_size({"width": width, "height": 900})
        expect(column).to_be_hidden()
        expect(below).to_be_visible()
        expect(below).to_have_text("127.0.0.1")
        name, line = place(row.locator("th a")), place(below)
        if width == 360:
            assert name["y"] <= line["y"] < name["y"] + name["height"], "beside the name"
        else:
            assert line["y"] >= name["y"] + name["height"] - 2, "under the name"
        if width >= 1280:
            assert page.evaluate(
                "[...document.querySelectorAll('.scroll')].every((it) => it.scrollWidth <= it.clientWidth)"
            ), width
    # What is not asked for is not shown below a name either.
    page.goto(f"{server.url}/workers?columns=gpu")
    expect(page.locator("#fleet .ip")).to_have_count(0)
    context.close()
    assert not screen.complaints


def test_filters_order_columns_and_view_are_links_and_stay(screen: Screen, machines: dict[str, Machine]) -> None:
    page = screen.open("/workers")
    page.get_by_role("link", name="GPU, last hour").click()
    assert names(page)[:2] == ["bravo", "alpha"]
    assert page.url.endswith("?sort=-use")
    page.get_by_role("link", name=re.compile("GPU, last hour")).click()
    assert names(page)[:2] == ["alpha", "bravo"]
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("GPU, last hour")
    page.get_by_role("link", name="2 running").click()
    assert names(page) == ["alpha", "bravo"], "the order stays"
    page.get_by_role("link", name="Cards").click()
    assert names(page) == ["alpha", "bravo"]
    expect(page.locator("#fleet li").first).to_contain_text("line of alpha")
    page.get_by_role("link", name="Table").click()
    page.get_by_text("Columns", exact=True).click()
    for name in ("Address", "Progress", "Last line"):
        page.get_by_label(name, exact=True).uncheck()
    page.get_by_label("GOLIAT says").check()
    page.get_by_role("button", name="Show these").click()
    heads = page.locator("#fleet thead th").all_inner_texts()
    assert "GOLIAT says" in heads
    assert "Progress" not in heads
    assert names(page) == ["alpha", "bravo"]
    page.get_by_label("Find workers").fill("L40s")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_text("None of 5 workers is running and matches “L40s”")).to_be_visible()
    page.goto(screen.url + "/workers?find=l40s")
    assert sorted(names(page)) == ["charlie", "delta"]


def test_what_the_address_does_not_know_is_as_not_said(screen: Screen, machines: dict[str, Machine]) -> None:
    page = screen.open("/workers?show=%3Cscript%3E&sort=-nonsense&columns=evil&view=3d&page=99999")
    assert len(names(page)) == 5
    assert "script" not in page.locator(".numbers").inner_html()


def test_a_selection_is_paused_after_a_question_that_names_the_count(
    screen: Screen, server: Server, machines: dict[str, Machine]
) -> None:
    page = screen.open("/workers")
    mark(page)
    expect(page.locator("#selection")).to_be_hidden()
    pick(page, machines["charlie"])
    pick(page, machines["<b>echo</b>"])
    expect(page.locator("#selection-count")).to_have_text("2 workers selected")
    # Rows come anew; what was chosen stays chosen.
    server.heartbeat("203.0.113.50", "newcomer")
    expect(page.get_by_role("link", name="newcomer")).to_be_visible()
    expect(page.locator(f"#pick-{machines['charlie'].id}")).to_be_checked()
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("heading", name="Pause 2 workers?")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("What they run goes on")
    expect(page.locator("#ask-workers-yes")).not_to_have_css("background-color", RED)
    page.get_by_role("button", name="Leave as is").click()
    assert server.get(f"/api/workers/{machines['charlie'].id}")["worker"]["wish"] == "active"
    page.get_by_role("button", name="Pause", exact=True).click()
    page.get_by_role("button", name="Pause 2 workers").click()
    for name in ("charlie", "<b>echo</b>"):
        expect(page.locator(f"#w-{machines[name].id}")).to_contain_text("Paused")
        assert server.get(f"/api/workers/{machines[name].id}")["worker"]["wish"] == "paused"
    expect(page.locator("#selection")).to_be_hidden()
    page.locator("#pick-all").click()
    expect(page.locator("#selection-count")).to_have_text("6 workers selected")
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Resume 6 workers").click()
    expect(page.get_by_role("link", name="0 paused")).to_be_visible()
    assert unreloaded(page)


def test_a_range_is_chosen_with_shift_cleared_and_drained(
    screen: Screen, server: Server, machines: dict[str, Machine]
) -> None:
    page = screen.open("/workers?sort=name")
    order = names(page)
    boxes = page.locator("#fleet tbody input")
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(page.locator("#selection-count")).to_have_text("3 workers selected")
    assert [box.is_checked() for box in boxes.all()] == [1 <= place <= 3 for place in range(len(order))]
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#selection")).to_be_hidden()
    assert not any(box.is_checked() for box in boxes.all())
    pick(page, machines["charlie"])
    pick(page, machines["alpha"])
    page.get_by_role("button", name="Drain", exact=True).click()
    dialog = page.get_by_role("dialog", name="Drain 2 workers?")
    expect(dialog).to_contain_text("They finish what they run, claim nothing new, and can then be taken away.")
    dialog.get_by_role("button", name="Drain 2 workers").click()
    expect(page.locator("#selection")).to_be_hidden()
    for name in ("charlie", "alpha"):
        assert server.get(f"/api/workers/{machines[name].id}")["worker"]["wish"] == "draining"
    expect(page.locator(f"#w-{machines['charlie'].id}")).to_contain_text("Draining")
    pick(page, machines["charlie"])
    pick(page, machines["alpha"])
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Resume 2 workers").click()
    expect(page.locator("#selection")).to_be_hidden()
    assert server.get(f"/api/workers/{machines['alpha'].id}")["worker"]["wish"] == "active"


def test_delete_says_what_is_lost_and_a_refusal_is_shown(
    screen: Screen, server: Server, machines: dict[str, Machine]
) -> None:
    page = screen.open("/workers")
    doomed = Machine(server, "doomed")
    expect(page.get_by_role("link", name="doomed")).to_be_visible()
    pick(page, doomed)
    pick(page, machines["alpha"])
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete 2 workers?")
    expect(dialog).to_contain_text(re.compile(r"1 run and \d+ (s|min|min \d+ s) of GPU time are lost, except what was"))
    expect(dialog).to_contain_text("Missing simulations of assignments are queued again. They leave the list")
    expect(dialog.locator("#ask-workers-yes")).to_have_css("background-color", RED)
    expect(dialog.get_by_role("listitem")).to_have_text(
        re.compile(r"^alpha: near-field-phone #0, runs for \d+ (s|min)")
    )
    expect(dialog).to_contain_text("Finished work and results stay.")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    # A study that was started by hand is in nobody's queue.
    server.log("203.0.113.60", 0, "Starting")
    server.heartbeat("203.0.113.60", "by-hand")
    row = page.locator("#fleet tr", has_text="by-hand")
    row.get_by_role("checkbox").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog).to_contain_text("2 runs and ")
    expect(dialog).to_contain_text("queued again. No other worker takes up a study started by hand. They leave")
    page.keyboard.press("Escape")
    row.get_by_role("checkbox").click()
    pick(page, machines["alpha"])
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(dialog).to_contain_text("Delete 1 worker? It leaves the list")
    page.route(
        "**/api/workers/wish", lambda route: route.fulfill(status=503, json={"error": "busy", "details": "later"})
    )
    screen.tolerant = True
    page.get_by_role("button", name="Delete 1 worker").click()
    expect(dialog.get_by_role("alert")).to_have_text("Not done: busy: later")
    page.unroute("**/api/workers/wish")
    page.get_by_role("button", name="Delete 1 worker").click()
    expect(page.get_by_role("link", name="doomed")).to_be_hidden()
    expect(page.get_by_role("link", name="alpha", exact=True)).to_be_visible()


def test_the_order_holds_under_the_pointer(screen: Screen, server: Server, machines: dict[str, Machine]) -> None:
    page = screen.open("/workers?sort=name")
    expect(page.locator("#connection")).to_have_text("Live")
    mark(page)
    before = names(page)
    page.locator(f"#w-{machines['charlie'].id} .c-state").hover()
    server.api.patch(f"/api/workers/{machines['alpha'].id}", json={"label": "zulu"})
    expect(page.get_by_role("link", name="zulu", exact=True)).to_be_visible()
    assert names(page) == ["zulu" if name == "alpha" else name for name in before]
    moved = page.get_by_role("button", name="1 moved, reorder")
    moved.click()
    assert names(page)[-1] == "zulu"
    expect(moved).to_be_hidden()
    page.locator(f"#w-{machines['charlie'].id} .c-state").hover()
    server.api.patch(f"/api/workers/{machines['alpha'].id}", json={"label": "alpha"})
    expect(page.get_by_role("button", name="1 moved, reorder")).to_be_visible()
    page.mouse.move(2, 2)
    expect(page.locator("#fleet tbody th a").nth(before.index("alpha"))).to_have_text("alpha")
    assert names(page) == before
    assert unreloaded(page)


def test_keys_walk_choose_and_go(screen: Screen, server: Server, machines: dict[str, Machine]) -> None:
    page = screen.open("/workers?sort=name")
    expect(page.locator("#connection")).to_have_text("Live")
    third = names(page)[2]
    for key in ("j", "j", "j", "j", "k"):
        page.keyboard.press(key)
    expect(page.locator(":focus")).to_have_text(third)
    # New rows do not take the focus away.
    machines["bravo"].say("another line")
    expect(page.locator(f"#w-{machines['bravo'].id}")).to_contain_text("another line")
    expect(page.locator(":focus")).to_have_text(third)
    page.keyboard.press("x")
    expect(page.locator("#selection-count")).to_have_text("1 worker selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Find workers")).to_be_focused()
    page.keyboard.type("jjgw?")
    expect(page.get_by_label("Find workers")).to_have_value("jjgw?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(names_sorted(server)[0])
    # Keys are heard once the scripts of the new page run.
    expect(page.locator("#connection")).to_have_text("Live")
    page.keyboard.press("g")
    page.keyboard.press("o")
    expect(page.locator("nav [aria-current]")).to_have_text("Overview")


def names_sorted(server: Server) -> list[str]:
    """All that are listed, by name."""
    found = [str(it["machineLabel"] or it["hostname"]) for it in server.get("/api/workers")]
    return sorted(found, key=str.casefold)


def test_keys_are_listed_and_can_be_switched_off(screen: Screen, machines: dict[str, Machine]) -> None:
    page = screen.open("/workers")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    for text in ("Find in the list", "Next row", "Go to Studies", "Enter", "Esc"):
        expect(dialog).to_contain_text(text)
    assert problems(page) == []
    dialog.get_by_label("Use keys of one letter").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(dialog).to_be_hidden()
    expect(page.locator("#fleet :focus")).to_have_count(0)
    page.reload()
    page.keyboard.press("j")
    expect(page.locator("#fleet :focus")).to_have_count(0)
    # They come back by the mouse.
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Use keys of one letter").check()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    expect(page.locator("#fleet :focus")).to_have_count(1)


def test_it_reads_and_filters_without_a_script(browser: Browser, server: Server, machines: dict[str, Machine]) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/workers")
    assert page.locator("#fleet input").count() > len(NAMES)
    assert not any(box.is_visible() for box in page.locator("#fleet input, #selection").all())
    expect(page.locator("td.heard").first).to_contain_text("UTC")
    page.get_by_role("link", name="Worker", exact=True).click()
    assert names(page) == sorted(names(page), key=str.casefold)
    page.get_by_label("Find workers").fill("brav")
    page.get_by_role("button", name="Find", exact=True).click()
    assert names(page) == ["bravo"]
    context.close()


@pytest.mark.parametrize("address", ["/workers", "/workers?view=cards"])
def test_axe_finds_nothing_and_a_thumb_reaches_what_acts(
    browser: Browser, server: Server, machines: dict[str, Machine], address: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    screen = Screen(context, server.url)
    page = screen.open(address)
    expect(page.locator("#connection")).to_have_text("Live")
    pick(page, machines["bravo"])
    assert problems(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("Pause", "Drain", "Resume", "Delete"):
        box = place(page.get_by_role("button", name=name, exact=True))
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= 740, "in sight, at the bottom"
    context.close()
    assert not screen.complaints


def test_more_than_a_page_holds_is_on_the_next(screen: Screen, server: Server, machines: dict[str, Machine]) -> None:
    for number in range(100):
        server.heartbeat(f"198.51.100.{number}", f"many-{number:03}")
    total = len(server.get("/api/workers"))
    page = screen.open("/workers?sort=name")
    first = names(page)
    assert len(first) == 100
    expect(page.get_by_role("navigation", name="Pages")).to_contain_text(f"of {total}")
    expect(page.get_by_role("link", name="Previous")).to_have_count(0)
    page.get_by_role("link", name="Next").click()
    assert "sort=name" in page.url, "the order stays"
    rest = names(page)
    assert len(rest) == total - 100
    assert first + rest == names_sorted(server)
    expect(page.get_by_role("link", name="Next")).to_have_count(0)
    # What changes there is seen there.
    expect(page.locator("#connection")).to_have_text("Live")
    mark(page)
    server.heartbeat("198.51.100.200", "many-late")
    expect(page.get_by_role("link", name="many-late")).to_be_visible()
    assert unreloaded(page)
    page.get_by_role("link", name="Previous").click()
    assert names(page) == first

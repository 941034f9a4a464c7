"""The charts of a study as a person sees them: a Gantt of what is over, and the burn-up before there is a line, with
one, and where nobody watched."""

import sqlite3
import time

from playwright.sync_api import Page, expect

from tests.pages.conftest import Screen, Server, place
from tests.pages.phone import two_lines
from tests.support.agent import Agent

MINUTE = 60_000_000


def note(server: Server, study: str, *points: tuple[int, float, int | None]) -> None:
    """(minutes ago, percent, minutes from then until it should be done) as the recorder would have noted them."""
    now = time.time_ns() // 1000
    rows = []
    for ago, percent, left in points:
        at = now - ago * MINUTE
        told = [None] * 3 if left is None else [at + round(left * MINUTE * it) for it in (0.8, 1.0, 1.3)]
        rows.append((study, at, percent, percent * 36, *told))
    with sqlite3.connect(server.data_dir / "goliat-monitoring.sqlite", timeout=20) as database:
        database.executemany("INSERT INTO study_history VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.close()


def texts(page: Page, plot: str) -> list[str]:
    """What is written on a chart."""
    return [text for text in page.locator(f"#plot-{plot} text").all_text_contents() if text]


def test_a_study_that_is_over_fills_its_gantt_however_long_ago_that_was(screen: Screen, server: Server) -> None:
    study = server.study("done-long-ago", parts=1)["id"]
    agent = Agent(server.url, "gpu-then")
    job = agent.claim()
    agent.simulate(0, 2)
    agent.simulate(1, 2)
    assert agent.end() == "succeeded"
    agent.close()
    with sqlite3.connect(server.data_dir / "goliat-monitoring.sqlite", timeout=20) as database:
        ago = 3 * 24 * 60 * MINUTE
        earlier = ", ".join(f"{name} = {name} - :ago" for name in ("claimed_at", "first_sign_at", "last_sign_at"))
        database.execute(
            f"UPDATE runs SET {earlier}, ended_at = ended_at - :ago + :took WHERE id = :id",
            {"ago": ago, "took": 120 * MINUTE, "id": job.run_id},
        )
    database.close()
    for zoom in ("", "?zoom=6h"):
        page = screen.open(f"/studies/{study}/gantt{zoom}")
        bar = place(page.locator(f"[data-run='{job.run_id}']"))
        field = place(page.locator(".gantt .bars"))
        assert abs(bar["x"] + bar["width"] - field["x"] - field["width"]) < 3, "its end is the right edge"
        assert bar["width"] / field["width"] > (0.3 if zoom else 0.99)
        expect(page.locator(".gantt line.now")).to_have_count(0)
    expect(page.get_by_role("link", name="Download results")).to_be_visible()
    expect(page.get_by_role("button", name="Add worker")).to_have_count(0)


def test_without_history_there_are_axes_and_the_reason(screen: Screen, server: Server) -> None:
    study = server.study("young")["id"]
    page = screen.open(f"/studies/{study}/burn-up")
    for plot in ("done", "finish"):
        expect(page.locator(f"#plot-{plot} .reason")).to_have_text("No history yet.")
        assert page.locator(f"#plot-{plot} .xs text").count() >= 2, "an axis of time"
    assert texts(page, "done")[:5] == ["0 %", "25 %", "50 %", "75 %", "100 %"]
    expect(page.get_by_text("A point is noted about every five minutes while a worker is on it.")).to_be_visible()
    expect(page.locator("#history")).to_have_count(0)


def test_one_point_is_a_dot_and_the_table_has_it(screen: Screen, server: Server) -> None:
    study = server.study("begun")["id"]
    note(server, study, (2, 12.5, None))
    page = screen.open(f"/studies/{study}/burn-up")
    expect(page.locator("#plot-done .reason")).to_have_text("One point so far; a line needs two.")
    expect(page.locator("#plot-finish .reason")).to_have_text("No finish was foretold yet.")
    dot = place(page.locator("#plot-done .dot"))
    field = place(page.locator("#plot-done .field"))
    height = field["y"] + field["height"] - (dot["y"] + dot["height"] / 2)
    assert abs(height / field["height"] - 0.125) < 0.02, "an eighth of the way up"
    expect(page.locator("#history tbody tr")).to_have_count(1)
    expect(page.locator("#history")).to_contain_text("12.5")


def test_one_foretold_finish_is_a_dot_with_its_reason_and_no_legend(screen: Screen, server: Server) -> None:
    study = server.study("foretold")["id"]
    note(server, study, (2, 12.5, 40))
    page = screen.open(f"/studies/{study}/burn-up")
    expect(page.locator("#plot-finish .dot")).to_have_count(1)
    expect(page.locator("#plot-finish .reason")).to_have_text("One point so far; a line needs two.")
    expect(page.locator("#plot-finish :is(.line, .band)")).to_have_count(0)
    expect(page.get_by_text("Line: half of such studies")).to_have_count(0)


def test_the_curve_of_a_short_study_begins_with_nothing_at_its_first_claim(screen: Screen, server: Server) -> None:
    study = server.study("short", parts=1)["id"]
    # Before those of the other tests.
    assert server.api.patch(f"/api/super-studies/{study}", json={"priority": 9}).status_code == 200
    agent = Agent(server.url, "gpu-short")
    agent.claim()
    agent.simulate(0, 2)
    agent.simulate(1, 2)
    assert agent.end() == "succeeded"
    agent.close()
    note(server, study, (0, 100, 0))
    page = screen.open(f"/studies/{study}/burn-up")
    line, field = (place(page.locator(f"#plot-done .{it}")) for it in ("line", "field"))
    assert abs(line["height"] - field["height"]) < 3, "from nothing to all"
    assert abs(line["width"] - field["width"]) < 3, "from the first claim to the end"
    expect(page.locator("#plot-done .reason")).to_have_count(0)
    expect(page.locator("#history tbody tr")).to_have_count(1)
    block = place(page.locator("section:has(> #plot-done)"))
    assert block["x"] + block["width"] - field["x"] - field["width"] < 3, "as wide as the page"


def test_the_line_rises_and_breaks_where_nobody_watched(screen: Screen, server: Server) -> None:
    study = server.study("grown")["id"]
    note(server, study, (60, 10, 90), (55, 20, 80), (50, 30, 70), (10, 40, 60), (5, 60, 40), (0, 80, 20))
    page = screen.open(f"/studies/{study}/burn-up")
    lines = page.locator("#plot-done .line")
    expect(lines).to_have_count(2)
    before, after = (place(it) for it in lines.all())
    assert before["x"] + before["width"] < after["x"], "the gap is in between"
    assert before["y"] > after["y"] + after["height"], "the later part is higher"
    expect(page.locator("#plot-done .gaptext")).to_have_text("no data 40 min")
    expect(page.locator("#plot-finish .band")).to_have_count(2)
    expect(page.locator(".reason")).to_have_count(0)
    expect(page.locator("#history tbody tr")).to_have_count(6)
    expect(page.locator("#history tbody tr").first).to_contain_text("80.0")
    page.set_viewport_size({"width": 360, "height": 740})
    two_lines(page, "#history", "history")
    cut = "(all) => all.filter((it) => it.scrollWidth > it.clientWidth).map((it) => it.textContent)"
    assert page.locator("#history td").evaluate_all(cut) == []

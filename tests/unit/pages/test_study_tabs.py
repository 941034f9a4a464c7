"""What the tabs of a study make of facts and addresses."""

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.paging import Pager, number
from goliat_monitoring.server.pages.ranges import finish, left, rounded
from goliat_monitoring.server.pages.render import timed
from goliat_monitoring.server.pages.study_tabs import assignments, config, gantt
from goliat_monitoring.server.pages.study_tabs.matrix import matrix
from goliat_monitoring.store.read.attempts import Attempt
from goliat_monitoring.store.read.completeness import Cell
from goliat_monitoring.wire.clock import SECOND

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
# A Friday, 12:07:13 UTC.
NOW = 1_798_805_233 * SECOND


def test_the_numbers_of_a_matrix_add_up_in_both_directions() -> None:
    cells = [
        Cell("duke", "900", "", 4, 4, 0, 0, 0),
        Cell("duke", "700", "", 4, 1, 3, 0, 0),
        Cell("ella", "700+2450", "", 2, 0, 0, 2, 0),
        Cell("ella", "700", "", 4, 2, 0, 0, 2),
    ]
    made = matrix(cells, "/studies/s/assignments")
    assert made.columns == [("700", 3, 8), ("900", 4, 4), ("700+2450", 0, 2)], "single tones first, by number"
    assert [(line.phantom, line.proven, line.expected) for line in made.lines] == [("duke", 5, 8), ("ella", 2, 6)]
    assert (made.proven, made.expected) == (7, 14)
    duke, ella = made.lines
    assert [it and it.look.word for it in duke.cells] == ["Running", "Done", None]
    assert [it and it.look.word for it in ella.cells] == ["Cancelled", None, "2 failed"]
    shown = ella.cells[2]
    assert shown is not None
    assert shown.href == "/studies/s/assignments?phantom=ella&frequency=700%2B2450#tabs"


def test_a_near_field_has_a_line_for_each_scenario_of_a_phantom() -> None:
    cells = [Cell("duke", "700", it, 3, 3, 0, 0, 0) for it in ("by_cheek", "by_belly")]
    made = matrix(cells, "/x")
    assert [(line.phantom, line.scenario) for line in made.lines] == [("duke", "by_cheek"), ("duke", "by_belly")]
    shown = made.lines[1].cells[0]
    assert shown is not None
    assert "scenario=by_belly" in shown.href


def test_an_address_that_nobody_can_mean_counts_as_not_asked() -> None:
    wish = assignments.wish_of({"state": "<script>", "sort": "drop", "page": "-3", "open": "x", "phantom": "y" * 999})
    assert wish._replace(phantom="") == assignments.Wish()
    assert len(wish.phantom) == assignments.LONGEST_NAME
    assert gantt.wish_of({"zoom": "9y", "by": "x", "to": "9" * 40}) == gantt.Wish()
    assert [number(it) for it in (None, "", "0x1", "²", "7", "9" * 30)] == [1, 1, 1, 1, 7, 1]


def test_the_last_page_is_shown_for_one_beyond() -> None:
    assert Pager.of(250, 100, 99) == Pager(3, 3, 201, 250, 250, 100)
    assert Pager.of(0, 100, 1) == Pager(1, 1, 0, 0, 0, 100)


def test_a_window_never_leaves_the_study_and_says_where_more_is() -> None:
    first, last, now = NOW - 100 * HOUR, NOW + 50 * HOUR, NOW
    whole = gantt.window_of(gantt.Wish(), first, last, now)
    assert (whole.begin, whole.end, whole.before, whole.after) == (first, last, None, None)
    newest = gantt.window_of(gantt.Wish(zoom="24h"), first, last, now)
    assert (newest.begin < now < newest.end, newest.after) == (True, None)
    assert newest.before is not None
    earlier = gantt.window_of(gantt.Wish(zoom="24h", to=newest.before), first, last, now)
    assert earlier.end == newest.before
    assert earlier.after == newest.end
    oldest = gantt.window_of(gantt.Wish(zoom="24h", to=1), first, last, now)
    assert (oldest.begin <= first <= oldest.end, oldest.before) == (True, None)


def test_a_finish_is_rounded_outwards_and_told_in_words() -> None:
    assert rounded(NOW + 5 * HOUR, NOW + 14 * HOUR) == (NOW // HOUR * HOUR + 5 * HOUR, NOW // HOUR * HOUR + 15 * HOUR)
    assert rounded(NOW, NOW + MINUTE) == (NOW // MINUTE * MINUTE, NOW // MINUTE * MINUTE + 2 * MINUTE)
    shown = str(finish(Spread(5 * 3600, 6 * 3600, 9.5 * 3600), NOW))
    assert ">Fri 17:00\N{EN DASH}21:45 UTC<" in shown
    assert left(Spread(2.9 * 3600, 4 * 3600, 4.2 * 3600)) == "2\N{EN DASH}5 h"
    assert left(Spread(40, 50, 59)) == "40\N{EN DASH}59 s"
    assert left(Spread(60, 65, 110)) == "1\N{EN DASH}2 min"


def test_times_in_sentences_become_the_viewers_and_nothing_else_becomes_markup() -> None:
    said = str(timed("<b> from 2026-11-24T17:08:20.285Z on."))
    assert said.startswith("&lt;b&gt; from <time ")
    assert 'datetime="2026-11-24T17:08:20.285Z"' in said


def test_a_config_too_large_to_draw_is_cut_and_says_so() -> None:
    budget = config.Budget(10)
    nodes = config.tree({"list": [{"a": i} for i in range(100)], "last": 1}, budget)
    assert budget.left < 0

    def count(found: list[config.Node]) -> int:
        return sum(1 + count(it.children or []) for it in found)

    assert count(nodes) <= 10 + 3
    assert nodes[0].about == "100 items"


def test_a_bar_is_red_only_where_nothing_followed() -> None:
    def look(assignment: str, attempts: int) -> str:
        found = [
            Attempt(
                run_id=f"r{i}", assignment_id="a", index=0, attempt=i, worker_id="w", worker_name="w", state="lost",
                reason="", assignment_state=assignment, begin=NOW, until=NOW, ended_at=NOW,
            )
            for i in range(1, attempts + 1)
        ]  # fmt: skip
        return gantt.bar_of(found[0], gantt.outcome(found[0], found), "worker", Outlook(), NOW).look

    assert [look("FAILED", 1), look("PENDING", 1), look("FAILED", 2)] == ["bad", "bad again", "bad again"]

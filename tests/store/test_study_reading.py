"""What the tabs of a study read: pages of assignments, the matrix, attempts in a span, what a cancel would lose."""

from typing import Any

import pytest

from goliat_monitoring.store import actions, agents, claims, remains, runs, tables, uploads
from goliat_monitoring.store.assignments import mark_cases
from goliat_monitoring.store.read import attempts, parts
from goliat_monitoring.store.read.completeness import Cell, cells_of, proven_of, unknown_of
from goliat_monitoring.store.read.events import list_events
from goliat_monitoring.store.read.parts import Wanted
from goliat_monitoring.store.read.results import Files, delivered, files_of, shown_artifacts
from goliat_monitoring.store.read.studies import count_assignments, list_studies
from goliat_monitoring.store.read.study_head import bare_count, failed_parts, troubled_runs, unproven_seconds
from goliat_monitoring.store.read.underway import under_way
from goliat_monitoring.store.read.usage import brief_usage
from goliat_monitoring.store.workers import set_price
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import CONFIG, KEYS, Agent, House

HOUR = 3600 * SECOND
NEAR: dict[str, Any] = {
    "study_type": "near_field",
    "phantoms": ["duke", "ella"],
    "antenna_config": {"700": {}, "2450": {}},
    "phantom_definitions": {
        "duke": {"placements": {"do_by": True, "do_by_cheek": True}},
        "ella": {"placements": {"do_by_cheek": True}},
    },
    "placement_scenarios": {
        "by": {"positions": {"belly": [0, 0, 0]}, "orientations": {"up": [], "down": []}},
        "by_cheek": {"positions": {"left": [0, 0, 0]}, "orientations": {"up": []}},
    },
    "execution_control": {"do_setup": True, "do_run": True, "do_extract": True},
}


def study_of(house: House, assignment: str) -> str:
    return str(house.row(tables.assignments, assignment).super_study_id)


def page(house: House, study: str, wanted: Wanted, **asked: Any) -> list[int]:
    found, total = house.database.read_now(lambda c: parts.parts_page(c, study, wanted, **asked))
    assert total >= len(found)
    return [it.index for it in found]


def lost(house: House) -> dict[str, float]:
    return house.database.read_now(lambda c: unproven_seconds(c, house.now, under_way(c)))


def claim(house: House, agent: Agent) -> wire.Job:
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    return job


def prove(house: House, assignment: str, run_id: str, *keys: str) -> None:
    house.do(mark_cases, assignment, run_id, dict.fromkeys(keys, "done"))


def test_the_cells_of_a_near_field_are_those_of_the_longest_scenario_that_fits(house: House) -> None:
    (assignment,) = house.study(config=NEAR)
    study = study_of(house, assignment)
    found = house.database.read_now(lambda c: cells_of(c, study, list(NEAR["placement_scenarios"])))
    assert [(it.phantom, it.frequency, it.scenario, it.expected) for it in found] == [
        ("duke", "700", "by", 2),
        ("duke", "700", "by_cheek", 1),
        ("duke", "2450", "by", 2),
        ("duke", "2450", "by_cheek", 1),
        ("ella", "700", "by_cheek", 1),
        ("ella", "2450", "by_cheek", 1),
    ]
    assert page(house, study, Wanted(phantom="ella", frequency="700", scenario="by_cheek")) == [0]
    assert page(house, study, Wanted(phantom="ella", frequency="700", scenario="by_c%")) == []
    (part,) = house.database.read_now(lambda c: parts.parts_of(c, [assignment]))
    assert part.label == "duke, ella · 700, 2450 MHz · 3 placements"


def test_cells_tell_what_is_proven_runs_failed_and_was_cancelled(house: House) -> None:
    assignments = house.study(parts=4)
    study = study_of(house, assignments[0])
    agent = Agent(house, "gpu-1")
    job = claim(house, agent)
    prove(house, job.assignment_id, job.run_id, KEYS[0])
    house.do(actions.cancel_assignment, assignments[1], "anna")
    other = Agent(house, "gpu-2")
    failed = claim(house, other)
    house.do(runs.ask, failed.run_id, "stop", "anna")
    house.do(runs.give_up, failed.run_id, "it hangs", "anna")
    (cell,) = house.database.read_now(lambda c: cells_of(c, study))
    state = house.row(tables.assignments, assignments[2]).state
    assert cell == Cell("thelonious", "700", "", 8, 1, 1, 2 if state == "FAILED" else 0, 2)
    assert house.database.read_now(lambda c: proven_of(c, study)) == (1, 8, True)


def test_what_was_split_again_is_counted_once_and_listed_apart(house: House) -> None:
    wide = {**CONFIG, "phantoms": ["thelonious", "duke"]}
    (assignment,) = house.study(config=wide)
    study = study_of(house, assignment)
    waiting = house.database.read_now(lambda c: remains.pending(c, study))
    house.do(remains.replace, study, waiting, remains.cut(waiting, 2, None), "anna")
    assert page(house, study, Wanted()) == [1, 2]
    assert page(house, study, Wanted("replaced")) == [0]
    assert page(house, study, Wanted(phantom="duke")) in ([1], [2])
    assert sum(it.expected for it in house.database.read_now(lambda c: cells_of(c, study))) == 4
    assert house.database.read_now(lambda c: unknown_of(c, study)).assignments == 0


def test_pages_filters_and_orders_of_assignments(house: House) -> None:
    assignments = house.study(parts=5)
    study = study_of(house, assignments[0])
    agent, other = Agent(house, "gpu-1"), Agent(house, "gpu-2")
    silent, job = claim(house, agent), claim(house, other)
    other.send(job, 0, wire.LineItem(time=house.now, level="default", source="status", text="hello"))
    prove(house, job.assignment_id, job.run_id, KEYS[1])
    assert page(house, study, Wanted("ASSIGNED")) == [0]
    assert page(house, study, Wanted("RUNNING")) == [1]
    assert page(house, study, Wanted("PENDING")) == [2, 3, 4]
    assert page(house, study, Wanted(), limit=2, offset=2) == [2, 3]
    assert page(house, study, Wanted(), sort="progress")[0] == 1
    assert set(page(house, study, Wanted(), sort="tries")[:2]) == {0, 1}
    (part,) = house.database.read_now(lambda c: parts.parts_of(c, [job.assignment_id]))
    assert (part.proven, part.expected, part.label) == (1, 2, "thelonious · 700 MHz · 2 plane waves")
    assert (part.state, part.run.worker_name if part.run else "") == ("RUNNING", "gpu-2")
    house.pass_time(700)
    assert set(page(house, study, Wanted("unreachable"))) == {0, 1}
    assert silent.attempt == 1


def test_sizes_are_those_of_the_files_that_count_and_add_up(house: House) -> None:
    first, second = house.study(parts=2, config={**CONFIG, "phantoms": ["thelonious"]})
    study = study_of(house, first)

    def arrive(run_id: str, path: str, size: int, sha256: str) -> None:
        house.now += SECOND
        house.do(uploads.add_artifact, run_id, path, uploads.StoredFile("verbose.log", size, sha256 * 64, f"k{sha256}"))

    def counted() -> tuple[Files, dict[str, Files]]:
        whole = house.database.read_now(lambda c: delivered(c, study))
        shown = house.database.read_now(lambda c: shown_artifacts(c, study))
        assert whole == (len(shown), sum(it.size for it in shown)), "what the download holds"
        return whole, house.database.read_now(lambda c: files_of(c, [first, second]))

    assert counted() == (Files(0, 0), {})
    agent, other = Agent(house, "gpu-1"), Agent(house, "gpu-2")
    job, of_other = claim(house, agent), claim(house, other)
    for size, sha256 in ((1000, "a"), (2000, "b"), (4000, "c")):
        arrive(job.run_id, "far_field/one", size, sha256)
    arrive(job.run_id, "far_field/two", 10, "d")
    arrive(of_other.run_id, "far_field/three", 500, "e")
    assert counted() == (Files(3, 4510), {first: Files(2, 4010), second: Files(1, 500)})
    # Another try delivers one of them again.
    house.do(runs.give_up, job.run_id, "gone", "anna")
    house.now += HOUR
    again = claim(house, agent)
    assert again.assignment_id == first
    arrive(again.run_id, "far_field/one", 3000, "f")
    assert counted() == (Files(3, 3510), {first: Files(2, 3010), second: Files(1, 500)})
    arrive(job.run_id, "far_field/one", 9000, "9")
    assert counted()[0].size == 3510, "what came late counts only where there is no other"


def test_a_study_that_is_over_says_since_when(house: House) -> None:
    first, second = house.study(parts=2)
    study = study_of(house, first)

    def ended() -> tuple[str, int | None]:
        (listed,) = house.database.read_now(lambda c: list_studies(c, study_id=study))
        return listed.state, listed.ended_at

    assert ended() == ("waiting", None)
    agent = Agent(house, "gpu-1")
    job = claim(house, agent)
    for number, case in enumerate(job.cases):
        begun = {"type": "sim_details", "count": number + 1, "total": 2, "details": case.details}
        proven = {"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1}
        agent.send(job, 2 * number, *(wire.MessageItem(house.now, it) for it in (begun, proven)))
        house.now += SECOND
    agent.send(job, 4, wire.MessageItem(house.now, {"type": "finished", "message": "Study finished successfully"}))
    house.do(agents.end, agent.worker_id, job.run_id, job.fence, wire.End("exited", 0, house.now, "s1", 5))
    done = house.row(tables.assignments, first)
    assert (done.state, ended()) == ("COMPLETED", ("waiting", None))
    house.now += HOUR
    house.do(actions.cancel_assignment, second, "anna")
    assert ended() == ("completed", house.now)
    (other,) = house.study("other")
    study = study_of(house, other)
    house.do(actions.cancel_study, study, "anna")
    house.now += HOUR
    assert ended() == ("cancelled", house.now - HOUR)


def test_attempts_are_found_by_the_span_they_lie_in(house: House) -> None:
    (assignment,) = house.study()
    study = study_of(house, assignment)
    began = house.now
    agent = Agent(house, "gpu-1")
    first = claim(house, agent)
    house.now += HOUR
    house.do(runs.give_up, first.run_id, "gone", "anna")
    house.now += HOUR
    second = claim(house, agent)

    def span(begin: float, end: float) -> list[str]:
        found = house.database.read_now(
            lambda c: attempts.attempts_of(c, study, began + round(begin * HOUR), began + round(end * HOUR))
        )
        return [it.run_id for it in found]

    assert span(0, 3) == [first.run_id, second.run_id]
    assert span(1.5, 1.8) == [], "the lost one was last heard at its beginning, the second had not begun"
    assert span(2.5, 9) == [second.run_id]
    lanes = house.database.read_now(lambda c: attempts.worker_lanes(c, study, began, began + 9 * HOUR, limit=5))
    assert lanes == ([(agent.worker_id, "gpu-1")], 1)
    assert house.database.read_now(lambda c: attempts.span_of(c, study)) == (began, began + HOUR)


def test_a_cancel_loses_what_was_computed_since_the_simulation_at_work_began(house: House) -> None:
    (assignment,) = house.study()
    study = study_of(house, assignment)
    agent = Agent(house, "gpu-1")
    job = claim(house, agent)
    house.now += HOUR
    assert lost(house) == {job.run_id: 3600}
    said = {"type": "sim_details", "count": 1, "total": 2, "details": "thelonious, 700MHz, x_pos, theta"}
    agent.send(job, 0, wire.MessageItem(house.now, said))
    house.now += HOUR // 2
    assert lost(house) == {job.run_id: pytest.approx(1800, abs=1)}
    assert house.database.read_now(lambda c: bare_count(c, study)) == 0
    assert house.database.read_now(lambda c: troubled_runs(c, study)) == [], "nothing is odd about it"
    assert house.database.read_now(lambda c: failed_parts(c, study, 5)) == []


def test_counting_assignments_agrees_with_the_summary_of_their_study(house: House) -> None:
    first, _ = house.study(parts=2)
    study = study_of(house, first)

    def both() -> dict[str, int]:
        counted = house.database.read_now(lambda c: count_assignments(c, study))
        (listed,) = house.database.read_now(lambda c: list_studies(c, study_id=study))
        assert (counted.total, counted.cancelled) == (listed.total, listed.cancelled)
        assert {key: n for key, n in counted.counts.items() if n} == listed.counts
        return listed.counts

    assert both() == {"PENDING": 2}
    agent = Agent(house, "gpu-1")
    job = claim(house, agent)
    assert both() == {"PENDING": 1, "ASSIGNED": 1}, "it has not spoken yet"
    said = {"type": "sim_details", "count": 1, "total": 2, "details": "thelonious, 700MHz, x_pos, theta"}
    agent.send(job, 0, wire.MessageItem(house.now, said))
    assert both() == {"PENDING": 1, "RUNNING": 1}
    with pytest.raises(Refused):
        house.database.read_now(lambda c: count_assignments(c, "nobody"))


def test_the_cost_in_a_list_is_that_of_hours_at_their_price(house: House) -> None:
    (assignment,) = house.study()
    study = study_of(house, assignment)
    agent = Agent(house, "gpu-1")
    claim(house, agent)
    house.now += 2 * HOUR
    assert house.database.read_now(lambda c: brief_usage(c, house.now, {}))[study].cost is None
    house.do(set_price, agent.worker_id, 0.5, "anna")
    cost = house.database.read_now(lambda c: brief_usage(c, house.now, {}))[study].cost
    assert cost is not None
    assert [cost.spent, cost.forecast] == pytest.approx([1.0, 1.0])


def test_events_about_runs_are_events_of_their_study(house: House) -> None:
    (assignment,) = house.study()
    study = study_of(house, assignment)
    agent = Agent(house, "gpu-1")
    job = claim(house, agent)
    house.do(runs.ask, job.run_id, "stop", "anna")
    house.do(runs.give_up, job.run_id, "gone", "anna")
    kinds = [it.kind for it in house.database.read_now(lambda c: list_events(c, super_study_id=study))]
    assert {"run_claimed", "run_stop_asked", "run_lost"} <= set(kinds)
    people = house.database.read_now(lambda c: list_events(c, super_study_id=study, by_people=True))
    assert {it.actor for it in people} == {"test", "anna"}
    only = house.database.read_now(lambda c: list_events(c, super_study_id=study, kinds="run_"))
    assert {it.kind for it in only} == {"run_claimed", "run_stop_asked", "run_lost"}

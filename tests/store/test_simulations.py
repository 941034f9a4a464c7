"""What a run's messages say of its simulations: many told at once come out as told one by one, in a few statements."""

from typing import Any

import pytest

from goliat_monitoring.store import assignments, tables
from goliat_monitoring.store.ingest.batches import AgentBatch, agent_batch
from goliat_monitoring.store.ingest.hear import hear
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import KEYS, House
from tests.store.noting import JOURNEY, journeys, noted_statements
from tests.store.test_scheduling import WIDE, Gpu, part, study

BEGAN = 1_800_000_000


def message(at: int, **fields: object) -> wire.MessageItem:
    return wire.MessageItem((BEGAN + at) * SECOND, dict(fields))


def line(at: int, text: str) -> wire.LineItem:
    return wire.LineItem(time=(BEGAN + at) * SECOND, level="progress", source="status", text=text)


def announced(job: wire.Job, number: int) -> list[wire.Item]:
    """By a message and by a line, as GOLIAT does."""
    total, details = len(job.cases), job.cases[number].details
    return [
        message(20 * number + 1, type="sim_details", count=number + 1, total=total, details=details),
        line(20 * number, f"--- Processing Simulation {number + 1}/{total}: {details} ---"),
    ]


def done(number: int) -> wire.Item:
    """Every second one was there already, which a line tells."""
    if number % 2:
        return line(20 * number + 9, "Project already done, skipping.")
    return message(20 * number + 15, type="stage_progress", name="Extracting Results", current=1, total=1)


def told(job: wire.Job, order: str) -> list[wire.Item]:
    numbers = range(len(job.cases))
    begun: list[wire.Item] = [item for number in numbers for item in announced(job, number)]
    ended = [done(number) for number in numbers]
    if order == "in turn":
        return [item for number in numbers for item in (*announced(job, number), done(number))]
    return {"beginnings first": begun + ended, "ends first": ended + begun, "backwards": [*begun, *ended][::-1]}[order]


def shown(house: House, job: wire.Job) -> dict[str, Any]:
    simulations = [
        (row.ordinal, row.case_key, row.details, row.state, row.started_sender_at, row.started_line_at,
         row.ended_sender_at, row.why)
        for row in house.rows(tables.simulations) if row.run_id == job.run_id
    ]  # fmt: skip
    cases = [
        (row.case_key, row.state, row.run_id == job.run_id)
        for row in house.rows(tables.cases)
        if row.assignment_id == job.assignment_id
    ]
    row = part(house, job)
    return {
        "simulations": sorted(simulations),
        "cases": sorted(cases),
        "done_cases": house.row(tables.runs, job.run_id).done_cases,
        "weight": (round(row.done_weight, 6), round(row.weight, 6)),
        "total": row.expected_total,
    }


@pytest.mark.parametrize("order", ["in turn", "beginnings first", "ends first", "backwards"])
def test_many_simulations_in_one_batch_come_out_as_one_by_one(house: House, order: str) -> None:
    study(house, "s", 2, config=WIDE)
    slow, quick = Gpu(house, "slow"), Gpu(house, "quick")
    one_by_one, at_once = slow.work(), quick.work()
    items = told(one_by_one, order)
    for offset, item in enumerate(items):
        slow.send(one_by_one, offset, item)
    quick.send(at_once, 0, *told(at_once, order))
    found = shown(house, at_once)
    assert found == shown(house, one_by_one)
    assert len(found["simulations"]) == 8
    if order in ("in turn", "beginnings first"):
        assert found["done_cases"] == 8
        assert found["weight"][0] == found["weight"][1]
        assert {(state, own) for _, state, own in found["cases"]} == {("done", True)}
        assert quick.end(at_once, len(items), 0) == "succeeded"
        assert [row[:-1] for row in shown(house, at_once)["simulations"]] == [row[:-1] for row in found["simulations"]]


def test_what_is_announced_twice_has_the_earliest_time_and_the_first_text(house: House) -> None:
    study(house, "s")
    agent = Gpu(house, "a")
    job = agent.work()
    details = job.cases[0].details
    said = [
        message(5, type="sim_details", count=1, total=2, details=details),
        message(3, type="sim_details", count=1, total=2, details="something else"),
        message(7, type="sim_details", count=1, total=2, details=details),
    ]
    agent.send(job, 0, *said)
    agent.send(job, 3, message(2, type="sim_details", count=1, total=2, details="later still"))
    (row,) = house.rows(tables.simulations)
    assert (row.case_key, row.details, row.started_sender_at) == (KEYS[0], details, (BEGAN + 2) * SECOND)


def test_an_announcement_means_the_case_of_its_text_or_else_of_its_place(house: House) -> None:
    study(house, "s", 2)
    agent, other = Gpu(house, "a"), Gpu(house, "b")
    job, fewer = agent.work(), other.work()
    agent.send(
        job, 0,
        message(1, type="sim_details", count=1, total=2, details=job.cases[1].details.upper()),
        message(2, type="sim_details", count=2, total=2, details="of another form"),
    )  # fmt: skip
    # It computes something else than was asked for.
    other.send(fewer, 0, message(1, type="sim_details", count=1, total=1, details="of another form"))
    rows = sorted((row.run_id != job.run_id, row.ordinal, row.case_key) for row in house.rows(tables.simulations))
    assert rows == [(False, 1, KEYS[1]), (False, 2, KEYS[1]), (True, 1, None)]


def test_the_number_that_was_announced_first_stays(house: House) -> None:
    study(house, "s", config={"extends": "base.json"})
    agent = Gpu(house, "a")
    job = agent.work()
    agent.send(
        job, 0,
        message(1, type="sim_details", count=1, details="a"),
        message(2, type="sim_details", count=2, total=2, details="b"),
        message(3, type="sim_details", count=3, total=5, details="c"),
    )  # fmt: skip
    agent.send(job, 3, message(4, type="sim_details", count=4, total=7, details="d"))
    assert part(house, job).expected_total == 2


def batch(house: House, agent: Gpu, job: wire.Job, *items: wire.Item) -> AgentBatch:
    return agent_batch(house.moment, agent.worker_id, job.run_id, job.fence, wire.Batch("s1", 0, list(items)))


def test_batches_of_many_runs_cost_about_as_many_statements_as_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(house, "s", 21)
    agents = [Gpu(house, f"m{number}") for number in range(21)]
    jobs = [agent.work() for agent in agents]
    batches = [batch(house, agent, job, *told(job, "in turn")) for agent, job in zip(agents, jobs, strict=True)]
    statements = noted_statements(house, monkeypatch)
    house.database.submit(lambda connection: hear(connection, batches[:1])).result(30)
    alone = [text for text in statements if text != JOURNEY]
    ways = journeys(statements)
    statements.clear()
    house.database.submit(lambda connection: hear(connection, batches[1:])).result(30)
    together = [text for text in statements if text != JOURNEY]
    assert len(alone) <= 20, alone
    sqlite = house.database.engine.dialect.name == "sqlite"
    # Of each run an event tells that it was heard. SQLite takes many rows in portions.
    rest = [text for text in together if not text.startswith("INSERT INTO events")]
    assert len(rest) <= (3 if sqlite else 1) * len(alone), rest
    if not sqlite:
        assert (ways, journeys(statements)) == (3, 3), statements
    assert {row.state for row in house.rows(tables.cases)} == {"done"}
    assert {row.done_cases for row in house.rows(tables.runs)} == {2}
    assert {row.state for row in house.rows(tables.runs)} == {"running"}


def test_an_end_takes_few_statements_and_writes_what_the_verdict_says_of_each_simulation(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    study(house, "s", config=WIDE)
    agent = Gpu(house, "a")
    job = agent.work()
    items = told(job, "in turn")
    agent.send(job, 0, *items)
    statements = noted_statements(house, monkeypatch)
    assert agent.end(job, len(items), 0) == "succeeded"
    asked = [text for text in statements if text != JOURNEY]
    assert len(asked) <= 22, asked
    if house.database.engine.dialect.name != "sqlite":
        assert journeys(statements) <= 10, statements
    extracted, cached = "its results were extracted", "it was already done"
    assert [row[7] for row in shown(house, job)["simulations"]] == [extracted, cached] * 4


def test_what_was_begun_and_not_proven_is_unproven_in_the_end(house: House) -> None:
    study(house, "s")
    agent = Gpu(house, "a")
    job = agent.work()
    agent.send(job, 0, *announced(job, 0), done(0), *announced(job, 1))
    assert agent.end(job, 5, 0) == "finished_with_errors"
    assert [row[3] for row in shown(house, job)["simulations"]] == ["done", "unproven"]
    assert [state for _, state, _ in shown(house, job)["cases"]] == ["pending", "done"]


def test_a_case_stays_that_of_the_run_that_completed_it(house: House) -> None:
    (assignment,) = house.study()
    first, second = KEYS

    def states() -> dict[str, tuple[str, str | None]]:
        return {row.case_key: (row.state, row.run_id) for row in house.rows(tables.cases)}

    def mark(run: str, **verdicts: str) -> None:
        keys = {"first": first, "second": second}
        house.do(assignments.mark_cases, assignment, run, {keys[name]: state for name, state in verdicts.items()})

    mark("run 1", first="done", second="failed")
    assert states() == {first: ("done", "run 1"), second: ("failed", None)}
    mark("run 2", first="done", second="pending")
    assert states() == {first: ("done", "run 1"), second: ("pending", None)}
    mark("run 2", first="failed", second="done")
    assert states() == {first: ("done", "run 1"), second: ("done", "run 2")}
    row = part(house, assignment)
    assert row.done_weight == pytest.approx(row.weight)
    mark("run 2", first="pending", second="pending")
    assert states() == {first: ("done", "run 1"), second: ("pending", None)}
    assert part(house, assignment).done_weight == pytest.approx(row.weight / 2)

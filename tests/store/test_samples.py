"""The history of progress and vitals gets coarser with age, in bounded steps that may be cut off anywhere."""

import json
from collections import Counter
from functools import partial

from goliat_monitoring.store import claims, runs, tables
from goliat_monitoring.store.bulk import insert_rows
from goliat_monitoring.store.ingest.bare import gui_message
from goliat_monitoring.store.read.samples import read_samples
from goliat_monitoring.store.samples.age import AT_ONCE, COLUMNS, SamplesKept, samples_due, thin_samples
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import Agent, House

HOUR, DAY = 3600 * SECOND, 86_400 * SECOND
KEPT = SamplesKept(raw=DAY, minutes=30 * DAY, whole=365 * DAY)


def a_run(house: House, name: str = "gpu-1") -> str:
    house.study(f"study-{name}")
    agent = Agent(house, name)
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    return job.run_id


def sampled(house: House, run_id: str, seconds: range, kind: str = "vitals", late: int = 0) -> None:
    """One sample at each of `seconds` after the house's time; its value says which."""
    rows = [
        (
            run_id,
            kind,
            0,
            house.now + s * SECOND,
            house.now + s * SECOND + late,
            json.dumps({"cpu": s, "stage": str(s)}),
        )
        for s in seconds
    ]
    house.do(lambda c, _moment: insert_rows(c, tables.samples, COLUMNS, rows))


def thin(house: House, kept: SamplesKept = KEPT) -> list[int]:
    """Do all that is due; how many rows each step took up."""
    steps = []
    for due in house.database.read_now(lambda c: samples_due(c, house.moment, kept)):
        while done := house.database.submit(partial(thin_samples, due=due)).result(30):
            assert done <= AT_ONCE
            steps.append(done)
    return steps


def steps_of(house: House) -> Counter[int]:
    return Counter(row.step for row in house.rows(tables.samples))


def test_samples_become_minutes_then_ten_minutes_then_nothing(house: House) -> None:
    run_id = a_run(house)
    house.now -= house.now % HOUR
    sampled(house, run_id, range(0, 3600, 5))
    assert thin(house) == []
    house.now += DAY + HOUR // 2
    assert sum(thin(house)) == 360
    assert steps_of(house) == {0: 360, 60: 30}
    house.now += HOUR // 2
    assert sum(thin(house)) == 360
    assert steps_of(house) == {60: 60}
    first = min(house.rows(tables.samples), key=lambda row: row.sender_at)
    assert json.loads(first.body) == {"cpu": [0, 27.5, 55, 12], "stage": ["55", first.sender_at + 55 * SECOND]}
    house.now += 30 * DAY
    thin(house)
    assert steps_of(house) == {600: 6}
    found = house.database.read_now(lambda c: read_samples(c, run_id, "vitals", since=None, until=None, points=500))
    assert (found.step, len(found.times)) == (600, 6)
    assert (found.smallest["cpu"][1], found.values["cpu"][1], found.largest["cpu"][1]) == (600, 897.5, 1195)
    house.now += 366 * DAY
    assert sum(thin(house)) == 6
    assert steps_of(house) == {}


def test_a_late_sample_joins_the_row_of_its_minute(house: House) -> None:
    run_id = a_run(house)
    house.now -= house.now % HOUR
    began = house.now
    sampled(house, run_id, range(0, 60, 10))
    house.now += DAY + HOUR
    thin(house)
    house.now = began
    sampled(house, run_id, range(5, 6), late=2 * DAY)
    house.now = began + 4 * DAY
    assert thin(house) == [1]
    (row,) = house.rows(tables.samples)
    assert json.loads(row.body)["cpu"] == [0, (0 + 10 + 20 + 30 + 40 + 50 + 5) / 7, 50, 7]


def test_runs_and_kinds_are_kept_apart(house: House) -> None:
    first, second = a_run(house, "one"), a_run(house, "two")
    house.now -= house.now % HOUR
    for run_id in (first, second):
        for kind in ("vitals", "progress"):
            sampled(house, run_id, range(0, 60, 5), kind)
    house.now += 2 * DAY
    thin(house)
    assert Counter((row.run_id, row.kind, row.step) for row in house.rows(tables.samples)) == dict.fromkeys(
        [(run_id, kind, 60) for run_id in (first, second) for kind in ("vitals", "progress")], 1
    )


def test_for_ever_is_for_ever(house: House) -> None:
    run_id = a_run(house)
    sampled(house, run_id, range(0, 60, 5))
    house.now += 5000 * DAY
    assert thin(house, SamplesKept(None, None, None)) == []
    assert steps_of(house) == {0: 12}


def test_what_an_agent_tells_of_its_machine_is_a_sample(house: House) -> None:
    house.study()
    agent = Agent(house, "gpu-1")
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    for at in (0, 1, 10):
        house.now += at * SECOND
        agent.send(job, (0, 1, 2)[(0, 1, 10).index(at)], wire.SampleItem(house.now, {"cpu": 50.0, "disk_write": 80.5}))
    found = house.database.read_now(lambda c: read_samples(c, job.run_id, "vitals", since=None, until=None, points=500))
    # The one a second later was too soon.
    assert (len(found.times), found.values["disk_write"]) == (2, [80.5, 80.5])


def percents(house: House, run_id: str) -> list[float | str | None]:
    return house.database.read_now(
        lambda c: read_samples(c, run_id, "progress", since=None, until=None, points=500)
    ).values["percent"]


def test_the_last_that_a_run_says_is_sampled_when_it_ends(house: House) -> None:
    house.study("agents")
    agent = Agent(house, "gpu-1")
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    told = {"type": "overall_progress", "total": 100}
    for offset, (pause, percent) in enumerate([(0, 10), (6, 50), (1, 75), (1, 100)]):
        house.now += pause * SECOND
        agent.send(job, offset, wire.MessageItem(house.now, {**told, "current": percent}))
    assert percents(house, job.run_id) == [10, 50]
    last = house.now
    house.now += 60 * SECOND
    house.do(runs.give_up, job.run_id, "burnt down", "test")
    assert percents(house, job.run_id) == [10, 50, 100]
    assert max(row.sender_at for row in house.rows(tables.samples)) == last


def test_a_bare_run_ends_with_a_sample_and_what_is_sampled_already_stays_one(house: House) -> None:
    def say(**message: object) -> str:
        said = GuiUpdate(machine_id="203.0.113.9", message=message, timestamp=house.now / SECOND)
        run_id = house.hear(gui_message(said, house.moment, "203.0.113.9"))
        assert isinstance(run_id, str)
        return run_id

    run_id = say(type="overall_progress", current=20, total=100)
    house.pass_time(1)
    say(type="overall_progress", current=40, total=100)
    say(type="finished", message="Study finished successfully")
    assert percents(house, run_id) == [20]
    house.pass_time(60)
    assert percents(house, run_id) == [20, 40]
    house.pass_time(120)
    again = say(type="sim_details", count=1, total=1, details="one more")
    say(type="overall_progress", current=30, total=100)
    assert again != run_id
    house.do(runs.give_up, again, "burnt down", "test")
    assert percents(house, again)[-1] == 30
    (last,) = [row for row in house.rows(tables.samples) if row.run_id == again]
    assert json.loads(last.body) == {"percent": 30, "sim_index": 1, "sim_total": 1}
    silent = a_run(house)
    house.do(runs.give_up, silent, "burnt down", "test")
    assert {row.run_id for row in house.rows(tables.samples)} == {run_id, again}

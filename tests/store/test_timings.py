"""What finished simulations teach: found by a reader, noted once by the writer, without a look at those of before."""

from functools import partial
from typing import Any

from sqlalchemy import select

from goliat_monitoring.store import runs, studies, tables, timings
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import KEYS, Agent, House
from tests.store.test_lifecycle import claim
from tests.store.test_strangers import PHI, join, say, start

TOOK = 300


def computed(house: House) -> wire.Job:
    """The run of an agent that did all of a study, each simulation in the same time."""
    house.study()
    agent = Agent(house, "gpu-1")
    job = claim(house, agent)

    def say(offset: int, **message: Any) -> None:
        agent.send(job, offset, wire.MessageItem(sent_at=house.now, message=message))

    for number, key in enumerate(KEYS):
        details = f"thelonious, 700MHz, x_pos, {key.rsplit('_', 1)[1]}"
        say(2 * number, type="sim_details", count=number + 1, total=len(KEYS), details=details)
        house.now += TOOK * SECOND
        say(2 * number + 1, type="stage_progress", name="Extracting Results", current=1, total=1)
    return job


def due(house: House) -> list[timings.Lesson]:
    return house.database.read_now(partial(timings.due, now=house.now))


def keep(house: House, lessons: list[timings.Lesson]) -> None:
    house.database.submit(partial(timings.keep, lessons=lessons)).result(30)


def test_what_two_servers_found_is_noted_once(house: House) -> None:
    computed(house)
    ours, theirs = due(house), due(house)
    keep(house, ours)
    keep(house, theirs)
    assert due(house) == []
    noted = [(row.phantom, row.frequency, row.seconds) for row in house.rows(tables.timings)]
    assert noted == [("thelonious", "700", TOOK)] * len(KEYS)


def test_a_study_that_was_deleted_meanwhile_teaches_nothing(house: House) -> None:
    job = computed(house)
    lessons = due(house)
    assert len(lessons) == len(KEYS)
    house.do(runs.give_up, job.run_id, "gone", "anna")
    (study,) = house.rows(tables.super_studies)
    house.do(studies.delete_study, study.id, "anna")
    keep(house, lessons)
    assert (house.rows(tables.timings), due(house)) == ([], [])


def test_a_run_by_hand_teaches_once_it_belongs_to_a_study(house: House) -> None:
    _, silent, stranger = start(house)
    house.now += TOOK * SECOND
    say(house, {"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1})
    keep(house, due(house))
    assert (house.rows(tables.timings), due(house)) == ([], [])
    say(house, {"type": "sim_details", "count": 2, "total": 2, "details": PHI})
    join(house, silent, stranger)
    keep(house, due(house))
    assert [row.seconds for row in house.rows(tables.timings)] == [TOOK]


def test_what_was_learned_is_not_gone_through(house: House) -> None:
    computed(house)
    keep(house, due(house))
    if house.database.engine.dialect.name == "sqlite":
        query = select(tables.simulations.c.id).where(tables.TO_LEARN).order_by(tables.simulations.c.id).limit(9)
        text = query.compile(compile_kwargs={"literal_binds": True})
        plan = house.database.read_now(lambda c: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all())
        assert "ix_simulations_to_learn" in str(plan)

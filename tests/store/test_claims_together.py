"""Many agents that ask at the same moment: nobody gets what another has, and all of them cost a few statements."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select, text

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import claims, tables, workers
from goliat_monitoring.store.claims import Ask, Turn, claim_together
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.agent import Job, MessageItem
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import House
from tests.store.noting import JOURNEY, journeys, noted_statements
from tests.store.test_scheduling import Gpu, audited, part, study

CLAIMERS = 50


def together(house: House, *agents: Gpu) -> list[Any]:
    asked = [Ask(house.moment, agent.worker_id, agent.session_id) for agent in agents]
    return list(house.database.submit(lambda connection: claim_together(connection, asked)).result(30))


def jobs(answers: list[Any]) -> list[Job]:
    assert all(isinstance(answer, Turn) for answer in answers)
    return [answer.job for answer in answers if answer.job is not None]


def test_fifty_claimers_that_never_rest_get_each_assignment_once(house: House) -> None:
    study(house, "first", 120, priority=1)
    study(house, "second", 180)
    # A fresh worker for each claim, so that nothing but claims happens.
    free = [Gpu(house, f"m{number}") for number in range(320)]
    granted: list[Job] = []

    async def claimer() -> None:
        while free:
            agent = free.pop()
            house.now += 1
            turn = await house.database.write_together(
                claim_together, Ask(house.moment, agent.worker_id, agent.session_id)
            )
            if turn.job is not None:
                granted.append(turn.job)

    async def all_of_them() -> None:
        await asyncio.gather(*(claimer() for _ in range(CLAIMERS)))

    asyncio.run(all_of_them())
    assert len(granted) == 300
    assert max(Counter(job.assignment_id for job in granted).values()) == 1
    assert len({job.fence for job in granted}) == 300
    rows = house.rows(tables.runs)
    # A group happens at one moment.
    assert len({row.claimed_at for row in rows}) < 100, (
        "they were answered one by one: this proved nothing about groups"
    )
    assert {(row.id, row.assignment_id) for row in rows} == {(job.run_id, job.assignment_id) for job in granted}
    assert {(row.state, row.attempt) for row in rows} == {("claimed", 1)}
    assert {row.state for row in house.rows(tables.assignments)} == {"RUNNING"}
    assert audited(house) == []


def test_a_hundred_claims_take_no_more_statements_than_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    study(house, "s", 200)
    agents = [Gpu(house, f"m{number}") for number in range(101)]
    statements = noted_statements(house, monkeypatch)
    together(house, agents[0])
    alone = len([text for text in statements if text != JOURNEY])
    statements.clear()
    assert len(jobs(together(house, *agents[1:]))) == 100
    asked = [text for text in statements if text != JOURNEY]
    # SQLite takes inserts in portions.
    assert 6 <= len([text for text in asked if not text.startswith("INSERT")]) <= alone <= 10
    assert len(asked) <= 20


def test_a_group_of_claims_is_three_journeys(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    study(house, "s", 20)
    agents = [Gpu(house, f"m{number}") for number in range(20)]
    if house.database.engine.dialect.name == "sqlite":
        pytest.skip("a file is no journey away")
    statements = noted_statements(house, monkeypatch)
    together(house, *agents)
    # Who asks and what waits; the heads of the lane; the claims. With them go BEGIN and, by itself, COMMIT.
    assert journeys(statements) == 3, statements


def test_claims_read_no_table_from_end_to_end_though_they_were_planned_while_it_was_empty(house: House) -> None:
    if house.database.engine.dialect.name == "sqlite":
        pytest.skip("it has one plan, whatever is in the tables")
    tell = text("SELECT pg_stat_force_next_flush()")
    read = text("SELECT relname, seq_tup_read FROM pg_stat_user_tables")

    def rows_read() -> dict[str, int]:
        house.database.submit(lambda connection: connection.execute(tell)).result(30)
        rows = house.database.read_now(lambda c: c.execute(read).all())
        return {str(name): int(count) for name, count in rows}

    # As autovacuum finds them: small or empty, which looks as if reading all of it cost nothing.
    house.database.submit(lambda connection: connection.execute(text("ANALYZE"))).result(30)
    study(house, "s", 200)
    agents = [Gpu(house, f"m{number}") for number in range(100)]
    for number in range(0, 40, 4):
        together(house, *agents[number : number + 4])
    before = rows_read()
    granted = jobs(together(house, *agents[40:70])) + jobs(together(house, *agents[70:]))
    for agent, job in zip(agents[40:], granted, strict=True):
        said = {"type": "sim_details", "count": 1, "total": 2, "details": job.cases[0].details}
        agent.send(job, 0, MessageItem(house.now, said))
    after = rows_read()
    assert {name: count - before[name] for name, count in after.items() if count != before[name]} == {}


def test_each_of_a_group_gets_its_own_answer(house: House) -> None:
    study(house, "s", 4)
    working, lost_answer, paused, dead, free, twice = (Gpu(house, name) for name in "abcdef")
    job = working.work()
    working.line(job, "at work", "info")
    again = lost_answer.work()
    house.do(workers.set_wish, paused.worker_id, "paused", "anna")
    old = dead.session_id
    dead.life()
    dead.session_id = old
    answers = together(house, working, lost_answer, paused, dead, free, twice, twice)
    assert isinstance(answers[0], Refused)
    assert answers[0].extra == {"runId": job.run_id}
    assert answers[1].job.run_id == again.run_id
    assert answers[1].job.fence != again.fence
    assert answers[2] == Turn(None, "paused")
    assert isinstance(answers[3], Refused)
    assert answers[3].extra == {"sessionEnded": True}
    assert answers[4].job.index == 2
    assert answers[5].job.run_id == answers[6].job.run_id, "one worker got two runs"
    assert answers[5].job.index == 3
    assert twice.beat(answers[6].job).directive == "continue"
    assert audited(house) == []


def test_first_attempts_further_ones_and_lost_ones_in_one_group(house: House) -> None:
    study(house, "s", 3)
    vanished, failing = Gpu(house, "vanished"), Gpu(house, "failing")
    left = vanished.work()
    vanished.line(left, "at work", "info")
    house.now += 1
    others = [Gpu(house, f"m{number}") for number in range(3)]
    failing.fail(failing.work(), "a rare failure")
    house.pass_time(60)
    got = jobs(together(house, *others))
    assert sorted((job.index, job.attempt) for job in got) == [(1, 2), (2, 1)]
    house.pass_time(40 * 60)
    for agent in others:
        agent.life()
    (late,) = jobs(together(house, others[2]))
    assert (late.index, late.attempt) == (0, 2)
    assert house.row(tables.runs, left.run_id).state == RunState.LOST
    assert part(house, late).state == "RUNNING"
    assert audited(house) == []


def test_a_claim_needs_no_look_at_what_a_worker_did_before(house: House) -> None:
    study(house, "s", 1)
    agent = Gpu(house, "a")
    statement = select(tables.runs.c.id).where(tables.runs.c.worker_id == agent.worker_id, tables.LIVE_RUN)
    if house.database.engine.dialect.name == "sqlite":
        plan = house.database.read_now(
            lambda c: c.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {statement.compile(compile_kwargs={'literal_binds': True})}"
            ).all()
        )
        assert "ix_runs_live_of_worker" in str(plan)
    assert agent.work().index == 0


def test_the_moment_of_a_group_is_that_of_its_newest_claim(house: House) -> None:
    study(house, "s", 2)
    first, second = Gpu(house, "a"), Gpu(house, "b")
    asked = [Ask(Moment(house.now + at), agent.worker_id, agent.session_id) for at, agent in ((0, first), (7, second))]
    house.database.submit(lambda connection: claims.claim_together(connection, asked)).result(30)
    assert {row.claimed_at for row in house.rows(tables.runs)} == {house.now + 7}

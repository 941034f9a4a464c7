"""Heartbeats that wait in one group: rows, answers, events and topics are as if each had come in a group of its own."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import agents, claims, runs, studies, tables, workers
from goliat_monitoring.store.beats import AgentBeat, beat_together
from goliat_monitoring.store.calls import Call
from goliat_monitoring.store.database import Database
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import CONFIG, Agent, House
from tests.store.noting import JOURNEY, journeys, noted_statements

MACHINES = 3
# What is another one each time.
RANDOM = {("runs", "log_token"), ("runs", "fence_hash"), ("events", "id"), ("assignments", "fence_hash")}
_numbers = count()


@dataclass
class Plan:
    """How one machine stands when the heartbeats begin."""

    run: str
    wish: str
    session_over: bool


@dataclass
class Said:
    """One heartbeat of a machine; which session and run it names, and how the time goes on before it."""

    machine: int
    session: str
    run: str
    fence: str
    vitals: dict[str, float]
    notes: list[str]
    skew_s: int
    step_s: int
    ip: str


def mostly(usual: str, *others: str) -> st.SearchStrategy[str]:
    return st.sampled_from([usual] * 3 * len(others) + list(others))


PLANS = st.builds(
    Plan,
    run=st.sampled_from(["claimed", "running", "unreachable", "unreachable", "stop", "kill", "lost"]),
    wish=mostly("active", "paused", "removed"),
    session_over=st.sampled_from([False] * 5 + [True]),
)
BEATS = st.builds(
    Said,
    machine=st.integers(0, MACHINES - 1),
    session=mostly("own", "earlier", "another's", "unknown"),
    run=mostly("own", "none", "another's", "unknown"),
    fence=mostly("own", "none", "wrong"),
    vitals=st.sampled_from([{}, {"gpu": 20.0}, {"gpu": 90.5, "cpu": 7.0}]),
    notes=st.lists(st.sampled_from(["disk_low", "no_gpu", 'a "note" \\ of \x00 {any}, kind']), max_size=2),
    skew_s=st.sampled_from([0, 0, 120, -3600]),
    step_s=st.sampled_from([0, 0, 5, 61]),
    ip=st.sampled_from(["198.51.100.7", "203.0.113.5"]),
)


@dataclass
class Machine:
    worker_id: str
    earlier: str
    session_id: str
    job: wire.Job


class Told(House):
    """A house that notes which topics changed."""

    def __init__(self, url: str) -> None:
        self.topics: list[frozenset[str]] = []
        super().__init__(Database(url, self.topics.append))

    def queue(self, beat: AgentBeat) -> "Future[wire.BeatReply]":
        call: Call[wire.BeatReply] = Call(None, beat_together, beat)
        future = call.wait_in_thread()
        self.database.writer.queue(call)
        return future

    def one_by_one(self, beats: Sequence[AgentBeat]) -> "list[Future[wire.BeatReply]]":
        futures = []
        for beat in beats:
            futures.append(self.queue(beat))
            futures[-1].exception(30)
        return futures

    def at_once(self, beats: Sequence[AgentBeat]) -> "list[Future[wire.BeatReply]]":
        """While these come, the writer has something else to do."""
        entered, gate = threading.Event(), threading.Event()

        def wait(_connection: Connection) -> None:
            entered.set()
            gate.wait(30)

        self.database.submit(wait)
        entered.wait(30)
        futures = [self.queue(beat) for beat in beats]
        gate.set()
        for future in futures:
            future.exception(30)
        return futures


@pytest.fixture
def told(database_url: str) -> Iterator[Told]:
    house = Told(database_url)
    house.database.start()
    yield house
    house.database.close()


def fleet(connection: Connection, moment: Moment) -> list[Machine]:
    """Machines with two lives behind them and a run each, all of one new study."""
    studies.create(
        connection, moment, name=f"s{next(_numbers)}", description="", base_config=CONFIG,
        split_configs=[CONFIG] * MACHINES, actor="test",
    )  # fmt: skip
    machines = []
    for number in range(MACHINES):
        who, facts = wire.Fingerprint(f"m{number}", f"m{number}", "boot"), wire.Facts(hostname=f"m{number}")
        worker_id = agents.enrol(connection, moment, wire.Enrol(who, facts), "127.0.0.1").worker_id
        opened = wire.OpenSession(who, facts, moment.now)
        first, second = (
            agents.open_session(connection, moment, worker_id, opened, "127.0.0.1").session_id for _ in range(2)
        )
        job = claims.claim_next_for_agent(connection, moment, worker_id, second)
        assert job is not None
        machines.append(Machine(worker_id, first, second, job))
    return machines


def bring_about(connection: Connection, moment: Moment, machines: Sequence[Machine], plans: Sequence[Plan]) -> None:
    for it, plan in zip(machines, plans, strict=True):
        run_id = it.job.run_id
        if plan.run in ("running", "unreachable"):
            runs.change_state(connection, moment, runs.get(connection, run_id), RunState(plan.run))
        elif plan.run in ("stop", "kill"):
            runs.ask(connection, moment, run_id, plan.run, "anna")
        elif plan.run == "lost":
            runs.give_up(connection, moment, run_id, "it burns", "anna")
        if plan.wish == "paused":
            workers.set_wish(connection, moment, it.worker_id, "paused", "anna")
        elif plan.wish == "removed":
            connection.execute(update(tables.workers).where(tables.workers.c.id == it.worker_id).values(wish="removed"))
        if plan.session_over:
            agents.end_session(connection, moment, it.worker_id, wire.EndSession(it.session_id), "127.0.0.1")


def stop_all(connection: Connection, _moment: Moment) -> None:
    """Nobody is given what is left of this."""
    connection.execute(update(tables.super_studies).values(cancelled=True))


def beats_of(machines: Sequence[Machine], said: Sequence[Said], now: int) -> list[AgentBeat]:
    beats = []
    for one in said:
        now += one.step_s * SECOND
        own, other = machines[one.machine], machines[(one.machine + 1) % MACHINES]
        session = {"own": own.session_id, "earlier": own.earlier, "another's": other.session_id, "unknown": "s\x22\\"}
        named = {"own": own.job.run_id, "another's": other.job.run_id, "unknown": "no {run}"}.get(one.run)
        fence = {"own": own.job.fence, "wrong": other.job.fence}.get(one.fence)
        run = None if named is None else wire.RunSummary(named)
        beat = wire.Beat(session[one.session], now + one.skew_s * SECOND, run, one.vitals, one.notes)
        beats.append(AgentBeat(Moment(now), own.worker_id, fence, beat, one.ip))
    return beats


def names_of(house: House, machines: Sequence[Machine]) -> dict[str, str]:
    """What is random about a fleet, by what it is."""
    names = {machines[0].job.super_study_id: "study"}
    for number, it in enumerate(machines):
        names |= {it.worker_id: f"worker {number}", it.earlier: f"earlier {number}", it.session_id: f"session {number}",
                  it.job.run_id: f"run {number}", it.job.assignment_id: f"assignment {number}"}  # fmt: skip
    (epoch,) = [row.value for row in house.rows(tables.server_facts) if row.name == "epoch"]
    return names | {epoch: "epoch"}


def plain(found: object, names: Mapping[str, str]) -> str:
    text = repr(found)
    for key, name in names.items():
        text = text.replace(key, name)
    return text


def stored(house: House, names: Mapping[str, str], events_after: int) -> dict[str, list[str]]:
    """All rows that a heartbeat might touch, as far as they are of this fleet."""
    of = {
        tables.workers: "id", tables.sessions: "id", tables.runs: "id", tables.assignments: "id",
        tables.log_tail: "run_id", tables.log_repeats: "run_id", tables.events: "worker_id",
    }  # fmt: skip

    def look(connection: Connection) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for table, key in of.items():
            query = select(table).where(table.c[key].in_(names))
            if table is tables.events:
                query = query.where(table.c.id > events_after).order_by(table.c.id)
            rows = [
                {name: value for name, value in row.items() if (table.name, name) not in RANDOM}
                for row in connection.execute(query).mappings()
            ]
            texts = [plain(row, names) for row in rows]
            found[table.name] = texts if table is tables.events else sorted(texts)
        return found

    return house.database.read_now(look)


def answers(futures: "Sequence[Future[wire.BeatReply]]", names: Mapping[str, str]) -> list[str]:
    said: list[Any] = []
    for future in futures:
        problem = future.exception(30)
        if problem is None:
            said.append(future.result())
        else:
            assert isinstance(problem, Refused)
            said.append((problem.status, problem.body()))
    return [plain(one, names) for one in said]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(PLANS, min_size=MACHINES, max_size=MACHINES), said=st.lists(BEATS, min_size=1, max_size=10)
)  # fmt: skip
def test_told_at_once_they_leave_what_they_leave_one_by_one(told: Told, plans: list[Plan], said: list[Said]) -> None:
    twins = [told.do(fleet) for _ in range(2)]
    for twin in twins:
        told.do(bring_about, twin, plans)
    last = max(row.id for row in told.rows(tables.events))
    outcomes = []
    for twin, tell in zip(twins, (told.one_by_one, told.at_once), strict=True):
        told.topics.clear()
        futures = tell(beats_of(twin, said, told.now + SECOND))
        names = names_of(told, twin)
        topics = frozenset[str]().union(*told.topics)
        outcomes.append((answers(futures, names), sorted(plain(it, names) for it in topics), stored(told, names, last)))
    assert len(told.topics) <= 1, "they were not told at once"
    assert outcomes[1] == outcomes[0]
    told.do(stop_all)


def test_one_that_cannot_be_stored_fails_alone(told: Told) -> None:
    machines = told.do(fleet)
    said = [Said(number, "own", "own", "own", {}, [], 0, 0, "198.51.100.7") for number in range(MACHINES)]
    beats = beats_of(machines, said, told.now)
    beats[1].said.sent_at = 2**70
    first, second, third = told.at_once(beats)
    assert (first.result().lease_s, third.result().lease_s) == (600.0, 600.0)
    assert not isinstance(second.exception(), Refused | None)
    heard = {row.id: row.ip for row in told.rows(tables.workers)}
    assert [heard[it.worker_id] for it in machines] == ["198.51.100.7", "127.0.0.1", "198.51.100.7"]


def test_many_cost_about_as_many_statements_as_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.study(parts=21)
    agents_of = [Agent(house, f"m{number}") for number in range(21)]
    jobs = [house.do(claims.claim_next_for_agent, it.worker_id, it.session_id) for it in agents_of]
    beats = []
    for it, job in zip(agents_of, jobs, strict=True):
        assert job is not None
        said = wire.Beat(it.session_id, house.now, wire.RunSummary(job.run_id), {"gpu": 97.0})
        beats.append(AgentBeat(house.moment, it.worker_id, job.fence, said, "127.0.0.1"))
    house.database.submit(partial(beat_together, group=beats)).result(30)
    statements = noted_statements(house, monkeypatch)
    sqlite = house.database.engine.dialect.name == "sqlite"
    for group, most in ((beats[:1], 6), (beats[1:], 9 if sqlite else 6)):
        statements.clear()
        house.database.submit(partial(beat_together, group=group)).result(30)
        asked = [text for text in statements if text != JOURNEY]
        assert len(asked) <= most, asked
        if not sqlite:
            assert journeys(statements) == 2, statements

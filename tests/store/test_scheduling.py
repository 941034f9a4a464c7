"""The queue against a real database: order, requirements, retries, workers set aside, actions. The clock is stepped."""

import json
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from goliat_monitoring.fleet.audit import Event, audit
from goliat_monitoring.fleet.claims import Candidate, claim_order
from goliat_monitoring.fleet.leases import is_its_turn, may_be_offered
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.fleet.timing import HOUR
from goliat_monitoring.fleet.why import Machine, Waiting, may_have
from goliat_monitoring.store import (
    actions,
    again,
    agents,
    assignments,
    claims,
    queue,
    remains,
    retries,
    runs,
    stalls,
    studies,
    tables,
    workers,
)
from goliat_monitoring.store.read.completeness import proven_of
from goliat_monitoring.store.read.outlook import look_ahead
from goliat_monitoring.store.read.studies import list_studies
from goliat_monitoring.store.read.why import why
from goliat_monitoring.study.cases import enumerate_cases
from goliat_monitoring.study.requirements import parse
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import CONFIG, KEYS, Agent, House

GB = 10**9
MINUTE = 60
WIDE: dict[str, Any] = {
    **CONFIG,
    "phantoms": ["thelonious", "duke"],
    "frequencies_mhz": [700, 900],
}


class Gpu(Agent):
    """An agent with a GPU."""

    def __init__(self, house: House, name: str, gb: int = 24, tags: tuple[str, ...] = ()) -> None:
        super().__init__(house, name)
        self.facts = wire.Facts(hostname=name, vram_bytes=gb * GB, gpu_name="RTX 4090", cpu_cores=8, tags=list(tags))
        self.life()

    def life(self) -> None:
        asked = wire.OpenSession(self.fingerprint, self.facts, self.house.now)
        self.session_id = self.house.do(agents.open_session, self.worker_id, asked, "127.0.0.1").session_id

    def claim(self) -> wire.Job | None:
        self.beat()
        return self.house.do(claims.claim_next_for_agent, self.worker_id, self.session_id)

    def work(self) -> wire.Job:
        job = self.claim()
        assert job is not None
        return job

    def line(self, job: wire.Job, text: str, level: str = "error", offset: int = 0) -> None:
        item = wire.LineItem(time=self.house.now, level=level, source="status", text=text)
        self.send(job, offset, item)

    def end(self, job: wire.Job, items: int, code: int | None = 1, cause: wire.EndCause = "exited") -> str:
        said = wire.End(cause, code, self.house.now, "s1", items)
        return self.house.do(agents.end, self.worker_id, job.run_id, job.fence, said).state

    def fail(self, job: wire.Job, text: str = "no such phantom 'dukee'") -> None:
        self.line(job, text)
        assert self.end(job, 1) == "failed"

    def out_of_memory(self, job: wire.Job) -> None:
        self.send(job, 0, wire.MessageItem(self.house.now, {"type": "memory_error", "message": "bad allocation"}))
        assert self.end(job, 1, 42) == "memory_error"


def study(house: House, name: str = "study", parts: int = 1, *, config: dict[str, Any] | None = None, priority: int = 0,
          needs: tuple[str, ...] = ()) -> str:  # fmt: skip
    house.now += SECOND
    return house.do(
        studies.create, name=name, description="", base_config=config or CONFIG,
        split_configs=[config or CONFIG] * parts, actor="test", priority=priority, requirements=parse(needs),
    )  # fmt: skip


def put(house: House, table: Any, row_id: str, **values: object) -> None:
    """Change a row behind the rules' back."""
    house.database.submit(lambda c: c.execute(update(table).where(table.c.id == row_id).values(**values))).result(30)


def new_row(house: House, table: Any, **values: object) -> None:
    house.database.submit(lambda c: c.execute(insert(table).values(**values))).result(30)


def part(house: House, job_or_id: wire.Job | str) -> Any:
    return house.row(tables.assignments, job_or_id if isinstance(job_or_id, str) else job_or_id.assignment_id)


def answer(house: House, assignment_id: str) -> str:
    return house.database.read_now(lambda c: why(c, house.now, assignment_id)).answer


def audited(house: House) -> list[str]:
    log = [
        Event(row.id, row.at, row.kind, row.run_id, row.assignment_id, row.worker_id, json.loads(row.data))
        for row in house.rows(tables.events)
    ]
    return [fault.text for fault in audit(log)]


def test_priority_then_the_older_study_then_the_index(house: House) -> None:
    study(house, "old", 2)
    study(house, "new", 1)
    urgent = study(house, "urgent", 1)
    house.do(actions.set_priority, urgent, 5, "anna")
    taken = [Gpu(house, f"m{i}").work() for i in range(4)]
    assert [(job.study_name, job.index) for job in taken] == [("urgent", 0), ("old", 0), ("old", 1), ("new", 0)]
    assert Gpu(house, "m9").claim() is None
    assert audited(house) == []


def test_a_worker_gets_what_it_is_fit_for(house: House) -> None:
    study(house, "large", 1, needs=("vram>=24",), priority=9)
    study(house, "tagged", 1, needs=("tag=fast",), priority=5)
    study(house, "any", 1)
    small, fast, big = Gpu(house, "small", 8), Gpu(house, "fast", 8, ("fast",)), Gpu(house, "big", 24)
    assert [it.work().study_name for it in (small, fast, big)] == ["any", "tagged", "large"]


def test_requirements_of_one_study_may_differ_and_keep_their_order(house: House) -> None:
    made = study(house, "mixed", 3)
    first = [row for row in house.rows(tables.assignments) if row.super_study_id == made]
    demand = '{"vramGb":24.0}'
    put(house, tables.assignments, first[1].id, requirements=demand)
    small, big = Gpu(house, "small", 8), Gpu(house, "big", 24)
    assert small.work().index == 0
    assert big.work().index == 1
    assert Gpu(house, "other", 8).work().index == 2


def test_a_paused_study_rests_and_a_paused_worker_too(house: House) -> None:
    made = study(house, parts=2)
    agent = Gpu(house, "m")
    house.do(actions.pause, made, "anna")
    assert agent.claim() is None
    house.do(actions.resume, made, "anna")
    house.do(workers.set_wish, agent.worker_id, "paused", "anna")
    assert agent.claim() is None
    house.do(workers.set_wish, agent.worker_id, "active", "anna")
    assert agent.work().index == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_database_gives_out_exactly_what_the_rules_say(house: House, seed: int) -> None:
    dice = random.Random(seed)
    made = []
    for number in range(5):
        made.append(study(house, f"s{number}", 5, priority=dice.choice([0, 0, 3])))
        needs = [parse(text).to_json() for text in ([], ["vram>=24"], ["tag=lab"])]
        state = {"paused": dice.random() < 0.15, "retries_stopped": dice.choice(["", "", "same text"])}
        put(house, tables.super_studies, made[-1], **state)
    fleet = [Gpu(house, "a", 8), Gpu(house, "b", 24), Gpu(house, "c", 48, ("lab",))]
    for row in house.rows(tables.assignments):
        again = dice.random() < 0.6
        values: dict[str, Any] = {"requirements": json.dumps(dice.choice(needs), separators=(",", ":"))}
        if again:
            values |= {
                "attempts": 1,
                "not_before": dice.choice([None, house.now - 1, house.now + 1]),
                "prefer_until": dice.choice([None, house.now - 1, house.now + 1]),
                "vram_above": dice.choice([None, 8 * GB, 24 * GB]),
            }
            run = {"id": f"run-{row.id}", "assignment_id": row.id, "worker_id": dice.choice(fleet).worker_id,
                   "kind": "agent", "state": "failed", "cause": dice.choice(["error", "licence", "memory"]),
                   "claimed_at": 1, "lease_until": 1}  # fmt: skip
            new_row(house, tables.runs, **run)
        elif dice.random() < 0.4:
            # Held by a worker that is not heard: not yet on offer, on offer, or its turn.
            values["state"] = "RUNNING"
            held = {"id": f"run-{row.id}", "assignment_id": row.id, "worker_id": dice.choice(fleet).worker_id,
                    "kind": "agent", "state": "unreachable", "claimed_at": 1,
                    "lease_until": house.now - dice.choice([19, 20, 59, 60, 90]) * MINUTE * SECOND}  # fmt: skip
            new_row(house, tables.runs, **held)
        put(house, tables.assignments, row.id, **values)
    for worker, study_id in ((fleet[0], made[0]), (fleet[1], made[3])):
        new_row(house, tables.set_aside, super_study_id=study_id, worker_id=worker.worker_id, at=1, reason="x")
    while True:
        asking = dice.sample(fleet, dice.randint(1, len(fleet)))
        facts = {gpu.worker_id: house.row(tables.workers, gpu.worker_id).facts for gpu in asking}
        found = {who: free.assignment_id for who, free in house.do(queue.deal, facts).items()}
        expected = dict[str, str]()
        for gpu in asking:
            turn = _by_the_rules(house, gpu)
            if turn is not None:
                expected[gpu.worker_id] = turn
                put(house, tables.assignments, turn, state="COMPLETED")
                put(house, tables.runs, f"run-{turn}", state="lost")
        assert found == expected
        if not expected and len(asking) == len(fleet):
            return


def _by_the_rules(house: House, gpu: Gpu) -> str | None:
    """What the pure rules would give this worker."""
    by_id = {row.id: row for row in house.rows(tables.super_studies)}
    out = {(row.super_study_id, row.worker_id) for row in house.rows(tables.set_aside)}
    failed = {(r.assignment_id, r.worker_id) for r in house.rows(tables.runs) if r.cause in ("error", "memory")}
    live = {r.assignment_id: r for r in house.rows(tables.runs) if r.state == "unreachable"}
    fit = []
    for row in house.rows(tables.assignments):
        of = by_id[row.super_study_id]
        waiting = Waiting(
            AssignmentState(row.state), queue.requirements_of(row.requirements), of.paused, of.cancelled,
            of.retries_stopped, row.attempts, row.not_before, row.prefer_until,
            frozenset(w for a, w in failed if a == row.id), row.vram_above,
        )  # fmt: skip
        facts = house.row(tables.workers, gpu.worker_id).facts
        aside = "x" if (of.id, gpu.worker_id) in out else ""
        machine = queue.machine_of(facts)
        candidate = Candidate(row.id, of.priority, of.created_at, row._mapping["index"], study_id=of.id)
        if row.id not in live:
            if may_have(waiting, Machine(gpu.worker_id, "m", machine, set_aside=aside), house.now):
                fit.append(candidate)
            continue
        run, stopped = live[row.id], of.paused or of.cancelled or aside or live[row.id].worker_id == gpu.worker_id
        on_offer = may_be_offered(RunState.UNREACHABLE, run.lease_until, house.now) and not stopped
        if on_offer and queue.requirements_of(row.requirements).meets(machine).met:
            overdue = is_its_turn(run.lease_until, house.now)
            fit.append(replace(candidate, unreachable=True, overdue=overdue))
    return claim_order(fit)[0].assignment_id if fit else None


def test_memory_errors_look_for_a_larger_gpu(house: House) -> None:
    study(house)
    small, big = Gpu(house, "small", 8), Gpu(house, "big", 24)
    job = small.work()
    small.out_of_memory(job)
    row = part(house, job)
    assert (row.state, row.vram_above, row.not_before) == ("PENDING", 8 * GB, house.now + 30 * SECOND)
    assert "tried again from" in answer(house, job.assignment_id)
    assert big.claim() is None
    house.pass_time(30)
    assert small.claim() is None
    assert big.work().attempt == 2
    assert audited(house) == []


def test_without_a_larger_gpu_the_same_one_tries_again(house: House) -> None:
    study(house)
    small = Gpu(house, "small", 8)
    small.out_of_memory(small.work())
    house.pass_time(30)
    assert small.work().attempt == 2


def test_nobody_waits_for_ever_for_a_better_worker(house: House) -> None:
    study(house)
    small, big = Gpu(house, "small", 8), Gpu(house, "big", 24)
    small.out_of_memory(small.work())
    house.do(workers.set_wish, big.worker_id, "paused", "anna")
    house.pass_time(31 + HOUR // SECOND)
    small.life()
    assert small.work().attempt == 2


def test_an_error_is_tried_on_another_worker_and_only_there(house: House) -> None:
    study(house)
    one, two = Gpu(house, "one"), Gpu(house, "two")
    job = one.work()
    for _ in range(2):
        house.pass_time(8 * MINUTE)
        one.beat(job)
        two.beat()
    one.fail(job, "ERROR during simulation: grid")
    house.pass_time(30)
    assert one.claim() is None
    two.life()
    assert two.work().attempt == 2


def test_the_only_worker_does_not_try_an_error_again(house: House) -> None:
    study(house)
    one = Gpu(house, "one")
    job = one.work()
    one.fail(job)
    assert (part(house, job).state, part(house, job).ask) == (
        "FAILED", "it failed, and there is no other worker to try it on",
    )  # fmt: skip
    assert "no other worker" in answer(house, job.assignment_id)


def test_the_same_early_failure_on_two_workers_asks_a_person(house: House) -> None:
    study(house)
    one, two, three = (Gpu(house, name) for name in ("one", "two", "three"))
    one.fail(one.work(), "cannot open C:\\a\\duke.sab")
    house.pass_time(30)
    job = two.work()
    two.fail(job, "cannot open /b/duke.sab")
    row = part(house, job)
    assert row.state == "FAILED"
    assert "same text on two workers" in row.ask
    assert {run.cause for run in house.rows(tables.runs)} == {"input"}
    house.do(assignments.requeue, row.id, "anna")
    assert three.work().attempt == 3


def test_the_same_early_failure_in_several_assignments_stops_the_studys_retries(house: House) -> None:
    made = study(house, parts=4)
    one, two = Gpu(house, "one"), Gpu(house, "two")
    first, second = one.work(), two.work()
    one.fail(first)
    two.fail(second)
    assert (part(house, first).state, part(house, second).state) == ("PENDING", "FAILED")
    stopped = house.row(tables.super_studies, made).retries_stopped
    assert "same text in 2 assignments" in stopped
    house.pass_time(5 * MINUTE)
    # What was never tried goes on; what failed waits for a person.
    assert (one.work().index, two.work().index) == (2, 3)
    assert "Nothing of its study is tried again" in answer(house, first.assignment_id)
    assert Gpu(house, "three").claim() is None
    assert house.do(actions.retry_failed, made, "anna") == 1
    assert Gpu(house, "four").work().index == 0
    assert audited(house) == []


def test_a_licence_shortage_waits_and_counts_for_nothing(house: House) -> None:
    study(house)
    one = Gpu(house, "one")
    for attempt in range(1, 9):
        job = one.work()
        assert job.attempt == attempt
        one.fail(job, "Could not check out a license for iSolve")
        row = part(house, job)
        assert row.state == "PENDING"
        assert row.not_before == house.now + min(120 * 2 ** (attempt - 1), 1800) * SECOND
        house.pass_time(1801)
    assert not house.rows(tables.set_aside)


def test_three_failures_set_a_worker_aside_until_a_person_takes_it_back(house: House) -> None:
    made = study(house, parts=6)
    bad, good = Gpu(house, "bad"), Gpu(house, "good")
    for number in range(3):
        bad.fail(bad.work(), f"error {'xyz'[number]}")
    assert bad.claim() is None
    assert house.row(tables.workers, bad.worker_id).wish == "active"
    assert good.work().index == 3
    found = house.database.read_now(lambda c: why(c, house.now, _assignment(house, 4)))
    assert {it.name: it.ok for it in found.workers} == {"bad": False, "good": False}
    assert "set aside" in " ".join(v.text for it in found.workers for v in it.verdicts if not v.ok)
    study(house, "another")
    other = bad.work()
    assert other.study_name == "another"
    house.do(runs.cancel, other.run_id, "anna")
    assert house.do(retries.lift, made, bad.worker_id, "anna")
    assert not house.do(retries.lift, made, bad.worker_id, "anna")
    kinds = Counter(row.kind for row in house.rows(tables.events))
    assert (kinds["worker_set_aside"], kinds["worker_taken_back"]) == (1, 1)


def _assignment(house: House, index: int) -> str:
    return str(next(r.id for r in house.rows(tables.assignments) if r._mapping["index"] == index))


def test_a_retry_computes_only_what_is_missing(house: House) -> None:
    study(house, config=WIDE)
    one, two = Gpu(house, "one"), Gpu(house, "two")
    job = one.work()
    assert len(job.cases) == 8
    done = [case.key for case in job.cases if case.key.startswith("thelonious") or "900" in case.key]
    house.do(assignments.mark_cases, job.assignment_id, job.run_id, dict.fromkeys(done, "done"))
    house.do(runs.give_up, job.run_id, "its disk died", "anna")
    again = two.work()
    assert [case.key for case in again.cases] == [f"duke/700MHz/{key.rsplit('/', 1)[1]}" for key in KEYS]
    assert [case.key for case in enumerate_cases(again.config)] == [case.key for case in again.cases]
    assert "6 of 8 simulations are done. This attempt computes the 2 that are missing: duke · 700 MHz." in house.log(
        again.run_id
    )
    # A lost answer is answered again with the same.
    same = two.work()
    assert (same.run_id, same.config, same.cases) == (again.run_id, again.config, again.cases)
    at = house.now
    for number, case in enumerate(same.cases):
        two.send(
            same, 2 * number,
            wire.MessageItem(at + number * 10 * SECOND, {
                "type": "sim_details", "count": number + 1, "total": 2, "details": case.details}),
            wire.MessageItem(at + (number * 10 + 5) * SECOND, {
                "type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1}),
        )  # fmt: skip
    assert two.end(same, 4, 0) == "succeeded"
    row = part(house, same)
    assert (row.state, row.done_weight) == ("COMPLETED", pytest.approx(row.weight))
    assert all(case.state == "done" for case in house.rows(tables.cases))
    assert audited(house) == []


def test_what_an_unreachable_worker_holds_is_foretold_to_another(house: House) -> None:
    made = study(house, parts=3)
    one, gone = Gpu(house, "one"), Gpu(house, "gone")
    job, lost = one.work(), gone.work()
    one.send(job, 0)

    def seconds() -> dict[str, float]:
        return dict(house.database.read_now(lambda c: look_ahead(c, house.now)).studies[made].machine_s)

    assert set(seconds()) == {one.worker_id, gone.worker_id}
    whole = sum(seconds().values())
    for minutes in (5, 6):
        house.pass_time(minutes * MINUTE)
        one.beat(job)
    assert house.row(tables.runs, lost.run_id).state == "unreachable"
    assert set(seconds()) == {one.worker_id}
    assert seconds()[one.worker_id] == pytest.approx(whole, rel=0.1), "it takes all of it"
    # For an hour in all it may come back to it; then it is what `one` gets next, before what nobody had.
    for _ in range(12):
        house.pass_time(5 * MINUTE)
        one.beat(job)
    assert one.end(job, 0, 0) == "finished_with_errors"
    assert one.work().assignment_id == lost.assignment_id
    assert house.row(tables.runs, lost.run_id).state == "lost"
    assert audited(house) == []


def retry(house: House, study_id: str) -> list[int]:
    planned = again.plan(house.database.read_now(lambda c: remains.begun(c, study_id)))
    return house.do(again.study, study_id, planned, "anna")


def retry_one(house: House, assignment_id: str) -> list[int]:
    planned = again.plan(house.database.read_now(lambda c: remains.begun_one(c, assignment_id)))
    return house.do(again.one, assignment_id, planned, "anna")


# Judging a run would take back what it has no evidence for.
EARLIER = "an earlier run"


def stopped_after(house: House, agent: Gpu, done: list[str] | int) -> wire.Job:
    """A run that a person ended, of an assignment of which some was done."""
    job = agent.work()
    keys = [case.key for case in job.cases[:done]] if isinstance(done, int) else done
    house.do(assignments.mark_cases, job.assignment_id, EARLIER, dict.fromkeys(keys, "done"))
    house.do(runs.cancel, job.run_id, "anna")
    agent.end(job, 0, None, "killed")
    assert part(house, job).state == "FAILED"
    return job


def progress(house: House, study_id: str) -> tuple[float, int, int]:
    """Percent, proven and expected simulations."""
    (found,) = house.database.read_now(lambda c: list_studies(c, study_id=study_id))
    proven = house.database.read_now(lambda c: proven_of(c, study_id))
    return found.progress, proven.proven, proven.expected


@pytest.mark.parametrize("whole_study", [True, False])
def test_a_persons_retry_computes_nothing_that_is_proven(house: House, whole_study: bool) -> None:
    made = study(house, config=WIDE, needs=("vram>=8",))
    one = Gpu(house, "one")
    # The rest of an ordered beginning is no product of lists: one config would ask for all 8.
    job = stopped_after(house, one, 3)
    before = progress(house, made)
    assert before[1:] == (3, 8)
    new = retry(house, made) if whole_study else retry_one(house, job.assignment_id)
    assert new == [1, 2, 3][: len(new)]
    assert progress(house, made) == before
    old = part(house, job)
    assert (old.state, old.replaced_at, old.weight) == ("CANCELLED", house.now, pytest.approx(old.done_weight))
    assert house.row(tables.runs, job.run_id).assignment_id == old.id, "its history stays"
    jobs = [Gpu(house, f"n{index}").work() for index in new]
    assert Counter(case.key for it in jobs for case in it.cases) == Counter(case.key for case in job.cases[3:])
    assert {it.attempt for it in jobs} == {1}
    assert {part(house, it).requirements for it in jobs} == {old.requirements}
    assert Gpu(house, "idle").claim() is None
    kinds = [(row.kind, row.actor) for row in house.rows(tables.events) if row.assignment_id == old.id][-3:]
    assert kinds == [(f"assignment_{it}", "anna") for it in ("retry", "pending", "cancelled")]
    assert [json.loads(row.data) for row in house.rows(tables.events) if row.kind == "study_split_again"] == [
        {"replaced": [0], "made": new}
    ]
    with pytest.raises(Refused, match="split again"):
        retry_one(house, old.id)
    assert audited(house) == []


def test_a_retry_replaces_only_what_one_config_cannot_ask_for(house: House) -> None:
    made = study(house, parts=3, config=WIDE)
    agents_of = [Gpu(house, f"m{number}") for number in range(3)]
    none, half, odd = (stopped_after(house, it, done) for it, done in zip(agents_of, (0, 4, 7 - 2), strict=True))
    before = progress(house, made)
    new = retry(house, made)
    assert new[0] == 3
    assert progress(house, made) == before
    states = {row._mapping["index"]: row.state for row in house.rows(tables.assignments)}
    assert states == {0: "PENDING", 1: "PENDING", 2: "CANCELLED", **dict.fromkeys(new, "PENDING")}
    asked = {it.index: len(it.cases) for it in (Gpu(house, f"n{i}").work() for i in range(2 + len(new)))}
    assert (asked[0], asked[1]) == (len(none.cases), len(half.cases) - 4)
    assert sum(asked[index] for index in new) == len(odd.cases) - 5
    assert audited(house) == []


def test_what_is_combined_comes_again_whole_and_stays_done_until_then(house: House) -> None:
    config = {**WIDE, "auto_induced": {"enabled": True}}
    made = study(house, config=config)
    keys = [case.key for case in enumerate_cases(config)]
    # Half of the first block and of the last lack; one config would ask for all four blocks.
    stopped_after(house, Gpu(house, "one"), keys[1:-1])
    before = progress(house, made)
    new = retry(house, made)
    assert progress(house, made) == before
    jobs = [Gpu(house, f"n{index}").work() for index in new]
    assert sorted(case.key for it in jobs for case in it.cases) == sorted([*keys[:2], *keys[-2:]])
    done = [row for row in house.rows(tables.cases) if row.state == "done" and row.case_key in (keys[1], keys[-2])]
    assert [row.run_id for row in done] == [EARLIER] * 2, "its results are shown until there are others"
    assert {row.assignment_id for row in done} <= {it.assignment_id for it in jobs}
    assert audited(house) == []


def test_a_retry_of_what_went_on_meanwhile_is_refused(house: House) -> None:
    made = study(house, config=WIDE)
    job = stopped_after(house, Gpu(house, "one"), 3)
    planned = again.plan(house.database.read_now(lambda c: remains.begun(c, made)))
    house.pass_time(1)
    house.do(assignments.requeue, job.assignment_id, "bert")
    with pytest.raises(Refused, match="went on meanwhile"):
        house.do(again.study, made, planned, "anna")
    assert part(house, job).state == "PENDING"
    assert len(house.rows(tables.assignments)) == 1


def test_a_cancelled_study_gives_nothing_out_and_ends_what_runs(house: House) -> None:
    made = study(house, parts=3)
    one, gone = Gpu(house, "one"), Gpu(house, "gone")
    job, lost = one.work(), gone.work()
    one.send(job, 0)
    house.pass_time(5 * MINUTE)
    one.beat(job)
    house.pass_time(6 * MINUTE)
    assert house.row(tables.runs, lost.run_id).state == "unreachable"
    assert house.do(actions.cancel_study, made, "anna") == 2
    assert house.row(tables.runs, lost.run_id).state == "cancelled"
    assert one.beat(job).directive == "kill"
    assert one.end(job, 0, None, "killed") == "cancelled"
    assert {row.state for row in house.rows(tables.assignments)} == {"CANCELLED"}
    with pytest.raises(Refused):
        gone.beat(lost)
    with pytest.raises(Refused, match="cancelled"):
        house.do(actions.resume, made, "anna")
    with pytest.raises(Refused, match="cancelled"):
        house.do(assignments.requeue, job.assignment_id, "anna")
    assert audited(house) == []


def test_a_cancelled_assignment_ends_with_its_run(house: House) -> None:
    study(house, parts=2)
    one = Gpu(house, "one")
    job = one.work()
    house.do(actions.cancel_assignment, job.assignment_id, "anna")
    assert part(house, job).state == "RUNNING"
    one.end(job, 0, None, "killed")
    assert part(house, job).state == "CANCELLED"
    waiting = _assignment(house, 1)
    house.do(actions.cancel_assignment, waiting, "anna")
    assert part(house, waiting).state == "CANCELLED"
    with pytest.raises(Refused, match="CANCELLED"):
        house.do(actions.cancel_assignment, waiting, "anna")
    actors = {row.actor for row in house.rows(tables.events) if row.kind == "assignment_cancel_asked"}
    assert actors == {"anna"}


def test_a_killed_run_whose_machine_vanished_is_over_when_its_lease_ends(house: House) -> None:
    study(house)
    one = Gpu(house, "one")
    job = one.work()
    house.do(actions.cancel_assignment, job.assignment_id, "anna")
    house.pass_time(11 * MINUTE)
    assert house.row(tables.runs, job.run_id).state == "cancelled"
    assert part(house, job).state == "CANCELLED"


def test_what_waits_is_split_again_and_stays_exact(house: House) -> None:
    made = study(house, parts=1, config=WIDE, needs=("vram>=8",))
    one = Gpu(house, "one")
    job = one.work()
    done = [case.key for case in job.cases[:3]]
    house.do(assignments.mark_cases, job.assignment_id, job.run_id, dict.fromkeys(done, "done"))
    house.do(runs.give_up, job.run_id, "gone", "anna")
    read = house.database.read_now
    waiting = read(lambda c: remains.pending(c, made))
    cut = remains.cut(waiting, number=4)
    indices = house.do(remains.replace, made, waiting, cut, "anna")
    assert indices == [1, 2, 3, 4]
    with pytest.raises(Refused, match="went on meanwhile"):
        house.do(remains.replace, made, waiting, cut, "anna")
    rows = {row._mapping["index"]: row for row in house.rows(tables.assignments)}
    assert (rows[0].state, rows[0].weight) == ("CANCELLED", pytest.approx(rows[0].done_weight))
    with pytest.raises(Refused, match="split again"):
        house.do(assignments.requeue, rows[0].id, "anna")
    asked = Counter(row.case_key for row in house.rows(tables.cases) if row.state != "moved")
    assert asked == Counter(case.key for case in job.cases)
    assert all(rows[i].requirements == rows[0].requirements for i in indices)
    assert [Gpu(house, f"n{i}").work().index for i in range(4)] == indices
    with pytest.raises(Refused, match="nothing waits"):
        read(lambda c: remains.pending(c, made))
    assert audited(house) == []


def test_a_study_is_made_of_what_is_missing(house: House) -> None:
    made = study(house, parts=2, config=WIDE, priority=7)
    one = Gpu(house, "one")
    job = one.work()
    done = [case.key for case in job.cases[:5]]
    house.do(assignments.mark_cases, job.assignment_id, "an earlier run", dict.fromkeys(done, "done"))
    with pytest.raises(Refused, match="nothing is missing"):
        house.database.read_now(lambda c: remains.failed(c, made))
    one.fail(job)
    failed = house.database.read_now(lambda c: remains.failed(c, made))
    assert [it.index for it in failed] == [0]
    new = house.do(remains.create_from, made, "rest", remains.cut(failed), "anna")
    keys = [c.case_key for c in house.rows(tables.cases)
            if house.row(tables.assignments, c.assignment_id).super_study_id == new]  # fmt: skip
    assert Counter(keys) == Counter(case.key for case in job.cases[5:])
    assert house.row(tables.super_studies, new).priority == 7


def test_a_solver_that_fails_again_and_again_waits_for_a_licence(house: House) -> None:
    study(house)
    one = Gpu(house, "one")
    job = one.work()
    for number in range(1, 8):
        one.line(job, f"iSolve failed, retry attempt {number}", "warning", number - 1)
        house.pass_time(60)
        one.beat(job)
        house.do(stalls.look_after)
    row = house.row(tables.runs, job.run_id)
    assert row.flag == "waiting_for_licence"
    assert "no licence" in row.flag_reason
    one.line(job, "[PROGRESS]: 5% [1/50] Time Update, estimated remaining time 1 hours @ 900.5 MCells/s",
             "default", 7)  # fmt: skip
    house.do(stalls.look_after)
    row = house.row(tables.runs, job.run_id)
    assert (row.flag, row.state) == ("", "running")


def test_failed_starts_that_healed_are_not_counted(house: House) -> None:
    study(house)
    one = Gpu(house, "one")
    job = one.work()
    sequence = 0
    for attempts in (2, 2, 2, 1):
        for number in range(1, attempts + 1):
            one.line(job, f"iSolve failed, retry attempt {number}", "warning", sequence)
            sequence += 1
            house.pass_time(20)
        if attempts == 2:
            one.line(job, "[PROGRESS]: 5% [1/50] Time Update, estimated remaining time 1 hours @ 900.5 MCells/s",
                     "default", sequence)  # fmt: skip
            sequence += 1
    for _ in range(6):
        house.pass_time(60)
        one.beat(job)
        house.do(stalls.look_after)
    assert house.row(tables.runs, job.run_id).flag == "", "a large grid takes minutes to load"


def test_a_run_that_hangs_is_flagged_and_ended_only_if_asked(house: House) -> None:
    study(house)
    one, two = Gpu(house, "one"), Gpu(house, "two")
    job = one.work()
    one.line(job, "begin", "default")
    for minute in range(45):
        house.pass_time(60)
        one.beat(job)
        two.beat()
        one.send(job, minute + 1, wire.SampleItem(house.now, {"gpu": 0.0, "cpu": 1.0}))
        house.do(stalls.look_after)
    row = house.row(tables.runs, job.run_id)
    assert (row.flag, row.state) == ("stalled", "running")
    moment = type(house.moment)(house.now, end_stalled_after=10 * 60 * SECOND)
    house.database.submit(lambda c: stalls.look_after(c, moment)).result(30)
    row = house.row(tables.runs, job.run_id)
    assert (row.state, row.flag) == ("failed", "")
    assert "stalled" in row.reason
    with pytest.raises(Refused):
        one.beat(job)
    house.pass_time(30)
    two.life()
    assert two.work().attempt == 2


def test_next_change_is_when_time_alone_brings_work(house: House) -> None:
    study(house)
    one, two = Gpu(house, "one", 8), Gpu(house, "two", 24)
    assert house.do(queue.next_change) is None
    job = one.work()
    one.out_of_memory(job)
    assert house.do(queue.next_change) == house.now + 30 * SECOND
    house.pass_time(31)
    row = part(house, job)
    assert house.do(queue.next_change) == row.prefer_until
    job = two.work()
    house.pass_time(11 * MINUTE)
    until = house.row(tables.runs, job.run_id).lease_until + 20 * MINUTE * SECOND
    assert house.do(queue.next_change) == until
    house.pass_time(20 * MINUTE)
    assert house.do(queue.next_change) is None
    one.life()
    assert one.work().attempt == 3


def test_actions_are_events_with_their_actor(house: House) -> None:
    made = study(house)
    agent = Gpu(house, "m")
    house.do(actions.pause, made, "anna")
    house.do(actions.resume, made, "bert")
    house.do(actions.set_priority, made, 3, "carl")
    house.do(workers.set_wish, agent.worker_id, "stopping", "dora")
    house.do(actions.cancel_study, made, "emil")
    found = house.database.read_now(
        lambda c: c.execute(
            select(tables.events.c.kind, tables.events.c.actor).where(tables.events.c.actor.in_(
                ["anna", "bert", "carl", "dora", "emil"])).order_by(tables.events.c.id)
        ).all()
    )  # fmt: skip
    assert [tuple(row) for row in found] == [
        ("study_paused", "anna"), ("study_resumed", "bert"), ("study_priority", "carl"), ("worker_wish", "dora"),
        ("study_cancelled", "emil"), ("assignment_cancelled", "emil"),
    ]  # fmt: skip
    # An agent that is started again takes work again.
    agent.life()
    assert house.row(tables.workers, agent.worker_id).wish == "active"

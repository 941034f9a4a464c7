"""What is read of the whole fleet: each value under its name, in brief the same, and no look at what is long over."""

from typing import Any

import msgspec
from sqlalchemy import Row, insert, update

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import claims, tables
from goliat_monitoring.store.read import runs as read_runs
from goliat_monitoring.store.read.overview import open_studies
from goliat_monitoring.store.read.runs import RunBrief, RunSummary, newest_per_worker
from goliat_monitoring.store.read.underway import under_way
from goliat_monitoring.store.read.workers import WorkerBrief, WorkerView, list_briefly, list_workers
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import Agent, House

AGO = 1_700_000_000 * SECOND
DERIVED_OF_RUN = {"live", "worker_name", "animation", "index", "study_id", "study_name"}
PLAIN_OF_WORKER = {
    "id",
    "kind",
    "machine_id",
    "hostname",
    "label",
    "ip",
    "wish",
    "clock_skew",
    "last_seen",
    "created_at",
}


def claim(house: House, agent: Agent) -> str:
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    return job.run_id


def change(house: House, table: Any, key: str, **values: Any) -> None:
    house.database.submit(lambda c: c.execute(update(table).where(table.c.id == key).values(**values))).result(30)


def add(house: House, table: Any, **values: Any) -> None:
    house.database.submit(lambda c: c.execute(insert(table).values(**values))).result(30)


def add_run(house: House, key: str, worker: str, state: str, claimed_at: int, **more: Any) -> None:
    given = {"kind": "agent", "lease_until": claimed_at, "claimed_at": claimed_at, "state": state, **more}
    add(house, tables.runs, id=key, worker_id=worker, **given)


def add_worker(house: House, key: str, **more: Any) -> None:
    add(house, tables.workers, **{"id": key, "kind": "bare", "last_seen": house.now, "created_at": AGO, **more})


def views(house: House, *, with_removed: bool = False) -> list[WorkerView]:
    return house.database.read_now(lambda c: list_workers(c, house.now, with_removed=with_removed))


def briefs(house: House, *, with_removed: bool = False) -> list[WorkerBrief[RunBrief]]:
    return house.database.read_now(lambda c: list_briefly(c, house.now, with_removed=with_removed))


def check_run(row: Row[Any], run: RunBrief) -> None:
    """Every field that is a column holds that column."""
    for name in {*type(run).__struct_fields__} - DERIVED_OF_RUN:
        assert getattr(run, name) == row._mapping[name], name
    assert run.live is not RunState(row.state).terminal


def test_each_field_holds_the_column_of_its_name(house: House) -> None:
    (assignment,) = house.study("named")
    agent = Agent(house, "rig")
    run = claim(house, agent)
    # Another value in each column, so that no two can be taken for each other.
    apart = {
        column.name: column.name if str(column.type) == "TEXT" else AGO + place
        for place, column in enumerate(tables.runs.c)
        if column.name in RunSummary.__struct_fields__
        and column.name not in {"id", "worker_id", "assignment_id", "attempt", "state", "animation", "exit_code",
                                "sim_index", "sim_total", "warnings", "errors", "done_cases"}
    }  # fmt: skip
    small = {"exit_code": 3, "sim_index": 4, "sim_total": 5, "warnings": 6, "errors": 7, "done_cases": 8}
    change(house, tables.runs, run, **apart, **small, animation='{"estimate":1}')
    told = {"vitals": '{"gpu":97.5}', "notes": '["disk_low"]', "conditions": '{"disk_low":5}'}
    plain = {"label": "left", "clock_skew": 9, "price_per_hour": 0.5}
    change(house, tables.workers, agent.worker_id, **plain, **told, gpu_trace="[7,1,[50.0]]")
    (view,), (brief,) = views(house), briefs(house)
    row = house.row(tables.runs, run)
    assert view.run is not None
    assert brief.run is not None
    check_run(row, view.run)
    check_run(row, brief.run)
    study = house.row(tables.super_studies, house.row(tables.assignments, assignment).super_study_id)
    assert (view.run.worker_name, view.run.index) == ("left", 0)
    assert (view.run.study_id, view.run.study_name) == (study.id, "named")
    assert view.run.animation == {"estimate": 1}
    worker = house.row(tables.workers, agent.worker_id)
    for name in PLAIN_OF_WORKER:
        assert getattr(brief, name) == worker._mapping[name], name
    assert (view.name, view.conditions, view.gpu_trace) == ("left", {"disk_low": 5}, (7, 1, [50.0]))
    assert (brief.vitals, brief.notes, brief.own_price, brief.price_per_hour) == ({"gpu": 97.5}, ["disk_low"], 0.5, 0.5)


def test_in_brief_the_same_is_told(house: House) -> None:
    parts = house.study("mixed", parts=4)
    busy, over, free, aside = (Agent(house, name) for name in ("busy", "over", "free", "aside"))
    runs = {agent: claim(house, agent) for agent in (busy, over, aside)}
    change(house, tables.runs, runs[over], state="failed", ended_at=house.now)
    change(house, tables.runs, runs[aside], state="succeeded", ended_at=house.now)
    add_run(house, "later", over.worker_id, "succeeded", house.now + 1)
    study = house.row(tables.assignments, parts[0]).super_study_id
    add(house, tables.set_aside, worker_id=aside.worker_id, super_study_id=study, reason="?", at=house.now)
    add(house, tables.gpu_prices, gpu="4090", price_per_hour=0.4, updated_at=house.now)
    change(house, tables.workers, free.worker_id, facts='{"gpuName":"RTX 4090"}', wish="draining")
    change(house, tables.workers, busy.worker_id, left_at=house.now)
    for hostname, ago in (("a", 0), ("b", 5), ("c", 100_000)):
        add_worker(house, f"bare-{hostname}", machine_id="same", hostname=hostname, last_seen=house.now - ago * SECOND)
    add_worker(house, "gone", machine_id="gone", wish="removed")
    for with_removed in (False, True):
        long, short = views(house, with_removed=with_removed), briefs(house, with_removed=with_removed)
        assert [it.id for it in short] == [it.id for it in long]
        assert ("gone" in {it.id for it in short}) is with_removed
        for view, brief in zip(long, short, strict=True):
            same = msgspec.structs.asdict(brief)
            run = same.pop("run")
            assert same == {name: getattr(view, name) for name in same}
            assert (run is None) is (view.run is None)
            assert run is None or all(getattr(run, it) == getattr(view.run, it) for it in RunBrief.__struct_fields__)
    told = {it.id: it for it in briefs(house)}
    assert told["bare-a"].ambiguous == ["bare-b"]
    assert told["bare-c"].ambiguous == []
    assert (told[free.worker_id].state, told[free.worker_id].price_per_hour) == ("draining", 0.4)
    assert told[aside.worker_id].set_aside == ["mixed"]
    assert told[busy.worker_id].has_left


def test_a_live_run_counts_before_newer_ones_that_are_over(house: House) -> None:
    for worker in ("one", "two", "none"):
        add_worker(house, worker, machine_id=worker)
    add_run(house, "old", "one", "running", AGO)
    add_run(house, "new", "one", "failed", AGO + 9)
    for place, key in enumerate(("x", "z", "y")):
        add_run(house, key, "two", "lost", AGO + (place > 0))
    newest = house.database.read_now(newest_per_worker)
    assert {key: run.id for key, run in newest.items()} == {"one": "old", "two": "z"}
    add_run(house, "a-newer-live-one", "one", "claimed", AGO + 1)
    for found in (
        house.database.read_now(newest_per_worker),
        house.database.read_now(lambda c: newest_per_worker(c, ["one", "two"])),
        house.database.read_now(read_runs.briefs_per_worker),
    ):
        assert {key: run.id for key, run in found.items()} == {"one": "a-newer-live-one", "two": "z"}


def test_lists_do_not_go_through_the_runs_of_the_past(house: House) -> None:
    if house.database.engine.dialect.name != "sqlite":
        return
    agent = Agent(house, "rig")
    house.study("short")
    claim(house, agent)
    with house.database.read_engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        asked: list[str] = []
        raw.set_trace_callback(asked.append)
        list_workers(connection, house.now)
        list_briefly(connection, house.now)
        under_way(connection)
        open_studies(connection)
        raw.set_trace_callback(None)
        of_runs = [sql for sql in asked if "runs" in sql]
        assert len(of_runs) == 5
        for sql in of_runs:
            plan = [str(row[3]) for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}")]
            gone_through = [step for step in plan if step.startswith("SCAN ")]
            # The live runs, or all workers (`who`, `w`).
            assert all(step.endswith("ix_runs_live") or step.startswith("SCAN w") for step in gone_through), plan

"""What the writer remembers of bare clients from one group of messages to the next is what is stored."""

import sqlite3
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from goliat_monitoring.store import claims, tables, workers
from goliat_monitoring.store.ingest.bare import Sender, gui_message
from goliat_monitoring.store.ingest.hear import hear
from goliat_monitoring.store.ingest.round import COLUMNS
from goliat_monitoring.store.log import window
from goliat_monitoring.store.memory import Memory
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.client import GuiUpdate, Heartbeat
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import House

MACHINES = ("m-1", "m-2", "m-3")


def logs(house: House, machine: str, sequence: int, *texts: str, level: str = "info") -> GuiUpdate:
    at = house.now / SECOND
    entries = [{"type": "status", "message": text, "log_type": level, "timestamp": at} for text in texts]
    message = {"type": "log_batch", "logs": entries, "sequence": sequence}
    return GuiUpdate(machine_id=machine, message=message, timestamp=at)


def say(house: House, *said: GuiUpdate) -> None:
    group = [gui_message(one, house.moment, "198.51.100.7") for one in said]
    house.database.submit(lambda connection: hear(connection, group)).result(30)


def remembered(house: House) -> dict[str, tuple[dict[str, Any], dict[str, Any]]] | None:
    """By machine the worker and the run as they are remembered now; None where nothing can be."""

    def look(connection: Connection) -> dict[str, tuple[dict[str, Any], dict[str, Any]]] | None:
        memory = Memory.of(connection)
        if memory is None:
            return None
        found = {machine: memory.get(machine) for machine in MACHINES}
        return {
            machine: (known.sender._asdict(), {name: getattr(known.run, name) for name in COLUMNS})
            for machine, known in found.items()
            if known is not None
        }

    return house.database.submit(look).result(30)


def stored(house: House, machine: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same from the database, by a reader."""

    def look(connection: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
        worker = connection.execute(select(tables.workers).where(tables.workers.c.machine_id == machine)).one()
        runs = tables.runs
        newest = select(runs).where(runs.c.worker_id == worker.id).order_by(runs.c.claimed_at.desc(), runs.c.id.desc())
        run = connection.execute(newest.limit(1)).one()
        sender = {name: getattr(worker, name) for name in Sender._fields if name != "newest_run_id"}
        return {**sender, "newest_run_id": run.id}, dict(run._mapping)

    return house.database.read_now(look)


def check(house: House) -> set[str]:
    """What is remembered is what is stored. Returns who is remembered."""
    known = remembered(house) or {}
    for machine, found in known.items():
        sender, run = stored(house, machine)
        assert found[0] | {"newest_run_id": run["id"]} == sender
        assert found[1] == run
    return set(known)


def somebody_else_writes(house: House) -> None:
    """On a connection of his own."""
    path = house.database.engine.url.database
    assert path is not None
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET percent = 12.5 WHERE sender_ip != ''")
    connection.close()
    assert remembered(house) == {}


def break_off(connection: Connection, house: House, machine: str) -> None:
    """A unit that fails after it changed what is remembered."""
    hear(connection, [gui_message(logs(house, machine, 7, "lost", level="error"), house.moment, "198.51.100.8")])
    raise ZeroDivisionError


def act(house: House, what: str, machine: str, number: int) -> None:
    if what == "lines":
        say(house, logs(house, machine, number, f"step {number}", f"of {machine}", level="warning"))
    elif what == "all":
        say(house, *(logs(house, one, number, f"round {number}") for one in MACHINES))
    elif what == "start":
        say(house, logs(house, machine, 0, "begins"))
    elif what in ("overall_progress", "finished", "memory_error"):
        message = {"type": what, "current": number, "total": 90, "message": "said"}
        say(house, GuiUpdate(machine_id=machine, message=message, timestamp=house.now / SECOND))
    elif what == "proof":
        say(house, logs(house, machine, number, "--- Processing Simulation 1/4: a ---"))
    elif what == "time":
        house.pass_time(number)
    elif what == "heartbeat":
        house.do(workers.hear_heartbeat, Heartbeat(machine_id=machine, hostname="h"), "198.51.100.9")
    elif what == "wish":
        for row in house.rows(tables.workers):
            house.do(workers.set_wish, row.id, ("paused", "active")[number % 2], "test")
    elif what == "claim":
        with suppress(Refused):  # it runs elsewhere
            house.do(claims.claim_by_name, house.study(f"s-{house.now}-{number}")[0], machine, "198.51.100.7")
    elif what == "rollback":
        failed = house.database.submit(lambda connection: break_off(connection, house, machine)).exception(30)
        assert isinstance(failed, ZeroDivisionError)
    else:
        change = update(tables.runs).values(directive="stop")
        house.database.submit(lambda connection: connection.execute(change) and None).result(30)
    house.now += 1000


KINDS = ("lines", "all", "start", "overall_progress", "finished", "memory_error", "proof", "time", "heartbeat", "wish",
         "claim", "rollback", "directive")  # fmt: skip
ACTIONS = st.tuples(st.sampled_from(KINDS), st.sampled_from(MACHINES), st.integers(1, 40))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, min_size=1, max_size=25))
def test_what_is_remembered_is_what_is_stored(house: House, actions: list[tuple[str, str, int]]) -> None:
    house.now += 7200 * SECOND
    for what, machine, number in actions:
        act(house, what, machine, number)
        check(house)


def test_machines_that_go_on_speaking_are_remembered(house: House) -> None:
    say(house, *(logs(house, machine, 0, "begins") for machine in MACHINES))
    for number in range(1, 4):
        house.now += SECOND
        say(house, *(logs(house, machine, number, "goes on", level="warning") for machine in MACHINES))
        house.do(_release)
        assert check(house) == (set(MACHINES) if house.database.engine.dialect.name == "sqlite" else set())


def test_what_somebody_else_wrote_is_read_again(house: House) -> None:
    say(house, logs(house, "m-1", 0, "begins"))
    say(house, logs(house, "m-1", 1, "goes on"))
    if house.database.engine.dialect.name != "sqlite":
        assert remembered(house) is None  # others may write: nothing is remembered
        return
    assert check(house) == {"m-1"}
    somebody_else_writes(house)
    say(house, logs(house, "m-1", 2, "goes on", level="error"))
    (run,) = house.rows(tables.runs)
    assert (run.percent, run.errors) == (12.5, 1)


def _release(connection: Connection, moment: Moment) -> None:
    for portion in window.due(connection, moment):
        window.release(connection, portion)
    window.forget(connection, moment)

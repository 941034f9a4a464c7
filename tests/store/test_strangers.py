"""A claim that never spoke and a machine under another address: offered, and joined when a person says so."""

import json
from functools import partial
from typing import Any

import pytest

from goliat_monitoring.fleet.audit import Event, audit
from goliat_monitoring.fleet.strangers import Offer
from goliat_monitoring.store import claims, links, runs, tables, uploads, workers
from goliat_monitoring.store.ingest.bare import gui_message
from goliat_monitoring.store.read.strangers import offers, offers_of_run
from goliat_monitoring.wire.client import GuiUpdate, Heartbeat
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import KEYS, House

OLD, NEW = "10.0.0.4", "10.8.0.9"
THETA, PHI = "thelonious, 700MHz, x_pos, theta", "thelonious, 700MHz, x_pos, phi"
PATHS = ["far_field/thelonious/700MHz/environmental_x_pos_theta", "far_field/thelonious/700MHz/environmental_x_pos_phi"]


def say(house: House, message: dict[str, Any], machine: str = NEW) -> str:
    said = GuiUpdate(machine_id=machine, message=message, timestamp=house.now / SECOND)
    run_id = house.hear(gui_message(said, house.moment, machine))
    assert isinstance(run_id, str)
    return run_id


def offered(house: House) -> list[Offer]:
    return house.database.read_now(lambda c: offers(c, house.now))


def start(house: House) -> tuple[str, str, str]:
    """(assignment, silent run, stranger's run): a claim from the old address, and the first word from the new one."""
    (assignment,) = house.study()
    house.do(workers.hear_heartbeat, Heartbeat(machine_id=OLD, hostname="lab-4"), OLD)
    silent = house.do(claims.claim_by_name, assignment, OLD, OLD)
    house.pass_time(20)
    house.do(workers.hear_heartbeat, Heartbeat(machine_id=NEW, hostname="lab-4"), NEW)
    stranger = say(house, {"type": "sim_details", "count": 1, "total": 2, "details": THETA})
    return assignment, silent, stranger


def join(house: House, silent: str, stranger: str) -> None:
    house.do(links.belongs_to, silent_id=silent, stranger_id=stranger, actor="anna")


def upload(house: House, assignment: str, path: str) -> None:
    run_id = house.database.read_now(lambda c: uploads.admit_results(c, assignment, None, NEW))
    file = uploads.StoredFile("sar_results.json", 10, path, f"key of {path}")
    if run_id is None:
        house.do(uploads.add_unattributed, assignment, NEW, path, file)
    else:
        house.do(uploads.add_artifact, run_id, path, file)


def test_a_pair_is_offered_and_never_joined_by_itself(house: House) -> None:
    assignment, silent, stranger = start(house)
    (offer,) = offered(house)
    assert (offer.silent.run_id, offer.stranger.run_id) == (silent, stranger)
    assert "it computes a simulation of this assignment" in offer.hints
    assert "its hostname is the same" in offer.hints
    house.pass_time(600)
    assert house.row(tables.runs, stranger).assignment_id is None
    assert house.row(tables.assignments, assignment).last_run_id == silent
    for run_id in (silent, stranger):
        assert len(house.database.read_now(partial(offers_of_run, now=house.now, run_id=run_id))) == 1


def test_once_the_claim_speaks_nothing_is_offered(house: House) -> None:
    _, _, _ = start(house)
    say(house, {"type": "sim_details", "count": 1, "total": 2, "details": THETA}, OLD)
    assert offered(house) == []


def test_a_person_joins_them_and_the_assignment_is_completed_by_what_the_stranger_proves(house: House) -> None:
    assignment, silent, stranger = start(house)
    upload(house, assignment, PATHS[0])
    assert len(house.rows(tables.unattributed_uploads)) == 1
    join(house, silent, stranger)

    lost, run, part = house.row(tables.runs, silent), house.row(tables.runs, stranger), None
    assert (lost.state, lost.assignment_id) == ("lost", assignment)
    assert "anna" in lost.reason
    assert (run.state, run.assignment_id, run.attempt) == ("running", assignment, 2)
    part = house.row(tables.assignments, assignment)
    assert (part.state, part.last_run_id, part.attempts) == ("RUNNING", stranger, 2)
    # What it had delivered before anybody knew counts now.
    assert house.rows(tables.unattributed_uploads) == []
    states = {row.case_key: (row.state, row.run_id) for row in house.rows(tables.cases)}
    assert states[KEYS[0]] == ("done", stranger)
    assert offered(house) == []

    say(house, {"type": "sim_details", "count": 2, "total": 2, "details": PHI})
    upload(house, assignment, PATHS[1])
    say(house, {"type": "finished", "message": "Study finished successfully"})
    house.pass_time(40)
    assert house.row(tables.runs, stranger).state == "succeeded"
    assert house.row(tables.assignments, assignment).state == "COMPLETED"
    linked = [row for row in house.rows(tables.events) if row.kind == "run_linked"]
    assert [(row.actor, row.run_id, row.assignment_id) for row in linked] == [("anna", stranger, assignment)]
    assert _faults(house) == []


def test_simulations_the_stranger_had_done_before_count_after(house: House) -> None:
    assignment, silent, stranger = start(house)
    house.pass_time(5)
    say(house, {"type": "sim_details", "count": 2, "total": 2, "details": PHI})
    house.database.submit(
        lambda c: c.execute(tables.simulations.update().where(tables.simulations.c.ordinal == 1).values(state="done"))
    ).result(30)
    join(house, silent, stranger)
    done = {row.case_key for row in house.rows(tables.cases) if row.state == "done"}
    assert done == {KEYS[0]}
    assert house.row(tables.assignments, assignment).done_weight > 0


def test_what_cannot_be_one_is_refused_and_changes_nothing(house: House) -> None:
    assignment, silent, stranger = start(house)
    for first, second, why in (
        (stranger, silent, "silent claim"),
        (silent, silent, "no stranger"),
        (silent, "nobody", "no such run"),
    ):
        with pytest.raises(Refused, match=why):
            join(house, first, second)
    house.do(runs.give_up, stranger, "gone", "anna")
    with pytest.raises(Refused, match="over already"):
        join(house, silent, stranger)
    assert house.row(tables.runs, silent).state == "claimed"
    assert house.row(tables.assignments, assignment).attempts == 1


def test_a_run_that_began_before_the_claim_is_no_strangers(house: House) -> None:
    (assignment,) = house.study()
    stranger = say(house, {"type": "sim_details", "count": 1, "total": 2, "details": THETA})
    house.pass_time(1)
    silent = house.do(claims.claim_by_name, assignment, OLD, OLD)
    assert offered(house) == []
    with pytest.raises(Refused, match="cannot be one"):
        join(house, silent, stranger)


def _faults(house: House) -> list[Any]:
    return audit(
        Event(row.id, row.at, row.kind, row.run_id, row.assignment_id, row.worker_id, json.loads(row.data))
        for row in house.rows(tables.events)
    )

"""A client with nothing but a machine id: order of its lines, its sessions, hostile content."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goliat_monitoring.store import claims, runs, tables, uploads, workers
from goliat_monitoring.store.ingest.bare import gui_message
from goliat_monitoring.wire.client import GuiUpdate, Heartbeat
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import KEYS, House

T0 = 1_800_000_000
IP = "203.0.113.9"


def say(house: House, message: dict[str, Any], at: float, machine: str = IP) -> str:
    return hear(house, GuiUpdate(machine_id=machine, message=message, timestamp=at))


def hear(house: House, said: GuiUpdate) -> str:
    run_id = house.hear(gui_message(said, house.moment, IP))
    assert isinstance(run_id, str)
    return run_id


def batch(sequence: int, *items: tuple[float, str]) -> dict[str, Any]:
    logs = [{"type": "status", "message": text, "log_type": "progress", "timestamp": at} for at, text in items]
    return {"type": "log_batch", "sequence": sequence, "logs": logs}


def numbered(house: House, run_id: str) -> list[str]:
    return [text for text in house.log(run_id) if not text.startswith(("Run ended", "The lease"))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(12)), pauses=st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_lines_of_racing_senders_come_back_in_their_own_order(
    house: House, order: list[int], pauses: list[float]
) -> None:
    machine = f"m-{house.now}"
    run_id = ""
    for i, pause in zip(order, pauses, strict=True):
        house.pass_time(pause)
        run_id = say(house, batch(i, (T0 + i, f"line {i}")), T0 + i, machine)
    assert numbered(house, run_id) == []
    house.pass_time(16)
    assert numbered(house, run_id) == [f"line {i}" for i in range(12)]


def test_equal_times_are_ordered_by_sequence_and_position(house: House) -> None:
    say(house, batch(2, (T0, "d")), T0)
    say(house, batch(0, (T0, "a"), (T0, "b")), T0)
    run_id = say(house, batch(1, (T0, "c")), T0)
    house.pass_time(16)
    assert numbered(house, run_id) == ["a", "b", "c", "d"]


def test_a_number_once_given_never_changes_and_what_comes_later_is_marked_late(house: House) -> None:
    run_id = say(house, batch(1, (T0 + 10, "ten")), T0 + 10)
    house.pass_time(16)
    say(house, batch(0, (T0 + 5, "five")), T0 + 5)
    house.pass_time(16)
    assert numbered(house, run_id) == ["ten", "five"]
    tail = sorted(house.rows(tables.log_tail), key=lambda row: row.first_line)
    assert [(row.first_line, row.late) for row in tail] == [(1, False), (2, True)]


def test_a_clock_set_back_does_not_reorder_across_the_window(house: House) -> None:
    run_id = say(house, batch(0, (T0 + 3600, "before the change")), T0 + 3600)
    house.pass_time(16)
    say(house, batch(1, (T0 + 10, "after the change")), T0 + 10)
    house.pass_time(16)
    assert numbered(house, run_id) == ["before the change", "after the change"]


def test_a_study_started_anew_is_another_run(house: House) -> None:
    first = say(house, batch(0, (T0, "first")), T0)
    house.pass_time(60)
    second = say(house, batch(0, (T0 + 60, "second")), T0 + 60)
    assert first != second
    old = house.row(tables.runs, first)
    assert (old.state, "anew" in old.reason) == ("failed", True)


def test_memory_error_then_claim_again_is_a_new_run_and_the_tail_stays_with_the_old(house: House) -> None:
    (assignment,) = house.study()
    first = house.do(claims.claim_by_name, assignment, IP, IP)
    say(house, batch(0, (T0, "first")), T0)
    say(house, {"type": "memory_error", "message": "Memory/allocation error detected", "exit_code": 42}, T0 + 5)
    say(house, {"type": "finished", "message": "Study finished with errors"}, T0 + 7)
    house.pass_time(5)
    second = house.do(claims.claim_by_name, assignment, IP, IP)
    assert second != first
    assert house.row(tables.runs, first).state == "memory_error"
    tail = {"type": "stage_progress", "name": "Memory Error", "current": 100, "total": 100}
    assert say(house, tail, T0 + 7.1) == first
    assert say(house, batch(0, (T0 + 20, "again")), T0 + 20) == second
    assert house.row(tables.runs, first).state == "memory_error"


def test_a_machine_that_asks_again_after_a_memory_error_does_not_hold_that_run(house: House) -> None:
    # GOLIAT was ended between its two messages, or the second got lost.
    (assignment,) = house.study()
    assert house.do(claims.claim_next_for_machine, IP, IP) == assignment
    first = say(house, batch(0, (T0, "first")), T0)
    assert house.do(claims.claim_next_for_machine, IP, IP) == assignment
    say(house, {"type": "memory_error", "message": "Memory/allocation error detected", "exit_code": 42}, T0 + 5)
    assert house.do(claims.claim_next_for_machine, IP, IP) is None
    house.pass_time(31)
    assert house.row(tables.runs, first).state == "memory_error"


def test_nothing_that_arrives_late_revives_a_judged_run(house: House) -> None:
    run_id = say(house, batch(0, (T0, "first")), T0)
    say(house, {"type": "finished", "message": "Study finished successfully"}, T0 + 1)
    house.pass_time(31)
    judged = house.row(tables.runs, run_id)
    assert judged.state == "finished_with_errors"
    say(house, {"type": "stage_progress", "name": "Run", "current": 0, "total": 1}, T0 + 1.5)
    after = house.row(tables.runs, run_id)
    assert (after.state, after.stage) == (judged.state, judged.stage)


def test_while_two_hosts_share_an_address_nothing_ends_a_run(house: House) -> None:
    for name in ("one", "two"):
        house.do(workers.hear_heartbeat, Heartbeat(machine_id=IP, hostname=name), IP)
    run_id = say(house, batch(0, (T0, "whose?")), T0)
    say(house, {"type": "finished", "message": "Study finished successfully"}, T0 + 1)
    house.pass_time(31)
    assert house.row(tables.runs, run_id).state == "running"
    assert numbered(house, run_id) == ["whose?"]
    assert house.rows(tables.evidence) == []


def test_results_go_to_the_run_of_their_sender_or_are_kept_for_nobody(house: House) -> None:
    (assignment,) = house.study()
    with pytest.raises(Refused, match="never claimed"):
        house.database.read_now(lambda c: uploads.admit_results(c, assignment, None, IP))
    run_id = house.do(claims.claim_by_name, assignment, IP, IP)
    assert house.database.read_now(lambda c: uploads.admit_results(c, assignment, None, IP)) == run_id
    assert house.database.read_now(lambda c: uploads.admit_results(c, assignment, None, "198.51.100.1")) is None
    path = f"far_field/{KEYS[0]}"
    house.do(
        uploads.add_unattributed,
        assignment,
        "198.51.100.1",
        path,
        uploads.StoredFile("sar_results.json", 1, "a" * 64, "k0"),
    )
    assert {row.state for row in house.rows(tables.cases)} == {"pending"}
    one = house.do(uploads.add_artifact, run_id, path, uploads.StoredFile("sar_results.json", 1, "a" * 64, "k1"))
    same = house.do(uploads.add_artifact, run_id, path, uploads.StoredFile("sar_results.json", 1, "a" * 64, "k2"))
    other = house.do(uploads.add_artifact, run_id, path, uploads.StoredFile("sar_results.json", 2, "b" * 64, "k3"))
    back = house.do(uploads.add_artifact, run_id, path, uploads.StoredFile("sar_results.json", 1, "a" * 64, "k4"))
    assert (one.version, same.version, other.version, back.version) == (1, 1, 2, 3)
    assert {row.storage_key for row in house.rows(tables.artifacts)} == {"k1", "k3", "k4"}
    assert {row.case_key: row.state for row in house.rows(tables.cases)} == {KEYS[0]: "done", KEYS[1]: "pending"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = [
    "log_batch", "terminal_only", "print", "status", "overall_progress", "stage_progress", "start_animation",
    "end_animation", "profiler_update", "sim_details", "simulation_details", "memory_error", "finished", "fatal_error",
    "something_new",
]  # fmt: skip
FIELDS = [
    "message", "logs", "sequence", "log_type", "timestamp", "current", "total", "name", "estimate", "eta_seconds",
    "count", "details", "simulation_count", "total_simulations", "current_case", "exit_code",
]  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(TYPES),
    fields=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6),
    timestamp=json_values,
)
def test_any_json_is_taken_without_an_error(house: House, kind: str, fields: dict[str, Any], timestamp: object) -> None:
    said = GuiUpdate(machine_id="hostile", message={"type": kind, **fields}, timestamp=timestamp)
    run_id = hear(house, said)
    house.pass_time(1)
    assert house.row(tables.runs, run_id).id == run_id


def test_unknown_types_are_kept_as_they_came(house: House) -> None:
    say(house, {"type": "from_the_future", "value": [1, {"a": None}]}, T0)
    (row,) = house.rows(tables.messages)
    assert (row.type, row.body) == ("from_the_future", '{"type":"from_the_future","value":[1,{"a":null}]}')


@pytest.mark.parametrize(
    "said",
    [
        GuiUpdate(message={"type": "finished"}),
        GuiUpdate(machine_id="m"),
        GuiUpdate(machine_id="m", message={}),
        GuiUpdate(machine_id="m", message={"type": 7}),
    ],
)
def test_what_cannot_be_understood_gets_400_and_leaves_nothing(house: House, said: GuiUpdate) -> None:
    with pytest.raises(Refused) as refused:
        hear(house, said)
    assert refused.value.status == 400
    assert house.rows(tables.runs) == []


def test_a_run_that_is_given_up_has_its_lines_before_the_word_about_it(house: House) -> None:
    run_id = say(house, batch(0, (T0, "the last it said")), T0)
    house.do(runs.give_up, run_id, "the machine was sold", "anna")
    assert [text.split(".")[0] for text in house.log(run_id)] == ["the last it said", "Run ended: lost"]

"""From claim to verdict: leases, fences, evidence, retries. The clock is stepped, nothing sleeps."""

from collections import Counter

import pytest

from goliat_monitoring.store import agents, claims, runs, tables, uploads, workers
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.client import Heartbeat
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from tests.store.conftest import CONFIG, KEYS, Agent, House

MINUTE = 60


def line(text: str, level: str = "progress", at: int = 0) -> wire.LineItem:
    return wire.LineItem(time=1_800_000_000 * SECOND + at * SECOND, level=level, source="status", text=text)


def message(at: int, **fields: object) -> wire.MessageItem:
    return wire.MessageItem(sent_at=1_800_000_000 * SECOND + at * SECOND, message=dict(fields))


def started(at: int, count: int, polarization: str) -> wire.MessageItem:
    details = f"thelonious, 700MHz, x_pos, {polarization}"
    return message(at, type="sim_details", count=count, total=2, details=details)


def extracted(at: int) -> wire.MessageItem:
    return message(at, type="stage_progress", name="Extracting Results", current=1, total=1)


FINISHED = {"type": "finished", "message": "Study finished successfully"}
ALL_GOOD = (started(1, 1, "theta"), extracted(10), started(11, 2, "phi"), extracted(20), message(21, **FINISHED))


def claim(house: House, agent: Agent) -> wire.Job:
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    return job


def end(house: House, agent: Agent, job: wire.Job, offset: int, exit_code: int | None = 0) -> wire.Ended:
    said = wire.End(cause="exited", exit_code=exit_code, ended_at=house.now, stream="s1", next_offset=offset)
    return house.do(agents.end, agent.worker_id, job.run_id, job.fence, said)


def test_a_run_that_proves_every_case_completes_its_assignment(house: House) -> None:
    (assignment,) = house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    assert [case.key for case in job.cases] == KEYS
    assert agent.send(job, 0, *ALL_GOOD).next == 5
    assert end(house, agent, job, 5).state == "succeeded"
    row = house.row(tables.assignments, assignment)
    assert (row.state, row.done_weight) == ("COMPLETED", pytest.approx(row.weight))
    assert Counter(case.state for case in house.rows(tables.cases)) == {"done": 2}


def test_finished_and_exit_code_0_prove_nothing(house: House) -> None:
    (assignment,) = house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, started(1, 1, "theta"), extracted(10), started(11, 2, "phi"), message(21, **FINISHED))
    judged = end(house, agent, job, 4)
    assert judged.state == "finished_with_errors"
    assert "unproven" in judged.reason
    assert "phi" in judged.reason
    assert house.row(tables.assignments, assignment).state == "FAILED"
    assert {case.case_key: case.state for case in house.rows(tables.cases)} == {KEYS[0]: "done", KEYS[1]: "pending"}


def test_lists_show_the_last_line_of_batches_that_follow_each_other_within_a_moment(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    for offset, text in enumerate(("one", "two", "three")):
        agent.send(job, offset, line(text, at=offset))
        house.now += SECOND // 100
        assert house.row(tables.runs, job.run_id).last_line == text


def test_a_repeated_batch_changes_nothing_and_a_gap_is_refused(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    assert agent.send(job, 0, line("one"), line("two")).next == 2
    assert agent.send(job, 0, line("one"), line("two")).next == 2
    assert agent.send(job, 1, line("two"), line("three")).next == 3
    with pytest.raises(Refused) as refused:
        agent.send(job, 5, line("six"))
    assert (refused.value.status, refused.value.extra) == (409, {"next": 3})
    assert house.log(job.run_id) == ["one", "two", "three"]


def test_the_end_is_refused_while_items_or_files_are_missing(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, *ALL_GOOD)
    with pytest.raises(Refused) as refused:
        end(house, agent, job, 6)
    assert refused.value.extra == {"next": 5}
    manifest = [(job.cases[0].relative_path, "sar_results.json", "a" * 64)]
    said = wire.End("exited", 0, house.now, "s1", 5, manifest=manifest)
    with pytest.raises(Refused) as refused:
        house.do(agents.end, agent.worker_id, job.run_id, job.fence, said)
    assert refused.value.extra == {"missing": [list(manifest[0])]}
    assert house.row(tables.runs, job.run_id).state == "running"


def test_a_second_claim_says_who_holds_it_and_until_when(house: House) -> None:
    (assignment,) = house.study()
    house.do(workers.hear_heartbeat, Heartbeat(machine_id="198.51.100.7", hostname="first"), "198.51.100.7")
    house.do(claims.claim_by_name, assignment, "198.51.100.7", "198.51.100.7")
    with pytest.raises(Refused) as refused:
        house.do(claims.claim_by_name, assignment, "198.51.100.8", "198.51.100.8")
    assert refused.value.status == 409
    assert "first" in refused.value.details
    assert "until" in refused.value.details


def test_a_claim_whose_answer_got_lost_gives_the_same_run_with_a_fence_that_works(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    lost = claim(house, agent)
    again = claim(house, agent)
    assert again.run_id == lost.run_id
    with pytest.raises(Refused):
        agent.send(lost, 0, line("one"))
    assert agent.send(again, 0, line("one")).next == 1


def test_an_agent_that_runs_something_gets_nothing_else(house: House) -> None:
    house.study(parts=2)
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, line("one"))
    with pytest.raises(Refused, match="already runs"):
        claim(house, agent)


def test_unreachable_is_not_failed_and_heals(house: House) -> None:
    (assignment,) = house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, line("one"))
    house.pass_time(11 * MINUTE)
    assert house.row(tables.runs, job.run_id).state == "unreachable"
    assert house.row(tables.assignments, assignment).state == "RUNNING"
    assert "lease ended" in house.log(job.run_id)[-1]
    agent.beat(job)
    assert house.row(tables.runs, job.run_id).state == "running"


def test_nothing_expires_while_the_server_is_quiet(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    house.quiet_until = house.now + 20 * MINUTE * SECOND
    house.pass_time(15 * MINUTE)
    assert house.row(tables.runs, job.run_id).state == "claimed"
    house.pass_time(6 * MINUTE)
    assert house.row(tables.runs, job.run_id).state == "unreachable"


def test_a_lost_run_goes_to_another_worker_and_its_agent_is_fenced_but_still_heard(house: House) -> None:
    (assignment,) = house.study()
    first, second = Agent(house, "win-1"), Agent(house, "win-2")
    job = claim(house, first)
    first.send(job, 0, line("one"))
    house.pass_time(11 * MINUTE)
    assert house.do(claims.claim_next_for_agent, second.worker_id, second.session_id) is None
    house.pass_time(20 * MINUTE)
    second.session_id = second.open_session().session_id
    taken = claim(house, second)
    assert taken.assignment_id == assignment
    assert taken.attempt == 2
    assert house.row(tables.runs, job.run_id).state == "lost"
    assert any("Lost" in text for text in house.log(job.run_id))
    with pytest.raises(Refused) as refused:
        first.beat(job)
    assert refused.value.extra == {"fenced": True}
    late = first.send(job, 1, line("two"))
    assert (late.late, late.directive) == (True, "kill")
    assert house.log(job.run_id)[-1] == "two"
    stored = house.do(
        uploads.add_artifact, job.run_id, job.cases[0].relative_path, uploads.StoredFile("a.txt", 1, "b" * 64, "k")
    )
    assert stored.late
    assert house.row(tables.runs, job.run_id).state == "lost"


def test_memory_errors_are_tried_again_three_times(house: House) -> None:
    (assignment,) = house.study()
    agent = Agent(house, "win-1")
    states = []
    for attempt in (1, 2, 3):
        job = claim(house, agent)
        assert job.attempt == attempt
        agent.send(job, 0, message(5, type="memory_error", message="Memory/allocation error detected", exit_code=42))
        assert end(house, agent, job, 1, exit_code=42).state == "memory_error"
        states.append(house.row(tables.assignments, assignment).state)
        house.pass_time(60)
        agent.beat()
    assert states == ["PENDING", "PENDING", "FAILED"]


def test_stop_asked_by_a_person_reaches_the_agent_and_is_no_failure_of_the_study(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, started(1, 1, "theta"))
    house.do(runs.ask, job.run_id, "stop", "anna")
    assert agent.beat(job).directive == "stop"
    assert end(house, agent, job, 1).state == "cancelled"


def test_a_draining_worker_gets_no_work(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    house.do(workers.set_wish, agent.worker_id, "draining", "anna")
    assert house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id) is None
    assert agent.beat().wish == "draining"


def test_a_cloned_disk_is_refused_and_a_restart_is_not(house: House) -> None:
    agent = Agent(house, "win-1")
    agent.open_session()
    clone = wire.Fingerprint(machine_id="win-1", hostname="win-1", boot_id="boot-2")
    asked = wire.OpenSession(clone, wire.Facts(), house.now)
    with pytest.raises(Refused) as refused:
        house.do(agents.open_session, agent.worker_id, asked, "127.0.0.1")
    assert "enrol anew" in refused.value.details
    house.pass_time(31)
    house.do(agents.open_session, agent.worker_id, asked, "127.0.0.1")


def test_an_older_life_of_the_agent_is_told_that_its_session_ended(house: House) -> None:
    agent = Agent(house, "win-1")
    old = agent.session_id
    agent.open_session()
    agent.session_id = old
    with pytest.raises(Refused) as refused:
        agent.beat()
    assert refused.value.extra == {"sessionEnded": True}


def test_deleting_a_worker_needs_force_while_it_runs_and_leaves_finished_work_alone(house: House) -> None:
    done, other = house.study(parts=2)
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, *ALL_GOOD)
    end(house, agent, job, 5)
    running = claim(house, agent)
    with pytest.raises(Refused) as refused:
        house.do(workers.remove, agent.worker_id, force=False, actor="anna")
    assert refused.value.status == 409
    house.do(workers.remove, agent.worker_id, force=True, actor="anna")
    assert house.row(tables.assignments, done).state == "COMPLETED"
    assert house.row(tables.runs, job.run_id).state == "succeeded"
    assert house.row(tables.assignments, other).state == "PENDING"
    assert house.row(tables.runs, running.run_id).state == "lost"


def test_cases_of_a_config_with_parents_are_learned_from_the_machine(house: House) -> None:
    (assignment,) = house.study(config={"extends": "base_config", **CONFIG})
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    assert job.cases == []
    assert house.row(tables.assignments, assignment).expected_total is None
    refs = [wire.CaseRef(key, f"far_field/{key}", "") for key in KEYS]
    phases = {"do_setup": True, "do_run": True, "do_extract": True}
    agent.send(job, 0, wire.CasesItem(cases=refs, phases=phases), *ALL_GOOD)
    assert house.row(tables.assignments, assignment).expected_total == 2
    assert end(house, agent, job, 6).state == "succeeded"


def test_or_their_number_from_what_the_study_announces(house: House) -> None:
    (assignment,) = house.study(config={"extends": "base_config", **CONFIG})
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, *ALL_GOOD[:2], message(21, **FINISHED))
    assert house.row(tables.assignments, assignment).expected_total == 2
    assert end(house, agent, job, 3).state == "finished_with_errors"


def test_two_hosts_behind_one_address_are_never_merged(house: House) -> None:
    for name in ("one", "two"):
        house.do(workers.hear_heartbeat, Heartbeat(machine_id="203.0.113.5", hostname=name), "203.0.113.5")
    assert sorted(row.hostname for row in house.rows(tables.workers)) == ["one", "two"]
    worker_id, ambiguous = house.do(workers.of_machine, "203.0.113.5", "203.0.113.5")
    assert ambiguous
    assert worker_id in {row.id for row in house.rows(tables.workers)}


def test_every_claim_and_end_is_in_the_event_log(house: House) -> None:
    house.study()
    agent = Agent(house, "win-1")
    job = claim(house, agent)
    agent.send(job, 0, *ALL_GOOD)
    end(house, agent, job, 5)
    kinds = [row.kind for row in house.rows(tables.events) if row.run_id == job.run_id]
    assert kinds == ["run_claimed", "run_running", "run_succeeded"]


def test_a_machine_may_wish_for_its_id(house: House) -> None:
    who = wire.Fingerprint("m", "gpu-07", "b")
    for wish, granted in (("gpu-07", True), ("../../etc", False), ("a b", False), ("", False)):
        asked = wire.Enrol(fingerprint=who, facts=wire.Facts(), worker_id=wish)
        enrolled = house.do(agents.enrol, asked, "127.0.0.1")
        assert (enrolled.worker_id == wish) is granted


def test_an_agent_that_lost_its_memory_gets_its_assignment_anew_once_its_run_is_unreachable(house: House) -> None:
    (assignment,) = house.study()
    agent = Agent(house, "win-1")
    forgotten = claim(house, agent)
    agent.send(forgotten, 0, line("one"))
    house.pass_time(11 * MINUTE)
    agent.session_id = agent.open_session().session_id
    again = claim(house, agent)
    assert (again.assignment_id, again.attempt) == (assignment, 2)
    assert house.row(tables.runs, forgotten.run_id).state == "lost"

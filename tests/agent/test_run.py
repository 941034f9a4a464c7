"""One run from its claim to its delivery, with the real server and real processes."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.agent.deaf_proxy import DeafProxy
from tests.agent.place import AgentProcess, ServerProcess, is_gone, path_of, simulate
from tests.agent.waiting import until

Agents = Callable[..., AgentProcess]
GOOD: list[dict[str, Any]] = [
    {"do": "environment"},
    {"do": "say", "text": "begin"},
    {"do": "lines", "count": 50},
    simulate(
        1, 2, "x_pos", files={"sar_results.json": "{}", "verbose.log": "one", "sar_stats_all_tissues.pkl": "\x80"}
    ),
    simulate(2, 2, "y_pos", files={"sar_results.json": '{"a": 2}', "verbose.log": "two"}),
    {"do": "finished"},
    {"do": "say", "text": "end", "kind": "terminal_only"},
]


def test_a_run_succeeds_with_every_line_and_file(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create(GOOD)
    agent = agents(server, once=True, label="gpu-1")
    agent.start()
    assert agent.wait() == 0, agent.text()
    run = server.run(assignment)
    assert run["state"] == "succeeded", run
    assert server.texts(run["id"]) == ["begin", *(f"line {n}" for n in range(50))]
    assert server.texts(run["id"], "terminal_only") == ["end"]
    noted = " ".join(server.texts(run["id"], "agent"))
    assert "Claimed assignment 0" in noted
    assert "exit code 0" in noted
    detail = server.get(f"/api/runs/{run['id']}")
    files = {(one["relativePath"], one["filename"]): one for one in detail["artifacts"]}
    assert set(files) == {
        *((path_of("x_pos"), name) for name in (
            "config.json", "sar_results.json", "verbose.log", "sar_stats_all_tissues.pkl")),
        *((path_of("y_pos"), name) for name in ("config.json", "sar_results.json", "verbose.log")),
    }  # fmt: skip
    last = files[path_of("y_pos"), "verbose.log"]
    assert server.client.get(f"/api/runs/{run['id']}/artifacts/{last['id']}").text == "two"


def test_goliat_gets_the_forced_config_and_the_hooks_environment(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create(GOOD)
    agent = agents(server, once=True)
    agent.start()
    agent.wait()
    run = server.run(assignment)
    told = json.loads((agent.workdir / "environment.json").read_text())
    config = json.loads(next((agent.workdir / "configs").iterdir()).read_text())
    assert (config["use_gui"], config["use_web"]) == (True, True)
    assert list(config)[:3] == ["study_type", "use_gui", "use_web"]
    assert told["argv"][1] == "study"
    assert told["argv"][-1] == "--auto-close"
    env = told["env"]
    assert env["GOLIAT_MONITORING_RUN_ID"] == run["id"]
    assert env["GOLIAT_ASSIGNMENT_ID"] == assignment
    assert env["GOLIAT_MACHINE_ID"] == run["workerId"]
    assert env["GOLIAT_MONITORING_RELAY"].endswith(f"/r/{run['id']}")


def test_a_goliat_without_auto_close_is_closed_by_the_hook(server: ServerProcess, agents: Agents) -> None:
    server.create(GOOD)
    agent = agents(server, once=True, environment={"NO_AUTO_CLOSE": "1"})
    agent.start()
    agent.wait()
    told = json.loads((agent.workdir / "environment.json").read_text())
    assert "--auto-close" not in told["argv"]
    assert float(told["env"]["GOLIAT_MONITORING_CLOSE_AFTER_S"]) > 0


def test_without_work_one_look_is_enough(server: ServerProcess, agents: Agents) -> None:
    agent = agents(server, once=True)
    agent.start()
    assert agent.wait() == 0
    identity = json.loads((agent.state_dir / "identity.json").read_text())
    agent.start()
    assert agent.wait() == 0
    assert json.loads((agent.state_dir / "identity.json").read_text()) == identity, "the id is kept"
    assert (agent.state_dir / "identity.json").stat().st_mode & 0o077 == 0


def test_an_agent_that_ends_itself_is_offline_at_once_and_back_with_its_next_life(
    server: ServerProcess, agents: Agents
) -> None:
    def how() -> tuple[str, bool]:
        (worker,) = [it for it in server.get("/api/workers") if it["machineLabel"] == "leaver"]
        return worker["presence"], worker["hasLeft"]

    agent = agents(server, once=True, label="leaver")
    agent.start()
    assert agent.wait() == 0, agent.text()
    assert how() == ("offline", True)
    (assignment,) = server.create([{"do": "say", "text": "here"}, {"do": "wait", "file": "go"}])
    agent.start()
    server.run(assignment, state="running")
    assert how() == ("online", False)
    # GOLIAT goes on without it: then it did not leave.
    agent.close()
    assert how() == ("online", False)


def test_a_failure_is_told_with_what_the_process_wrote(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([{"do": "stderr", "text": "ImportError: no goliat"}, {"do": "exit", "code": 3}])
    agent = agents(server, once=True)
    agent.start()
    assert agent.wait() == 1
    run = server.run(assignment)
    assert run["state"] == "failed", run
    assert run["exitCode"] == 3
    assert "ImportError: no goliat" in server.texts(run["id"], "stderr")


def test_missing_results_are_no_success(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([simulate(1, 2, "x_pos"), {"do": "finished"}])
    agent = agents(server, once=True)
    agent.start()
    assert agent.wait() == 1
    assert server.run(assignment)["state"] == "finished_with_errors"


def test_a_goliat_that_cannot_be_started_claims_nothing(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([{"do": "finished"}])
    agent = agents(server, once=True, goliat_command=["/nowhere/goliat"])
    agent.start()
    assert agent.wait() == 1
    assert server.runs(assignment) == []
    other = agents(server, once=True)
    other.start()
    other.wait()


def test_uploads_of_goliat_itself_arrive(server: ServerProcess, agents: Agents) -> None:
    """A Windows GOLIAT uploads; nothing of it needs to lie in the results folder."""
    files = {"sar_results.json": '{"up": 1}', "config.json": "{}"}
    (assignment,) = server.create([{"do": "upload", "path": path_of("x_pos"), "files": files}, {"do": "finished"}])
    agent = agents(server, once=True)
    agent.start()
    agent.wait()
    run = server.run(assignment)
    found = server.get(f"/api/runs/{run['id']}")["artifacts"]
    assert {(one["relativePath"], one["filename"]) for one in found} == {(path_of("x_pos"), name) for name in files}
    received = next((agent.state_dir / "runs").glob("*/received"))
    assert not [file for file in received.rglob("*") if file.is_file()], "the copies are deleted once they are stored"


def test_stop_is_asked_before_it_is_forced(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create(
        [{"do": "say", "text": "running"}, {"do": "wait_stop"}, {"do": "say", "text": "stopping"}, {"do": "finished"}]
    )
    agent = agents(server, once=True)
    agent.start()
    run = server.run(assignment, state="running")
    server.post(f"/api/runs/{run['id']}/stop")
    agent.wait()
    run = server.run(assignment)
    assert run["state"] == "cancelled", run
    assert server.texts(run["id"]) == ["running", "stopping"]


def test_what_does_not_stop_is_ended_with_all_it_started(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create(
        [{"do": "ignore_sigterm"}, {"do": "grandchild", "reparented": True}, {"do": "wait", "file": "never"}]
    )
    agent = agents(server, once=True, intervals={"stop_grace_s": 0.3})
    agent.start()
    pids = [agent.pid("goliat.pid"), agent.pid("grandchild.pid")]
    run = server.run(assignment)
    server.post(f"/api/runs/{run['id']}/stop")
    agent.wait()
    assert all(is_gone(pid) for pid in pids)
    assert server.run(assignment)["state"] == "cancelled"


def test_kill_does_not_wait(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([{"do": "grandchild", "marked": False}, {"do": "wait", "file": "never"}])
    agent = agents(server, once=True)
    agent.start()
    pids = [agent.pid("goliat.pid"), agent.pid("grandchild.pid")]
    server.post(f"/api/runs/{server.run(assignment)['id']}/stop", {"kill": True})
    agent.wait()
    assert all(is_gone(pid) for pid in pids)
    assert server.run(assignment)["state"] == "cancelled"


def test_children_that_outlive_goliat_are_ended(server: ServerProcess, agents: Agents) -> None:
    """A terminated GOLIAT leaves its study and its solver behind, which go on computing."""
    (assignment,) = server.create([{"do": "grandchild", "reparented": True}, {"do": "exit", "code": 0}])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("grandchild.pid")
    agent.wait()
    assert is_gone(pid)
    assert server.run(assignment)["endedAt"]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_window_left_open_is_closed_then_killed(server: ServerProcess, agents: Agents, deaf: bool) -> None:
    plan = [simulate(1, 2, "x_pos"), simulate(2, 2, "y_pos"), {"do": "finished"}, {"do": "window", "deaf": deaf}]
    (assignment,) = server.create(plan)
    agent = agents(server, once=True, intervals={"close_after_s": 0.5, "close_grace_s": 0.5})
    agent.start()
    assert agent.wait() == 0
    run = server.run(assignment)
    assert run["state"] == "succeeded"
    noted = " ".join(server.texts(run["id"], "agent"))
    assert ("did not close" in noted) is deaf
    assert is_gone(agent.pid("goliat.pid"))


def test_a_low_disk_claims_nothing(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([{"do": "finished"}])
    agent = agents(server, once=False, limits={"disk_low": 1 << 60})
    agent.start()

    def shown() -> str:
        identity = agent.state_dir / "identity.json"
        if not identity.exists():
            return ""
        return json.dumps(server.get(f"/api/workers/{json.loads(identity.read_text())['workerId']}"))

    until(lambda: "disk_low" in shown(), "the server shows that the disk is low")
    assert server.runs(assignment) == []
    agent.close()
    other = agents(server, once=True)
    other.start()
    other.wait()


def test_the_id_of_the_machine_is_honoured_and_kept(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create(GOOD)
    agent = agents(server, once=True, environment={"GOLIAT_MACHINE_ID": "10.0.0.77"})
    agent.start()
    assert agent.wait() == 0, agent.text()
    assert server.run(assignment)["workerId"] == "10.0.0.77"
    assert server.get("/api/workers/10.0.0.77")["worker"]["machineLabel"] == "10.0.0.77"
    # What is in the state dir stays true when the variable is gone.
    del agent.settings["environment"]
    (again,) = server.create(GOOD)
    agent.start()
    assert agent.wait() == 0, agent.text()
    assert server.run(again)["workerId"] == "10.0.0.77"


def test_two_agents_do_not_share_a_state_dir(server: ServerProcess, agents: Agents) -> None:
    agent = agents(server)
    agent.start()
    until((agent.state_dir / "identity.json").exists, "the first agent is enrolled")
    first = agent.process
    agent.start()
    assert agent.wait() == 1
    assert "another agent runs" in agent.text()
    agent.process = first


def test_a_cancel_reaches_the_machine_through_the_call_that_waits(server: ServerProcess, agents: Agents) -> None:
    """Neither heartbeat nor batch could tell it so soon, and a grandchild that ignores SIGTERM is gone too."""
    plan: list[dict[str, Any]] = [
        {"do": "ignore_sigterm"},
        {"do": "grandchild", "reparented": True},
        {"do": "wait", "file": "never"},
    ]
    (assignment,) = server.create(plan)
    agent = agents(server, once=True, intervals={"heartbeat_s": 60.0, "sample_s": 600.0, "ship_s": 60.0})
    agent.start()
    pids = [agent.pid("goliat.pid"), agent.pid("grandchild.pid")]
    run = server.run(assignment, live=True)
    server.post(f"/api/assignments/{assignment}/cancel")
    until(lambda: all(is_gone(pid) for pid in pids), "every process is gone", 9)
    agent.close()
    assert server.run(assignment)["id"] == run["id"]


def test_without_the_call_that_waits_the_heartbeat_tells_a_cancel_within_ten_seconds(
    server: ServerProcess, agents: Agents
) -> None:
    plan: list[dict[str, Any]] = [
        {"do": "ignore_sigterm"},
        {"do": "grandchild", "reparented": True},
        {"do": "wait", "file": "never"},
    ]
    (assignment,) = server.create(plan)
    proxy = DeafProxy(server.url)
    try:
        # The pace of heartbeats is the server's own, and nothing else is sent that could be answered.
        agent = agents(server, once=True, intervals={"heartbeat_s": None, "sample_s": 600.0, "ship_s": 60.0})
        agent.settings["server"] = proxy.url
        agent.start()
        pids = [agent.pid("goliat.pid"), agent.pid("grandchild.pid")]
        server.run(assignment, live=True)
        assert until(lambda: proxy.refused, "the agent asked for orders in vain")
        began = time.monotonic()
        server.post(f"/api/assignments/{assignment}/cancel")
        until(lambda: all(is_gone(pid) for pid in pids), "every process is gone", 10)
        assert time.monotonic() - began < 10
        agent.close()
    finally:
        proxy.close()


def test_a_cancelled_study_leaves_no_process_behind(server: ServerProcess, agents: Agents) -> None:
    plan: list[dict[str, Any]] = [{"do": "grandchild", "marked": False}, {"do": "wait", "file": "never"}]
    (assignment,) = server.create(plan)
    agent = agents(server, once=True)
    agent.start()
    pids = [agent.pid("goliat.pid"), agent.pid("grandchild.pid")]
    study = server.get(f"/api/assignments/{assignment}")["superStudyId"]
    server.post(f"/api/super-studies/{study}/cancel")
    agent.wait()
    assert all(is_gone(pid) for pid in pids)
    assert server.run(assignment)["state"] == "cancelled"
    assert server.get(f"/api/assignments/{assignment}")["state"] == "CANCELLED"


def test_stop_after_this_one_ends_the_agent_and_not_the_run(server: ServerProcess, agents: Agents) -> None:
    first, second = server.create([{"do": "wait", "file": "go"}, {"do": "finished"}], GOOD)
    agent = agents(server)
    agent.start()
    run = server.run(first, live=True)
    server.client.patch(f"/api/workers/{run['workerId']}", json={"wish": "stopping"}).raise_for_status()
    agent.say_go("go")
    assert agent.wait() == 0
    assert not server.run(first)["live"]
    assert server.runs(second) == []
    # Started again, it takes work again.
    agent.start(once=True)
    agent.wait()
    assert server.run(second)["state"] == "succeeded"


def test_a_paused_agent_works_as_soon_as_it_is_resumed(own_server: ServerProcess, agents: Agents) -> None:
    """By itself it would ask again after ten minutes; the call that waits tells it."""
    server = own_server
    agent = agents(server, intervals={"ask_s": 600.0})
    agent.start()
    (worker,) = until(lambda: server.get("/api/workers"), "it is there")
    server.client.patch(f"/api/workers/{worker['id']}", json={"wish": "paused"}).raise_for_status()
    (assignment,) = server.create(GOOD)
    assert server.runs(assignment) == []
    server.client.patch(f"/api/workers/{worker['id']}", json={"wish": "active"}).raise_for_status()
    until(lambda: server.runs(assignment), "it has the work", 60)
    agent.close()

"""What an agent, a server or a machine may do in the middle of a run without anything being lost."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.agent.place import AgentProcess, ServerProcess, far_field, is_gone, path_of, simulate
from tests.agent.waiting import until

Agents = Callable[..., AgentProcess]
END: list[dict[str, Any]] = [simulate(1, 2, "x_pos"), simulate(2, 2, "y_pos"), {"do": "finished"}]


def lines(prefix: str, count: int = 30) -> list[str]:
    return [f"{prefix} {number}" for number in range(count)]


def say(prefix: str, count: int = 30) -> dict[str, Any]:
    return {"do": "lines", "prefix": prefix, "count": count}


def files_of(server: ServerProcess, run: dict[str, Any]) -> set[tuple[str, str]]:
    found = server.get(f"/api/runs/{run['id']}")["artifacts"]
    return {(one["relativePath"], one["filename"]) for one in found}


ALL_FILES = {
    (path_of(direction), name)
    for direction in ("x_pos", "y_pos")
    for name in ("config.json", "sar_results.json", "progress.log")
}


def test_a_killed_agent_is_followed_by_one_that_takes_over(server: ServerProcess, agents: Agents) -> None:
    """GOLIAT goes on, spools while nobody listens, and finds the relay at the same address again."""
    (assignment,) = server.create(
        [
            say("before"),
            {"do": "wait", "file": "go1"},
            say("while away"),
            {"do": "wait", "file": "go2"},
            say("after"),
            *END,
        ]
    )
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    run = server.run(assignment, state="running")
    agent.kill()
    agent.say_go("go1")
    spool = agent.state_dir / "runs" / run["id"] / "spool"
    until(lambda: len(list(spool.glob("*.req"))) >= 30, "the lines are spooled")
    assert not is_gone(pid)
    agent.start()
    until(lambda: "took over GOLIAT" in agent.text(), "the agent takes over")
    agent.say_go("go2")
    assert agent.wait() == 0, agent.text()
    assert [one["id"] for one in server.runs(assignment)] == [run["id"]], "no second attempt"
    ended = server.run(assignment)
    assert ended["state"] == "succeeded"
    assert server.texts(run["id"]) == [*lines("before"), *lines("while away"), *lines("after")]
    assert files_of(server, run) == ALL_FILES


def test_an_agent_that_is_told_to_end_leaves_goliat_running(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([say("before", 3), {"do": "wait", "file": "go"}, *END])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    server.run(assignment, state="running")
    assert agent.process is not None
    agent.process.terminate()
    assert agent.wait() == 0
    assert not is_gone(pid)
    agent.start()
    until(lambda: "took over GOLIAT" in agent.text(), "the agent takes over")
    agent.say_go("go")
    assert agent.wait() == 0, agent.text()


def test_a_goliat_that_ended_while_no_agent_watched_is_delivered(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([{"do": "wait", "file": "go"}, say("alone"), *END])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    run = server.run(assignment)
    agent.kill()
    agent.say_go("go")
    until(lambda: is_gone(pid), "GOLIAT has ended")
    agent.start()
    assert agent.wait() == 0, agent.text()
    assert server.texts(run["id"]) == lines("alone")
    assert files_of(server, run) == ALL_FILES


def test_a_goliat_that_vanished_is_no_success(server: ServerProcess, agents: Agents) -> None:
    (assignment,) = server.create([say("alive", 3), {"do": "wait", "file": "never"}])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    server.run(assignment, state="running")
    agent.kill()
    os.kill(pid, 9)
    agent.start()
    assert agent.wait() == 1
    ended = server.run(assignment)
    assert not ended["live"]
    assert ended["state"] != "succeeded"


def test_an_agent_killed_before_it_noted_the_pid_finds_goliat_by_its_mark(
    server: ServerProcess, agents: Agents
) -> None:
    (assignment,) = server.create([{"do": "wait", "file": "go"}, *END])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    run = server.run(assignment)
    agent.kill()
    record_file = agent.state_dir / "runs" / run["id"] / "job.json"
    record = json.loads(record_file.read_text())
    record_file.write_text(json.dumps({**record, "phase": "starting", "pid": None, "pidStarted": 0.0}))
    agent.start()
    until(lambda: "took over GOLIAT" in agent.text(), "the agent takes over")
    assert not is_gone(pid)
    agent.say_go("go")
    assert agent.wait() == 0, agent.text()


def test_with_the_server_down_for_the_whole_run_nothing_is_missing(own_server: ServerProcess, agents: Agents) -> None:
    server = own_server
    (assignment,) = server.create([{"do": "wait", "file": "go"}, say("alone", 200), *END])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    server.run(assignment)
    server.stop()
    agent.say_go("go")
    until(lambda: is_gone(pid), "GOLIAT has ended by itself")
    assert agent.process is not None
    assert agent.process.poll() is None, "the agent waits for the server"
    server.start()
    assert agent.wait() == 0, agent.text()
    run = server.run(assignment)
    assert run["state"] == "succeeded", run
    assert server.texts(run["id"]) == lines("alone", 200)
    assert files_of(server, run) == ALL_FILES


def test_agent_and_server_may_both_be_away(own_server: ServerProcess, agents: Agents) -> None:
    """The new agent takes over although there is no server to open a session with."""
    server = own_server
    (assignment,) = server.create([{"do": "wait", "file": "go1"}, say("one"), {"do": "wait", "file": "go2"}, *END])
    agent = agents(server, once=True)
    agent.start()
    pid = agent.pid("goliat.pid")
    run = server.run(assignment)
    agent.kill()
    server.stop()
    agent.say_go("go1")
    agent.start()
    until(lambda: "took over GOLIAT" in agent.text(), "the agent takes over")
    agent.say_go("go2")
    until(lambda: is_gone(pid), "GOLIAT has ended by itself")
    agent.kill()  # and once more, with everything still to be delivered
    server.start()
    agent.start()
    assert agent.wait() == 0, agent.text()
    assert server.texts(run["id"]) == lines("one")
    assert files_of(server, run) == ALL_FILES


def test_a_fenced_agent_ends_its_processes_and_still_delivers(own_server: ServerProcess, agents: Agents) -> None:
    server = own_server
    (assignment,) = server.create(
        [
            say("before", 5),
            {"do": "wait", "file": "go1"},
            say("unheard", 5),
            {"do": "ignore_sigterm"},
            {"do": "grandchild"},
            {"do": "wait", "file": "never"},
        ]
    )
    # Nothing is shipped after the first lines, until long after the fence.
    agent = agents(server, once=True)
    agent.start()
    run = server.run(assignment, state="running")
    until(lambda: len(server.texts(run["id"])) == 5, "the first lines are delivered")
    # While the agent is away GOLIAT speaks on, and a person gives the run up.
    agent.kill()
    agent.say_go("go1")
    pids = [agent.pid("goliat.pid"), agent.pid("grandchild.pid")]
    server.post(f"/api/runs/{run['id']}/give-up", {"reason": "test"})
    agent.start()
    assert agent.wait() == 1, agent.text()
    assert all(is_gone(pid) for pid in pids)
    lost = next(one for one in server.runs(assignment) if one["id"] == run["id"])
    assert lost["state"] == "lost"
    assert server.texts(run["id"]) == [*lines("before", 5), *lines("unheard", 5)]


def test_orphans_of_earlier_runs_are_ended_before_a_claim(server: ServerProcess, agents: Agents) -> None:
    agent = agents(server, once=True)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
    env = {
        **os.environ,
        "GOLIAT_MONITORING_RUN_ID": "an-earlier-run",
        "GOLIAT_MONITORING_SPOOL": str(agent.state_dir / "runs" / "an-earlier-run" / "spool"),
    }
    orphan = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE)
    assert orphan.stdout is not None
    assert orphan.stdout.readline() == b"\n"
    agent.start()
    assert agent.wait() == 0
    assert orphan.wait(5) == -9
    orphan.stdout.close()


def test_a_server_restored_from_a_backup_gets_everything_again(
    own_server: ServerProcess, agents: Agents, tmp_path: Path
) -> None:
    """The backup is of the middle of a run that was delivered long since. Nobody is asked to do anything."""
    server = own_server
    (assignment,) = server.create([say("before"), {"do": "wait", "file": "go"}, say("after"), *END])
    agent = agents(server)
    agent.start()
    run = server.run(assignment, state="running")
    until(lambda: len(server.texts(run["id"])) == 30, "the first lines are there")
    server.stop()
    shutil.copytree(server.folder / "data", tmp_path / "backup")
    server.start()
    agent.say_go("go")
    server.run(assignment, state="succeeded")
    server.stop()
    # What counts the starts is no part of a backup: by it the server sees that its database is an older one.
    counted = (server.folder / "data" / "starts").read_bytes()
    shutil.rmtree(server.folder / "data")
    shutil.copytree(tmp_path / "backup", server.folder / "data")
    (server.folder / "data" / "starts").write_bytes(counted)
    server.start()
    server.run(assignment, state="succeeded")
    assert server.texts(run["id"]) == [*lines("before"), *lines("after")]
    assert files_of(server, run) == ALL_FILES
    assert [one["id"] for one in server.runs(assignment)] == [run["id"]]


def test_a_config_that_extends_is_resolved_here(server: ServerProcess, agents: Agents) -> None:
    """The server cannot know the parent; the agent tells it which cases there are."""
    plan: list[dict[str, Any]] = [simulate(1, 1, "z_neg"), {"do": "finished"}]
    made = server.post(
        "/api/super-studies",
        {
            "name": f"extending {os.getpid()}",
            "baseConfig": {"extends": "site_base"},
            "assignments": [{"splitConfig": {"extends": "site_base", "plan": plan}, "status": "PENDING"}],
        },
    )
    (assignment,) = [one["id"] for one in server.get(f"/api/super-studies/{made['id']}/assignments")]
    agent = agents(server, once=True)
    (agent.workdir / "configs").mkdir()
    (agent.workdir / "configs" / "site_base.json").write_text(json.dumps(far_field(["z_neg"])))
    agent.start()
    assert agent.wait() == 0, agent.text()
    run = server.run(assignment)
    detail = server.get(f"/api/runs/{run['id']}")
    assert [case["caseKey"] for case in detail["cases"]] == ["duke/700MHz/environmental_z_neg_theta"]
    assert [case["state"] for case in detail["cases"]] == ["done"]

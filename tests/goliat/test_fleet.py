"""The real, unmodified GOLIAT under agents: from a config to results, and through every way in which a run can go."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.goliat.environment import SMALL_STUDY, SUPER_STUDY, goliat_command, hooked_environment, make_project
from tests.goliat.fleet import Fleet, missing_in_order, on_disk, progress_texts, wait_for

TABS = {"Timings", "Timings_Piecharts", "Time_Remaining", "Overall_Progress", "System_Utilization", "Disk_I/O"}
OVER = {"COMPLETED", "FAILED", "CANCELLED"}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path / "fleet")
    yield made
    made.close()


def assert_everything_arrived(fleet: Fleet, study_id: str, workdirs: list[Path]) -> None:
    """Each file on the machines' disks is on the server, byte for byte."""
    wanted = {path: hashlib.sha256(content).hexdigest() for work in workdirs for path, content in on_disk(work).items()}
    stored = fleet.stored_files(study_id)
    assert {path: stored.get(path) for path in wanted} == wanted


def assert_log_is_complete(fleet: Fleet, run: dict[str, Any], workdir: Path) -> None:
    """Each line of GOLIAT's own progress logs of the cases that this run did is in the run's log, in order."""
    lines = fleet.log_lines(run["run"]["id"])
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    checked = 0
    for path, content in on_disk(workdir).items():
        if path.endswith("/progress.log") and any(f"/{case['caseKey']}/" in path for case in run["cases"]):
            texts = progress_texts(content)
            assert len(texts) > 10
            assert missing_in_order(texts, lines) is None
            checked += 1
    assert checked == len(run["cases"])


def assert_session_log_is_complete(fleet: Fleet, runs: list[dict[str, Any]], workdir: Path) -> None:
    """Each line of the progress log of each start of GOLIAT in that folder is in the log of its run, in order."""
    sessions = sorted((workdir / "logs").glob("*.progress.log"), key=lambda file: file.stat().st_mtime)
    assert len(sessions) == len(runs)
    for file, run in zip(sessions, sorted(runs, key=lambda run: str(run["claimedAt"])), strict=True):
        texts = progress_texts(file.read_bytes())
        assert sum(text.startswith("--- Processing Simulation") for text in texts) == 4
        assert missing_in_order(texts, fleet.log_lines(run["id"])) is None


def test_two_agents_run_a_super_study_of_the_real_goliat(fleet: Fleet, tmp_path: Path) -> None:
    project = make_project(tmp_path / "desk")
    created = subprocess.run(
        goliat_command(
            "super_study", f"configs/{SUPER_STUDY}", "--name", "paper", "--split-by", "frequency",
            "--server-url", fleet.url,
        ),
        cwd=project, env=hooked_environment(fleet.url), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert created.returncode == 0, created.stdout + created.stderr
    # Long enough for the window to take its pictures, which it does every 5 s when it is not busy.
    workdirs = [fleet.start_agent(name, FAKE_ISOLVE_S="5") for name in ("win-1", "win-2")]

    shown: dict[str, set[float]] = {}
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(0.5):
            for worker in fleet.get("/api/workers"):
                if worker["guiState"] and worker["status"] == "RUNNING":
                    shown.setdefault(worker["machineLabel"], set()).add(worker["guiState"]["progress"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        study = fleet.wait_state("paper", OVER, 300)
    finally:
        finished.set()
        watcher.join()

    assert [part["status"] for part in study["assignments"]] == ["COMPLETED"] * 4, fleet.logs()
    assert study["masterProgress"] == 100
    stored = fleet.stored_files(study["id"])
    assert sum(path.endswith("/sar_results.json") for path in stored) == 16
    assert_everything_arrived(fleet, study["id"], workdirs)
    by_worker = {
        fleet.get(f"/api/workers/{part['workerId']}")["worker"]["machineLabel"] for part in study["assignments"]
    }
    assert by_worker == {"win-1", "win-2"}
    for name in by_worker:
        assert len(shown[name]) > 3, f"{name} showed no progress while it ran: {shown}"
    pictures: dict[str, set[str]] = {}
    done: dict[Path, list[dict[str, Any]]] = {workdir: [] for workdir in workdirs}
    for part in study["assignments"]:
        (run,) = fleet.runs(part["id"])
        detail = fleet.get(f"/api/runs/{run['id']}")
        workdir = next(w for w in workdirs if w.parent.name == detail["run"]["workerName"])
        assert_log_is_complete(fleet, detail, workdir)
        done[workdir].append(run)
        pictures.setdefault(detail["run"]["workerName"], set()).update(
            shot["tab"] for shot in fleet.get(f"/api/runs/{run['id']}/screenshots")
        )
    assert pictures == {"win-1": TABS, "win-2": TABS}
    for workdir, runs in done.items():
        assert_session_log_is_complete(fleet, runs, workdir)
    assert fleet.goliat_processes() == []


def test_a_simulation_that_fails_is_no_success_and_the_others_arrive(fleet: Fleet) -> None:
    fleet.create("one-fails", SMALL_STUDY)
    fleet.start_agent("win-1", FAKE_FAIL_CASE="x_pos_phi")
    study = fleet.wait_state("one-fails", OVER, 120)
    (part,) = study["assignments"]
    assert part["status"] == "FAILED"
    (run,) = fleet.runs(part["id"])
    detail = fleet.get(f"/api/runs/{run['id']}")
    assert detail["run"]["state"] == "finished_with_errors"
    assert "1 of 4" in detail["run"]["reason"]
    assert {case["caseKey"].split("environmental_")[1]: case["state"] for case in detail["cases"]} == {
        "x_pos_theta": "done", "x_pos_phi": "failed", "y_neg_theta": "done", "y_neg_phi": "done",
    }  # fmt: skip
    assert sum(path.endswith("/sar_results.json") for path in fleet.stored_files(study["id"])) == 3


@pytest.mark.parametrize(
    ("switch", "reason"), [("fatal", "FATAL ERROR in study"), ("exit1", "Process exited with code 1")]
)
def test_a_fatal_error_is_a_failure_and_leaves_no_window_open(fleet: Fleet, switch: str, reason: str) -> None:
    fleet.create("fatal", SMALL_STUDY)
    fleet.start_agent("win-1", FAKE_SETUP=switch)
    study = fleet.wait_state("fatal", OVER, 120)
    (run,) = fleet.runs(study["assignments"][0]["id"])
    assert (study["assignments"][0]["status"], run["state"]) == ("FAILED", "failed")
    assert reason in run["reason"]
    wait_for(lambda: not fleet.goliat_processes(), 10, lambda: str(fleet.goliat_processes()))


def test_a_memory_error_is_tried_again_and_succeeds(fleet: Fleet, tmp_path: Path) -> None:
    fleet.create("memory", SMALL_STUDY)
    workdir = fleet.start_agent("win-1", FAKE_MEMORY_ONCE=str(tmp_path / "marker"))
    study = fleet.wait_state("memory", OVER, 180)
    (part,) = study["assignments"]
    assert part["status"] == "COMPLETED", fleet.logs()
    first, second = fleet.runs(part["id"])
    assert (first["state"], first["exitCode"], second["state"]) == ("memory_error", 42, "succeeded")
    assert_everything_arrived(fleet, study["id"], [workdir])


def test_stop_from_the_server_reaches_the_machine_and_leaves_no_process_behind(fleet: Fleet) -> None:
    fleet.create("stopped", SMALL_STUDY)
    fleet.start_agent("win-1", FAKE_ISOLVE_S="60")
    (part,) = fleet.study("stopped")["assignments"]

    def solving() -> Any:
        runs = fleet.runs(part["id"])
        return next((run for run in runs if any("iSolve" in x["text"] for x in fleet.log_lines(run["id"]))), None)

    run = wait_for(solving, 60, fleet.logs)
    fleet.post(f"/api/runs/{run['id']}/stop", {})
    study = fleet.wait_state("stopped", OVER, 90)
    assert study["assignments"][0]["status"] == "FAILED"
    (run,) = fleet.runs(part["id"])
    assert run["state"] == "cancelled"
    texts = [line["text"] for line in fleet.log_lines(run["id"])]
    assert any("Study execution cancelled by user" in text for text in texts), "GOLIAT's own Stop was not pressed"
    assert fleet.goliat_processes() == []


def test_an_agent_that_is_killed_and_restarted_loses_nothing(fleet: Fleet) -> None:
    fleet.create("killed", SMALL_STUDY)
    workdir = fleet.start_agent("win-1", FAKE_ISOLVE_S="2")
    (part,) = fleet.study("killed")["assignments"]

    def under_way() -> Any:
        runs = fleet.runs(part["id"])
        return runs[0] if runs and (runs[0]["simulation"] or 0) >= 1 else None

    wait_for(under_way, 60, fleet.logs)
    goliats = {process.pid for process in fleet.goliat_processes()}
    fleet.kill_agent("win-1")
    assert any(psutil.pid_exists(pid) for pid in goliats), "GOLIAT must outlive its agent"
    # Long enough for GOLIAT to speak into the void.
    wait_for(lambda: list((workdir.parent / "state" / "runs").glob("*/spool/*.req")), 30, fleet.logs)
    fleet.start_agent("win-1", FAKE_ISOLVE_S="2")
    study = fleet.wait_state("killed", OVER, 180)
    assert study["assignments"][0]["status"] == "COMPLETED", fleet.logs()
    (run,) = fleet.runs(part["id"])
    assert run["attempt"] == 1
    assert_everything_arrived(fleet, study["id"], [workdir])
    assert_log_is_complete(fleet, fleet.get(f"/api/runs/{run['id']}"), workdir)


def test_the_server_is_down_for_the_whole_run_and_nothing_is_missing(fleet: Fleet) -> None:
    fleet.create("dark", SMALL_STUDY)
    workdir = fleet.start_agent("win-1")
    (part,) = fleet.study("dark")["assignments"]
    (claimed,) = wait_for(lambda: fleet.runs(part["id"]), 60, fleet.logs)
    fleet.server.kill()
    control = workdir.parent / "state" / "runs" / claimed["id"] / "control"
    wait_for((control / "finished").exists, 120, fleet.logs)
    fleet.server.start()
    study = fleet.wait_state("dark", OVER, 90)
    assert study["assignments"][0]["status"] == "COMPLETED", fleet.logs()
    assert_everything_arrived(fleet, study["id"], [workdir])
    (run,) = fleet.runs(part["id"])
    assert_log_is_complete(fleet, fleet.get(f"/api/runs/{run['id']}"), workdir)


def test_the_bare_client_runs_the_same_study_without_an_agent(fleet: Fleet, tmp_path: Path) -> None:
    fleet.create("bare", SMALL_STUDY)
    project = make_project(tmp_path / "bare")
    switches = {"FAKE_ISOLVE_S": "5"}  # as above
    bare = subprocess.Popen(
        goliat_command("worker", "0", "bare", "--server-url", fleet.url),
        cwd=project,
        env=hooked_environment(fleet.url, machine_id="203.0.113.20", close_after_s=4, more=switches),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True,
    )  # fmt: skip
    try:
        study = fleet.wait_state("bare", OVER, 180)
        (part,) = study["assignments"]
        assert part["status"] == "COMPLETED", fleet.logs()
        # Its lines are numbered when the reorder window has passed over them.
        (run,) = fleet.runs(part["id"])
        window = fleet.get(f"/api/runs/{run['id']}/log", after=0, limit=1)
        wait_for(
            lambda: all(line["n"] for line in fleet.get(f"/api/runs/{run['id']}/log", after=0, limit=1)["lines"]),
            20, lambda: str(window),
        )  # fmt: skip
        worker = fleet.get("/api/workers/203.0.113.20")["worker"]
        assert (part["workerId"], worker["ipAddress"]) == (worker["id"], "203.0.113.20")
        assert_log_is_complete(fleet, fleet.get(f"/api/runs/{run['id']}"), project)
        stored = fleet.stored_files(study["id"])
        assert sum(path.endswith("/sar_results.json") for path in stored) == 4
        # Uploaded while GOLIAT still wrote them, so logs lack their tails; results are complete.
        for path, content in on_disk(project).items():
            if path.endswith((".json", ".pkl", ".html")) and not path.endswith("/config.json"):
                assert stored[path] == hashlib.sha256(content).hexdigest()
        assert {shot["tab"] for shot in fleet.get(f"/api/runs/{run['id']}/screenshots")} == TABS
    finally:
        if bare.poll() is None:
            os.killpg(bare.pid, signal.SIGKILL)
        bare.communicate()


def test_the_environment_is_goliats_own() -> None:
    """Agents need no package of theirs in GOLIAT's Python."""
    probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('goliat_monitoring') is not None)"
    python = goliat_command()[0]
    assert python != sys.executable
    assert subprocess.run([python, "-c", probe], check=False).returncode == 0

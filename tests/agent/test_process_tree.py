"""Real processes, found and ended: whatever they ignore and wherever they hide."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from goliat_monitoring.agent import process_tree
from goliat_monitoring.agent.supervisor import end_orphans
from tests.agent.waiting import until

STUBBORN = (
    "import os, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "open(sys.argv[1] + '.new', 'w').write(str(os.getpid())); os.rename(sys.argv[1] + '.new', sys.argv[1]);"
    "time.sleep(600)"
)
# Starts a stubborn child in a session of its own and ends: nothing leads from here to it but its mark.
DAEMON = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]], start_new_session=True)"
)
# Starts a stubborn child without any environment, in the same session, and waits.
UNMARKED = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]], env={}).wait()"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list["subprocess.Popen[bytes]"]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()
    for file in tmp_path.glob("*.pid"):
        try:
            os.kill(int(file.read_text()), signal.SIGKILL)
        except ProcessLookupError:
            continue


def start(folder: Path, code: str, run_id: str, name: str) -> tuple["subprocess.Popen[bytes]", int]:
    runs = folder / "runs"
    env = {
        **os.environ,
        process_tree.RUN_MARK: run_id,
        process_tree.SPOOL_MARK: str(runs / run_id / "spool"),
    }
    file = folder / f"{name}.pid"
    process = subprocess.Popen([sys.executable, "-c", code, str(file), STUBBORN], env=env, start_new_session=True)
    until(file.exists, f"{name} runs")
    return process, int(file.read_text())


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_process_is_known_by_pid_and_start_time(tmp_path: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    process, pid = start(tmp_path, STUBBORN, "r1", "one")
    started.append(process)
    begun = psutil.Process(pid).create_time()
    found = process_tree.find(pid, begun)
    assert found is not None
    assert found.pid == pid
    assert process_tree.find(pid, begun - 100) is None, "a recycled pid is another process"
    process.kill()
    assert until(lambda: process_tree.find(pid, begun) is None, "a zombie is no live process")


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(
    tmp_path: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    process, pid = start(tmp_path, STUBBORN, "r1", "one")
    started.append(process)
    root = psutil.Process(pid)
    began = time.monotonic()
    assert process_tree.end(lambda: process_tree.tree(root, None), grace_s=0.3) == []
    assert time.monotonic() - began >= 0.3
    assert is_gone(pid)


def test_a_reparented_grandchild_is_found_by_its_mark(tmp_path: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    process, pid = start(tmp_path, DAEMON, "r1", "daemon")
    assert process.wait() == 0
    found = process_tree.marked(tmp_path / "runs", lambda run_id: run_id == "r1")
    assert [one.pid for one in found] == [pid]
    assert process_tree.end(lambda: process_tree.marked(tmp_path / "runs", lambda run_id: True), 0.1) == []
    assert is_gone(pid)


def test_a_grandchild_without_mark_and_parent_is_found_by_its_session(
    tmp_path: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    process, pid = start(tmp_path, UNMARKED, "r1", "unmarked")
    started.append(process)
    begun = psutil.Process(process.pid).create_time()
    process.kill()
    process.wait()
    assert process_tree.marked(tmp_path / "runs", lambda run_id: True) == []
    assert [one.pid for one in process_tree.tree(None, (process.pid, begun))] == [pid]
    assert process_tree.end(lambda: process_tree.tree(None, (process.pid, begun)), 0.1) == []
    assert is_gone(pid)


def test_orphans_are_ended_but_not_the_live_run_nor_another_agents(
    tmp_path: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    old, old_pid = start(mine, STUBBORN, "old", "old")
    live, live_pid = start(mine, STUBBORN, "live", "live")
    other, other_pid = start(theirs, STUBBORN, "old", "other")
    started += [old, live, other]
    assert end_orphans(mine / "runs", "live", 0.1) == [old_pid]
    assert is_gone(old_pid)
    assert not is_gone(live_pid)
    assert not is_gone(other_pid)


def test_the_root_is_the_one_that_started_the_others(tmp_path: Path, started: list["subprocess.Popen[bytes]"]) -> None:
    code = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]]).wait()"
    process, pid = start(tmp_path, code, "r1", "child")
    started.append(process)
    found = process_tree.marked(tmp_path / "runs", lambda run_id: True)
    assert {one.pid for one in found} == {process.pid, pid}
    root = process_tree.root_of(found)
    assert root is not None
    assert root.pid == process.pid

"""GOLIAT's processes: found again after the agent was away, and ended with everything they started.

A process is the same one if its pid and its start time are. What left the tree (a double fork, a dead parent) is found
by the marks in its environment, and on POSIX by its session.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

RUN_MARK = "GOLIAT_MONITORING_RUN_ID"
SPOOL_MARK = "GOLIAT_MONITORING_SPOOL"
# Start times are told in clock ticks, and shift by that much when the boot time is corrected.
START_TOLERANCE_S = 2.0


def find(pid: int, started: float) -> psutil.Process | None:
    """The process with this pid, if it lives and was started at `started` (unix seconds)."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) <= START_TOLERANCE_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def marks(process: psutil.Process) -> tuple[str, str] | None:
    """(run id, spool folder) in the environment of a process; None where there is none or it cannot be read."""
    try:
        environ = process.environ()
    except (psutil.Error, OSError):
        return None
    run_id = environ.get(RUN_MARK)
    return (run_id, environ.get(SPOOL_MARK, "")) if run_id else None


def marked(runs_folder: Path, wanted: Callable[[str], bool]) -> list[psutil.Process]:
    """Live processes that were started for a run below `runs_folder` whose id is `wanted`.

    Runs of another agent on this machine lie in another folder and are none of ours.
    """
    ours = os.path.normcase(runs_folder.resolve())
    found = []
    spared = _spared()
    for process in psutil.process_iter():
        if process.pid in spared or not (mark := marks(process)):
            continue
        run_id, spool = mark
        folder = os.path.normcase(Path(spool).resolve()) if spool else ""
        if wanted(run_id) and folder.startswith(ours + os.sep) and _alive(process):
            found.append(process)
    return found


def root_of(processes: list[psutil.Process]) -> psutil.Process | None:
    """The one that started the others: the oldest whose parent is not among them."""
    pids = {process.pid for process in processes}
    roots = []
    for process in processes:
        try:
            if process.ppid() not in pids:
                roots.append((process.create_time(), process.pid, process))
        except psutil.Error:
            continue
    return min(roots)[2] if roots else None


def tree(root: psutil.Process | None, session: tuple[int, float] | None) -> list[psutil.Process]:
    """`root`, all its descendants, and what still is in its session (the leader's pid and start time)."""
    found: dict[int, psutil.Process] = {}
    if root is not None:
        try:
            found = {process.pid: process for process in [root, *root.children(recursive=True)]}
        except psutil.Error:
            found = {}
    if session and sys.platform != "win32":
        leader, started = session
        for process in psutil.process_iter():
            try:
                # Nothing of this session is older than its leader; a recycled number is not it.
                if os.getsid(process.pid) == leader and process.create_time() >= started - START_TOLERANCE_S:
                    found[process.pid] = process
            except (psutil.Error, OSError):
                continue
    spared = _spared()
    return [process for process in found.values() if process.pid not in spared and _alive(process)]


def end(processes: Callable[[], list[psutil.Process]], grace_s: float, kill_s: float = 10.0) -> list[int]:
    """Ask all to end, wait, then kill; again for what was started meanwhile. The pids that could not be ended.

    `processes` is asked anew each time: a tree grows while it dies. On Windows asking is killing.
    """
    asked: set[tuple[int, float]] = set()
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        alive = processes()
        if not alive:
            return []
        for process in alive:
            identity = _identity(process)
            if identity and identity not in asked:
                asked.add(identity)
                _signal(process.terminate)
        time.sleep(0.05)
    deadline = time.monotonic() + kill_s
    while alive := processes():
        for process in alive:
            _signal(process.kill)
        if time.monotonic() > deadline:
            return [process.pid for process in alive]
        time.sleep(0.05)
    return []


def _signal(action: Callable[[], None]) -> None:
    try:
        action()
    except psutil.Error:
        # Gone already, or not ours to end: the next look tells.
        return


def _identity(process: psutil.Process) -> tuple[int, float] | None:
    try:
        return process.pid, process.create_time()
    except psutil.Error:
        return None


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _spared() -> set[int]:
    """This agent and what started it: an agent may have been started from a marked shell."""
    try:
        me = psutil.Process()
        return {me.pid, *(parent.pid for parent in me.parents())}
    except psutil.Error:
        return {os.getpid()}

"""The demo's processes: started apart from this one, remembered in a file, and ended by pid and start time."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil

# A prefix of everything that steers the product; the demo is not to inherit what was set for a real fleet.
OURS = ("GOLIAT_", "XDG_STATE_HOME")
GRACE_S = 15.0


class Fleet:
    """Processes below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "processes.json"
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, *arguments: str, **environment: str) -> int:
        """Start `goliat-monitoring ARGUMENTS`; what it says goes to NAME.log. Its pid."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        logs = self.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "goliat_monitoring", *arguments],
                cwd=self.folder,
                env=inherited | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demo: it ends the others in their order.
                start_new_session=True,
            )
        known = self._known()
        known.append((process.pid, psutil.Process(process.pid).create_time()))
        self._file.write_text(json.dumps(known), "utf-8")
        self._children.append(process)
        return process.pid

    def stop(self) -> int:
        """End what was started, and everything that those started; how many were still running."""
        # Taken first: studies outlive the agents that started them.
        alive = [process for process in map(_find, self._known()) if process is not None]
        everything = dict.fromkeys(alive)
        for process in alive:
            try:
                everything.update(dict.fromkeys(process.children(recursive=True)))
            except psutil.NoSuchProcess:
                continue
        _end(list(everything))
        for child in self._children:
            child.wait(GRACE_S)
        self._file.unlink(missing_ok=True)
        return len(everything)

    def _known(self) -> list[tuple[int, float]]:
        try:
            return [(int(pid), float(started)) for pid, started in json.loads(self._file.read_text("utf-8"))]
        except (OSError, ValueError, TypeError):
            return []


def free_port(wanted: int) -> int:
    """`wanted` where nothing listens there, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return wanted


def _find(known: tuple[int, float]) -> psutil.Process | None:
    pid, started = known
    try:
        process = psutil.Process(pid)
        # Another process may have the number by now.
        return process if abs(process.create_time() - started) < 1 else None
    except psutil.Error:
        return None


def _end(processes: list[psutil.Process]) -> None:
    # All at once: an agent that waits for an answer notices that its server is gone.
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=GRACE_S)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=GRACE_S)

"""Processes that a measurement starts. Each is ended by its own id when its block ends, Ctrl-C included."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil


class NotStarted(Exception):
    """A process ended or stayed silent instead of answering."""


def free_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def module(name: str, *arguments: str) -> Iterator[int]:
    """Run `python -m NAME PORT ARGUMENTS`, a server on loopback, until the end of the block. Yields its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", name, str(port), *arguments])
    try:
        wait_for_port(process, port)
        yield port
    finally:
        end(process)


def wait_for_port(process: subprocess.Popen[bytes], port: int, patience: float = 20.0) -> None:
    """Return when something answers on `port`. Raises `NotStarted`."""
    ends = time.monotonic() + patience
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.02)
    raise NotStarted(f"{command_of(process)} did not listen on {port}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, and make sure."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def command_of(process: subprocess.Popen[bytes]) -> str:
    """What it was started as."""
    arguments = process.args
    return " ".join(map(str, arguments)) if isinstance(arguments, Sequence) else str(arguments)


class Usage:
    """What a process and those that it started use: CPU seconds since this was made, resident memory now."""

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        self._processes = [process, *process.children(recursive=True)]
        self._began = time.monotonic()
        self._used = self._cpu()

    def cores(self) -> float:
        """CPU seconds per second, over the time since this was made."""
        return (self._cpu() - self._used) / max(time.monotonic() - self._began, 1e-9)

    def rss(self) -> int:
        """Bytes."""
        return sum(int(it.rss) for it in self._told(psutil.Process.memory_info))

    def peak_rss(self) -> int:
        """Bytes: the most that each of them ever had. What they share is counted in each."""
        return sum(_peak_rss(process.pid) for process in self._processes if process.is_running())

    def peak_memory(self) -> int:
        """Bytes: `peak_rss` less what is counted in each of them though the machine holds it once."""
        now = self._told(psutil.Process.memory_full_info)
        return self.peak_rss() - sum(int(it.rss - it.pss) for it in now)

    def _cpu(self) -> float:
        # What ended meanwhile is among the children of the one that started it.
        times = self._told(psutil.Process.cpu_times)
        return float(sum(it.user + it.system + it.children_user + it.children_system for it in times))

    def _told(self, ask: Callable[[psutil.Process], Any]) -> list[Any]:
        """What those that live still answer: a look at the future has a process of its own, and ends with it."""
        told = []
        for process in self._processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                told.append(ask(process))
        return told


def _peak_rss(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class Others:
    """The cores that programs use which this one did not start, since this was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._used = self._cpu()

    def cores(self) -> float:
        """CPU seconds per second."""
        return max((self._cpu() - self._used) / (time.monotonic() - self._began), 0.0)

    @staticmethod
    def _cpu() -> float:
        """CPU seconds of the whole machine less those of this process, its children and those that ended."""
        machine, own = psutil.cpu_times(), psutil.Process()
        used = own.cpu_times()
        seconds = machine.user + machine.nice + machine.system + machine.steal
        seconds -= used.user + used.system + used.children_user + used.children_system
        for child in own.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                seconds -= times.user + times.system
        return float(seconds)

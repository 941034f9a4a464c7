"""The load generator: wrk, with a new connection for each request as the real client makes them."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.rows import NoFigure

LUA = Path(__file__).parent / "lua"
# Two threads: one alone is slower than the echo on a machine of two cores.
THREADS = 2


class Missing(Exception):
    """What a measurement needs is not installed. The text says how to get it."""


class Load(msgspec.Struct, frozen=True):
    """What wrk saw. `status`: answers above 399; the other failures are of the connection. Latencies in microseconds,
    from the first byte sent to the last one received.
    """

    requests: int
    micros: int
    connect: int
    read: int
    write: int
    status: int
    timeout: int
    p50: int
    p95: int
    p99: int
    worst: int

    @property
    def rate(self) -> float:
        """Answered requests a second."""
        return self.requests / self.micros * 1e6

    @property
    def failures(self) -> int:
        """Whatever was not a good answer."""
        return self.connect + self.read + self.write + self.status + self.timeout


def wrk(
    url: str,
    script: str,
    arguments: Sequence[str | int],
    *,
    connections: int,
    seconds: float,
    threads: int = THREADS,
) -> Load:
    """Load `url` for `seconds` with the Lua `script`. Raises `Missing`, `NoFigure`."""
    return _told(url, script, arguments, connections=connections, seconds=seconds, threads=threads)[0]


def _told(
    url: str, script: str, arguments: Sequence[str | int], *, connections: int, seconds: float, threads: int
) -> tuple[Load, list[str]]:
    """`wrk`, and all lines that it printed."""
    program = shutil.which("wrk")
    if program is None:
        raise Missing("wrk is not installed: `make bench` installs it on Debian and Ubuntu, or apt-get install wrk")
    command = [program, f"-t{threads}", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout=10s"]
    command += ["-s", str(LUA / f"{script}.lua"), url, "--", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "LUA_PATH": f"{LUA}/?.lua;;"}
    )
    try:
        out, _ = process.communicate(timeout=seconds + 60)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    told = out.splitlines()
    found = [line for line in told if line.startswith("{")]
    if process.returncode or not found:
        raise NoFigure(f"wrk failed ({process.returncode}): {out[-500:]}")
    return msgspec.json.decode(found[-1], type=Load), told


def gui_updates(
    port: int, seconds: float, *, connections: int = 100, machines: int = 100, first: int = 0, keep: bool = False
) -> Load:
    """Batches of ten log lines from `machines` bare clients, whose next `sequence` is `first`."""
    arguments = (THREADS, machines, first, "keep" if keep else "close")
    url = f"http://127.0.0.1:{port}/api/gui-update"
    return wrk(url, "gui_update", arguments, connections=connections, seconds=seconds)


def claims(port: int, seconds: float, agents: Path, *, connections: int) -> tuple[Load, list[str]]:
    """Claims of the agents in a file, a line `credential body` each. Returns what each got as well, "nothing" included;
    one that was answered as the load ended may be missing.
    """
    url = f"http://127.0.0.1:{port}"
    load, told = _told(url, "claim", (THREADS, str(agents)), connections=connections, seconds=seconds, threads=THREADS)
    return load, [line.removeprefix("taken ") for line in told if line.startswith("taken ")]

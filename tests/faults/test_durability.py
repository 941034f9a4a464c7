"""A commit is on the disk before it is answered: what SQLite was told, and what the kernel is asked."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from goliat_monitoring.store.engine import make_engine, sqlite_url
from tests.support.server import ServerProcess

Start = Callable[..., ServerProcess]
SYNCS = re.compile(r"\b(fsync|fdatasync)\(\d+<([^>]*)>\)\s+= 0")


@pytest.mark.parametrize("read_only", [False, True])
def test_every_connection_is_told_to_be_durable(tmp_path: Path, read_only: bool) -> None:
    make_engine(sqlite_url(tmp_path)).connect().close()
    engine = make_engine(sqlite_url(tmp_path), read_only=read_only)
    with engine.connect() as connection:
        told = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "query_only")
        }
    engine.dispose()
    assert told == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": int(read_only)}


def test_each_answer_waits_for_its_own_sync(start_server: Start, tmp_path: Path) -> None:
    """Requests one after another: no two share a commit, so the journal is synced at least once for each."""
    strace = shutil.which("strace")
    assert strace, "strace is needed: tools/system-packages installs it"
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True)
    assert kind.stdout.strip() != "tmpfs", "a disk that forgets proves nothing: set TMPDIR to a real one"
    server = start_server(sweep_interval_s=1000)
    assert server.process is not None
    trace = tmp_path / "trace"
    with subprocess.Popen(
        [strace, "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace), *processes_of(server)],
        stderr=subprocess.PIPE,
        text=True,
    ) as tracer:
        assert tracer.stderr is not None
        for _ in processes_of(server):
            assert "attached" in tracer.stderr.readline()
        requests = 30
        try:
            for number in range(requests):
                before = syncs(trace)
                body = {
                    "machineId": "m",
                    "message": {"type": "log_batch", "logs": [{"type": "status", "message": f"line {number}"}]},
                    "timestamp": time.time(),
                }
                assert httpx.post(f"{server.url}/api/gui-update", json=body, trust_env=False).status_code == 200
                after = syncs(trace)
                assert after > before, "answered without a sync of the journal"
        finally:
            tracer.terminate()
            tracer.wait(30)
    assert syncs(trace) >= requests


def processes_of(server: ServerProcess) -> list[str]:
    """The server and its writer's process, as strace is told."""
    assert server.process is not None
    children = psutil.Process(server.process.pid).children()
    assert children, "the writer is a process of its own"
    return [f"-p{pid}" for pid in (server.process.pid, *(child.pid for child in children))]


def syncs(trace: Path) -> int:
    """How often the journal of the database was synced so far."""
    return sum(path.endswith("goliat-monitoring.sqlite-wal") for _, path in SYNCS.findall(trace.read_text()))


def test_a_group_shares_one_sync(start_server: Start, tmp_path: Path) -> None:
    """Many at once cost far fewer syncs than requests: that is what the one writer is for."""
    strace = shutil.which("strace")
    assert strace, "strace is needed: tools/system-packages installs it"
    server = start_server(sweep_interval_s=1000)
    assert server.process is not None
    trace = tmp_path / "trace"
    with subprocess.Popen(
        [strace, "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace), *processes_of(server)],
        stderr=subprocess.PIPE,
        text=True,
    ) as tracer:
        assert tracer.stderr is not None
        for _ in processes_of(server):
            assert "attached" in tracer.stderr.readline()
        try:
            done = subprocess.run(
                [sys.executable, "-c", SENDERS, server.url], capture_output=True, text=True, check=True, timeout=60
            )
        finally:
            tracer.terminate()
            tracer.wait(30)
    answered = int(done.stdout)
    assert answered == 640
    assert 0 < syncs(trace) < answered / 2


SENDERS = """
import asyncio, sys, httpx
async def main():
    async with httpx.AsyncClient(base_url=sys.argv[1], trust_env=False, timeout=30) as http:
        async def one(machine):
            good = 0
            for number in range(20):
                message = {"type": "terminal_only", "message": f"line {number}"}
                answer = await http.post("/api/gui-update", json={"machineId": f"m{machine}", "message": message})
                good += answer.status_code == 200
            return good
        print(sum(await asyncio.gather(*(one(machine) for machine in range(32)))))
asyncio.run(main())
"""

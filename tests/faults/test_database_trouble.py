"""The disk is full, the database is away: nothing acknowledged is lost, and whoever looks is told."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.postgres import OwnPostgres
from tests.support.senders import BareSender, OutboxSender, run_of, texts_of, wait_for_numbers
from tests.support.server import ServerProcess

Start = Callable[..., ServerProcess]
# As long as a database restart or a failover takes.
AWAY_S = 60.0


def check_bare(http: httpx.Client, sender: BareSender) -> None:
    """Every acknowledged line is there once, in order."""
    run_id = run_of(http, sender.machine)
    wait_for_numbers(http, run_id)
    kept = texts_of(http, run_id)
    acknowledged = set(sender.acknowledged)
    assert len(kept) == len(set(kept))
    assert [text for text in kept if text in acknowledged] == sender.acknowledged


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """48 MiB of its own. Needs the right to mount; a test that cannot fill a disk proves nothing, so it fails then."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.fail(f"this test fills a disk of its own and needs root to mount one: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_under_the_database_refuses_and_recovers(
    start_server: Start, small_disk: Path, tmp_path: Path
) -> None:
    server = start_server("disk/data", reorder_window_s=0.5)
    bare = BareSender(server.url, "10.0.0.1")
    agent = OutboxSender(server.url, tmp_path / "outbox", "gpu-1")
    time.sleep(1)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while True:
            stream.write(bytes(2**20))
    ends = time.monotonic() + 60
    while not bare.answers.get("503"):
        assert time.monotonic() < ends, bare.answers
        with filler.open("ab", buffering=0) as stream, contextlib.suppress(OSError):
            stream.write(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize))
        time.sleep(0.2)
    with server.client() as http:
        # Reading goes on, and says what is wrong.
        assert http.get("/api/workers").status_code == 200
        answer = http.get("/readyz")
        assert answer.status_code == 503
        assert "full" in answer.text
        page = http.get("/").text
        assert "Nothing can be written" in page
        assert "full" in page
    filler.unlink()
    time.sleep(2)
    bare.stop()
    agent.stop()
    assert agent.delivered()
    with server.client() as http:
        assert http.get("/readyz").status_code == 200
        assert "Nothing can be written" not in http.get("/").text
        check_bare(http, bare)
        assert texts_of(http, agent.run_id) == agent.sent


def test_a_database_that_goes_away_for_a_minute_costs_nothing_acknowledged(start_server: Start, tmp_path: Path) -> None:
    postgres = OwnPostgres()
    try:
        server = start_server(database_url=postgres.url, reorder_window_s=0.5, quiet_s=0)
        bare = BareSender(server.url, "10.0.0.1")
        agent = OutboxSender(server.url, tmp_path / "outbox", "gpu-1")
        time.sleep(2)
        postgres.stop()
        gone = time.monotonic()
        with server.client() as http:
            time.sleep(2)
            assert http.get("/healthz").status_code == 200
            answer = http.get("/readyz")
            assert answer.status_code == 503
            page = http.get("/")
            assert page.status_code == 503
            assert "The database does not answer" in page.text
            while time.monotonic() < gone + AWAY_S:
                started = time.monotonic()
                assert http.get("/api/workers").status_code == 503
                assert time.monotonic() - started < 15
                time.sleep(1)
        postgres.start()
        with server.client() as http:
            ends = time.monotonic() + 30
            while http.get("/readyz").status_code != 200:
                assert time.monotonic() < ends
                time.sleep(0.2)
            time.sleep(1)
            bare.stop()
            agent.stop()
            assert agent.delivered()
            assert http.get("/").status_code == 200
            assert bare.answers["503"] > 10
            check_bare(http, bare)
            assert texts_of(http, agent.run_id) == agent.sent
    finally:
        postgres.close()

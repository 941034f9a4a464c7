"""A fresh server for each test that asks for one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from goliat_monitoring.cli.demo.fleet import Fleet, free_port


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Processes that end with the test."""
    fleet = Fleet(tmp_path / "fleet")
    yield fleet
    fleet.stop()


@pytest.fixture
def server(fleet: Fleet) -> str:
    """Address of a fresh server."""
    port = free_port(0)
    fleet.start(
        "server",
        *("serve", "--port", str(port), "--data-dir", "data"),
        GOLIAT_MONITORING_REORDER_WINDOW_S="0.5",
        GOLIAT_MONITORING_JUDGE_DELAY_S="0.5",
        GOLIAT_MONITORING_SWEEP_INTERVAL_S="0.1",
    )
    address = f"http://127.0.0.1:{port}"
    wait_for(lambda: _is_ready(address), 60)
    return address


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    """Until the condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)

"""How soon work that becomes free reaches an agent that waits for it: a real server, one clock, real HTTP."""

import threading
import time
from collections.abc import Callable
from statistics import median

import pytest

from goliat_monitoring.agent.api import Server
from goliat_monitoring.wire import agent as wire
from tests.support.server import ServerProcess
from tests.support.studies import new_study

Start = Callable[..., ServerProcess]
TIMES = 9
# The promise. From before the call that sets work free to the answer that brings it, so more than what is promised;
# a machine that takes long for every call may take as much longer for these two.
SOON_S = 0.100
# One of them may fall into a moment in which the machine does something else.
LATE_S = 2.0


@pytest.fixture
def server(start_server: Start) -> ServerProcess:
    return start_server(log_level="warning")


def test_work_that_becomes_free_reaches_a_waiting_agent_within_100_ms(server: ServerProcess) -> None:
    agents = [_Agent(server.url, f"gpu-{number}") for number in range(TIMES)]
    took, calls = [], []
    with server.client() as http:
        study = http.post("/api/super-studies", json=new_study("s", parts=TIMES)).raise_for_status().json()["id"]
        for agent in agents:
            began = time.monotonic()
            http.post(f"/api/super-studies/{study}/pause").raise_for_status()
            calls.append(time.monotonic() - began)
            agent.wait()
            time.sleep(0.2)
            assert not agent.done.is_set()
            began = time.monotonic()
            http.post(f"/api/super-studies/{study}/resume").raise_for_status()
            agent.done.wait(20)
            assert agent.job is not None, "it was never told"
            took.append(agent.answered - began)
    for agent in agents:
        agent.close()
    assert median(took) < SOON_S + 2 * median(calls), (took, calls)
    assert max(took) < LATE_S, took


class _Agent:
    """An agent that asks once, and waits."""

    def __init__(self, url: str, name: str) -> None:
        self._server = Server(url, 10.0)
        who, facts = wire.Fingerprint(name, name, "boot"), wire.Facts(hostname=name)
        self._server.credential = self._server.enrol(wire.Enrol(who, facts), None).credential
        self._session = self._server.open_session(wire.OpenSession(who, facts, time.time_ns() // 1000)).session_id
        self.job: wire.Job | None = None
        self.answered = 0.0
        self.done = threading.Event()

    def wait(self) -> None:
        """Ask, in a thread of its own."""
        threading.Thread(target=self._ask, daemon=True).start()

    def close(self) -> None:
        """Give the connections back."""
        self._server.close()

    def _ask(self) -> None:
        self.job = self._server.claim(wire.Claim(self._session, 20.0)).job
        self.answered = time.monotonic()
        self.done.set()

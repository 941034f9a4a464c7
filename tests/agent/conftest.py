"""Servers and agents as real processes."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agent.place import AgentProcess, ServerProcess


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests that leave it in peace."""
    made = ServerProcess(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    made.stop()
    made.client.close()


@pytest.fixture(autouse=True)
def _nothing_waits(request: pytest.FixtureRequest) -> Iterator[None]:
    """What one test left undone is not given to the agents of the next."""
    yield
    if "server" in request.fixturenames:
        place = request.getfixturevalue("server")
        for study in place.get("/api/super-studies"):
            if study["state"] in ("waiting", "running"):
                place.post(f"/api/super-studies/{study['id']}/cancel")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that a test may stop."""
    folder = tmp_path / "server"
    folder.mkdir()
    made = ServerProcess(folder)
    made.start()
    yield made
    made.stop()
    made.client.close()


@pytest.fixture
def agents(tmp_path: Path) -> Iterator[Callable[..., AgentProcess]]:
    """Makes agents, not started yet, and ends them with everything they started."""
    made: list[AgentProcess] = []

    def make(server: ServerProcess, **settings: Any) -> AgentProcess:
        agent = AgentProcess(tmp_path / f"agent{len(made)}", server.url, **settings)
        made.append(agent)
        return agent

    yield make
    for agent in made:
        agent.close()

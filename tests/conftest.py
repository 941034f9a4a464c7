"""Fixtures for tests against the server: in this process under a clock of the test's, or as a real process."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import App, in_app
from tests.support.server import ServerProcess

AppTest = Callable[[App], Awaitable[None]]


@pytest.fixture
def with_app(tmp_path: Path) -> Callable[..., None]:
    """Runs an asynchronous function of an `App`; further arguments are settings."""

    def run(test: AppTest, **options: Any) -> None:
        in_app(tmp_path / "data", test, **options)

    return run


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts server processes that are gone when the test ends; arguments are settings."""
    started: list[ServerProcess] = []

    def start(name: str = "data", **options: object) -> ServerProcess:
        server = ServerProcess(tmp_path / name, **options)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()

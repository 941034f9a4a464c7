"""Fixtures for tests against the server: in this process under a clock of the test's, or as a real process."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from goliat_monitoring.store.engine import sqlite_url
from goliat_monitoring.store.migrate import migrate
from tests.support.app import App, in_app
from tests.support.postgres import new_database
from tests.support.server import ServerProcess

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

AppTest = Callable[[App], Awaitable[None]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with the newest schema; each test that asks runs on both kinds."""
    if request.param == "postgresql":
        with new_database() as url:
            yield url
    else:
        url = sqlite_url(tmp_path)
        migrate(url)
        yield url


@pytest.fixture
def with_app(tmp_path: Path, database_url: str) -> Callable[..., None]:
    """Runs an asynchronous function of an `App`; further arguments are settings."""

    def run(test: AppTest, **options: Any) -> None:
        in_app(tmp_path / "data", test, **{"database_url": database_url, **options})

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

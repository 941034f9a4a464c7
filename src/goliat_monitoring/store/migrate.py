"""Bring a database to the newest schema. Done at each start, before anything else opens it."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from goliat_monitoring.store import tables
from goliat_monitoring.store.engine import make_engine
from goliat_monitoring.wire.errors import Refused

SCRIPTS = Path(__file__).parent / "migrations"


def config_for(connection: Connection | None = None) -> Config:
    """Alembic's configuration: the scripts beside this file, on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(url: str, revision: str = "head") -> str:
    """Apply what the database at `url` lacks, in one transaction. Returns its revision.

    Raises `Refused` 500 when the database cannot be opened, or was written by a newer program than this one.
    """
    engine = make_engine(url)
    try:
        _refuse_unreachable(engine)
        return migrate_engine(engine, revision)
    finally:
        engine.dispose()


def migrate_engine(engine: Engine, revision: str = "head") -> str:
    """`migrate` on an engine that is at hand."""
    with engine.connect() as connection:
        # A rebuilt table must not cascade into those that refer to it; the pragma does nothing inside a transaction.
        if engine.dialect.name == "sqlite":
            _foreign_keys(connection, on=False)
        try:
            with connection.begin():
                _refuse_newer(connection)
                command.upgrade(config_for(connection), revision)
            with connection.begin():
                return current_revision(connection) or ""
        finally:
            if engine.dialect.name == "sqlite":
                _foreign_keys(connection, on=True)


def current_revision(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def differences(connection: Connection) -> list[object]:
    """What a newly written migration would have to do. Empty when the tables are as the code says."""
    context = MigrationContext.configure(
        connection,
        # Not the server defaults: for SQLite an empty text there is always told as a difference.
        opts={"compare_type": True, "target_metadata": tables.metadata},
    )
    return list(compare_metadata(context, tables.metadata))


def _refuse_unreachable(engine: Engine) -> None:
    """Tell what stands in the way of a first connection, before anything is done that may fail for other reasons."""
    try:
        engine.connect().close()
    except DBAPIError as problem:
        where = engine.url.set(drivername=engine.url.get_backend_name()).render_as_string(hide_password=True)
        why = " ".join(str(problem.orig).split())
        raise Refused(500, "the database cannot be opened", f"{where}: {why}") from problem


def _refuse_newer(connection: Connection) -> None:
    current = current_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config_for()).walk_revisions()}
    if current is not None and current not in known:
        raise Refused(
            500,
            "the database is newer than this program",
            f"it is at revision {current}. Install the version that wrote it, or a later one",
        )


def _foreign_keys(connection: Connection, *, on: bool) -> None:
    raw = connection.connection.driver_connection
    if raw is not None:
        raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}").close()

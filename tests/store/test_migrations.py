"""The schema: from nothing, from the revision before, and as the code's tables say."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from goliat_monitoring.store import tables
from goliat_monitoring.store.engine import make_engine, sqlite_url
from goliat_monitoring.store.migrate import config_for, current_revision, differences, migrate
from goliat_monitoring.wire.errors import Refused


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """A connection whose engine keeps nothing open afterwards."""
    engine = make_engine(url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def shape(connection: Connection) -> dict[str, object]:
    """Columns, defaults, keys and indexes of every table."""
    names = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    found: dict[str, object] = {}
    for name in names:
        columns = connection.exec_driver_sql(f'PRAGMA table_info("{name}")').all()
        foreign = connection.exec_driver_sql(f'PRAGMA foreign_key_list("{name}")').all()
        indexes = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (name,)
        ).all()
        found[name] = (
            sorted(tuple(column)[1:] for column in columns),
            sorted(tuple(key)[2:] for key in foreign),
            sorted((index, " ".join(sql.split())) for index, sql in indexes),
        )
    return found


def test_from_nothing_gives_the_tables_of_the_code(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    assert migrate(url)
    (tmp_path / "other").mkdir()
    with opened(url) as migrated, opened(sqlite_url(tmp_path / "other")) as made:
        tables.metadata.create_all(made)
        assert differences(migrated) == []
        assert shape(migrated) == shape(made)
        assert set(shape(migrated)) == set(tables.metadata.tables)


def test_each_revision_leads_to_the_next(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    revisions = [script.revision for script in ScriptDirectory.from_config(config_for()).walk_revisions()][::-1]
    for revision in revisions:
        assert migrate(url, revision) == revision
    assert migrate(url) == revisions[-1]


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    migrate(url)
    with opened(url) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from-the-future'")
    with pytest.raises(Refused, match="newer"):
        migrate(url)
    with opened(url) as connection:
        assert current_revision(connection) == "from-the-future"

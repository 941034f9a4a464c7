"""The schema: from nothing, from the revision before, and as the code's tables say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text

from goliat_monitoring.store import tables
from goliat_monitoring.store.engine import make_engine, sqlite_url
from goliat_monitoring.store.migrate import config_for, current_revision, differences, migrate
from goliat_monitoring.store.read.logs import read_log
from goliat_monitoring.wire.errors import Refused
from tests.store.log_help import loader
from tests.support.postgres import new_database


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


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path)
        return
    with new_database(migrated=False) as url:
        yield url


def test_nothing_is_left_to_migrate(empty: str) -> None:
    migrate(empty)
    with opened(empty) as connection:
        assert differences(connection) == []


def test_what_the_first_revision_held_is_there_after_the_second(empty: str) -> None:
    migrate(empty, "0001")
    line = json.dumps([[5, "info", "status", "numbered"]]).encode()
    with opened(empty) as connection:
        for sql, values in (
            ("INSERT INTO workers (id, kind, last_seen, created_at) VALUES ('w', 'agent', 1, 1)", {}),
            (
                (
                    "INSERT INTO runs (id, worker_id, kind, state, claimed_at, lease_until, line_count) "
                    "VALUES ('r', 'w', 'agent', 'running', 1, 1, 1)"
                ),
                {},
            ),
            (
                (
                    "INSERT INTO log_tail (run_id, first_line, count, first_sender_at, last_sender_at, received_at, "
                    "body) VALUES ('r', 1, 1, 5, 5, 6, :body)"
                ),
                {"body": line},
            ),
            (
                (
                    "INSERT INTO log_window (run_id, received_at, sender_at, sequence, position, level, source, text) "
                    "VALUES ('r', 8, 7, 3, 2, 'error', 'status', 'waiting')"
                ),
                {},
            ),
            ("INSERT INTO samples (run_id, received_at, sender_at, body) VALUES ('r', 9, 4, :body)", {"body": "{}"}),
            ("INSERT INTO samples (run_id, received_at, sender_at, body) VALUES ('r', 9, 4, :body)", {"body": "[]"}),
        ):
            connection.execute(text(sql), values)
    migrate(empty)
    with opened(empty) as connection:
        page = read_log(connection, "r", loader({}))
        assert [(shown.n, shown.level, shown.text) for shown in page.lines] == [
            (1, "info", "numbered"),
            (None, "error", "waiting"),
        ]
        run = connection.execute(select(tables.runs)).one()
        assert run.tail_size == len(line)
        assert [tuple(row) for row in connection.execute(select(tables.samples))] == [("r", "vitals", 0, 4, 9, "[]")]


def test_each_revision_leads_to_the_next(empty: str) -> None:
    url = empty
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


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/x", "postgresql://me:***@127.0.0.1:1/x: "),
        ("sqlite:///{taken}", "file is not a database"),
        ("sqlite:///{taken}/below", "unable to open database file"),
    ],
)
def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path, url: str, said: str) -> None:
    taken = tmp_path / "taken"
    taken.write_text("no database")
    with pytest.raises(Refused, match="cannot be opened") as refused:
        migrate(url.format(taken=taken))
    assert said in refused.value.details
    assert "secret" not in refused.value.details

"""Many rows in one statement, for the few tables that every message touches.

A statement a row would cost more than the row: with SQLite each step hands Python's lock over to the event loop and
waits to get it back, with PostgreSQL each is a journey. So rows travel together: on SQLite as a list of values or as
one JSON text, on PostgreSQL by COPY or as one array a column.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

Rows = Sequence[tuple[Any, ...]]
# Rows in one INSERT of SQLite: few shapes of the statement, so that each is compiled once, and far from its limit of
# 32,766 parameters.
TOGETHER = 16


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
    """Insert `rows`, whose values stand in the order of `columns`."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        for start in range(0, len(rows), TOGETHER):
            part = rows[start : start + TOGETHER]
            if len(part) == TOGETHER:
                connection.exec_driver_sql(_values(table, columns, TOGETHER), tuple(v for row in part for v in row))
            else:
                for row in part:
                    connection.exec_driver_sql(_values(table, columns, 1), row)
        return
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(_copy(table, columns)) as copy:
        for row in rows:
            copy.write_row(row)


def update_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
    """Set `columns` of the rows whose key is the first value of each of `rows`. No bytes, and each key once."""
    if rows:
        key = next(iter(table.primary_key.columns)).name
        _with_rows(connection, _update(connection.dialect.name, table, key, columns), rows)


def upsert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows, changes: Mapping[str, str]
) -> None:
    """Insert `rows`, or where the key is known apply `changes`: column to an expression over `excluded`.

    No bytes, and each key once.
    """
    if rows:
        sql = _upsert(connection.dialect.name, table, columns, tuple(changes.items()))
        _with_rows(connection, sql, rows)


class RowSource(NamedTuple):
    """Rows as a table `v` with columns c0, c1, … for a statement of one's own."""

    sql: str
    parameters: Callable[[Rows], tuple[Any, ...]]


def rows_of(connection: Connection, table: Table, columns: tuple[str, ...]) -> RowSource:
    """Rows whose values have the types of these columns of `table`; to be joined with."""
    sqlite = connection.dialect.name == "sqlite"
    return RowSource(_source(connection.dialect.name, table, columns), _as_json if sqlite else _as_arrays)


def fetch(connection: Connection, sql: str, source: RowSource, rows: Rows) -> Sequence[Any]:
    """The result of `sql`, in which `{rows}` stands for `rows` as the table of `source`: plain tuples, quickly."""
    result = connection.exec_driver_sql(sql.format(rows=source.sql), source.parameters(rows))
    found = result.cursor.fetchall() if result.cursor is not None else []
    result.close()
    return found


def _with_rows(connection: Connection, sql: str, rows: Rows) -> None:
    connection.exec_driver_sql(sql, _as_json(rows) if connection.dialect.name == "sqlite" else _as_arrays(rows))


def _as_json(rows: Rows) -> tuple[Any, ...]:
    return (msgspec.json.encode(rows).decode(),)


def _as_arrays(rows: Rows) -> tuple[Any, ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


@lru_cache(maxsize=256)
def _values(table: Table, columns: tuple[str, ...], count: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table.name} ({_names(columns)}) VALUES {', '.join([row] * count)}"  # noqa: S608 - own names


@lru_cache(maxsize=64)
def _copy(table: Table, columns: tuple[str, ...]) -> str:
    return f"COPY {table.name} ({_names(columns)}) FROM STDIN"


@lru_cache(maxsize=256)
def _update(dialect: str, table: Table, key: str, columns: tuple[str, ...]) -> str:
    settings = ", ".join(f'"{name}" = v.c{i}' for i, name in enumerate(columns, 1))
    source = _source(dialect, table, (key, *columns))
    return f'UPDATE {table.name} SET {settings} FROM {source} WHERE {table.name}."{key}" = v.c0'  # noqa: S608


@lru_cache(maxsize=64)
def _upsert(dialect: str, table: Table, columns: tuple[str, ...], changes: tuple[tuple[str, str], ...]) -> str:
    keys = _names(tuple(column.name for column in table.primary_key.columns))
    what = ", ".join(f'"{name}" = {expression}' for name, expression in changes)
    # SQLite reads ON after a bare FROM as a join; WHERE true keeps it from that.
    return (
        f"INSERT INTO {table.name} ({_names(columns)}) "  # noqa: S608 - own names
        f"SELECT {', '.join(f'v.c{i}' for i in range(len(columns)))} FROM {_source(dialect, table, columns)} "
        f"WHERE true ON CONFLICT ({keys}) DO UPDATE SET {what}"
    )


@lru_cache(maxsize=256)
def _source(dialect: str, table: Table, columns: tuple[str, ...]) -> str:
    """The rows of the parameter as a table `v` with columns c0, c1, ..."""
    if dialect == "sqlite":
        cells = ", ".join(f"value ->> {i} AS c{i}" for i in range(len(columns)))
        return f"(SELECT {cells} FROM json_each(?)) AS v"  # noqa: S608 - own names
    types = (table.c[name].type.compile(postgresql.dialect()) for name in columns)  # type: ignore[no-untyped-call]
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    return f"unnest({arrays}) AS v({', '.join(f'c{i}' for i in range(len(columns)))})"


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)

"""Many rows in one statement, for the few tables that every message touches.

A statement a row would cost more than the row: with SQLite each step hands Python's lock over to the event loop and
waits to get it back, with PostgreSQL each is a journey. So rows travel together: on SQLite as lists of values, on
PostgreSQL as one array a column. COPY would be a journey of its own, and cannot go with others.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Boolean, Column, Connection, Integer, LargeBinary, String, Table
from sqlalchemy.dialects import postgresql

from goliat_monitoring.store import driver

Rows = Sequence[tuple[Any, ...]]
# Rows in one statement of SQLite: few shapes, so that each is compiled once, and far from its limit of 32,766
# parameters. (As JSON they could be any number; but to take a row of JSON apart costs SQLite more than to write it.)
TOGETHER = (64, 16, 4, 1)
# What JSON escapes otherwise than PostgreSQL's text of an array. Two backslashes may look like it, which is no harm.
_ESCAPED = re.compile(r'\\(?!["\\])')


def insert_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
    """Insert `rows`, whose values stand in the order of `columns`."""
    _write(connection, table, columns, rows, _insert, columns)


def update_rows(connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows) -> None:
    """Set `columns` of the rows whose key is the first value of each of `rows`. Each key once."""
    _write(connection, table, (_key(table), *columns), rows, _update, columns)


def upsert_rows(
    connection: Connection, table: Table, columns: tuple[str, ...], rows: Rows, changes: Mapping[str, str]
) -> None:
    """Insert `rows`, or where the key is known apply `changes`: column to an expression over `excluded`.

    Each key once.
    """
    _write(connection, table, columns, rows, _upsert, columns, tuple(changes.items()))


def delete_rows(connection: Connection, table: Table, keys: Sequence[Any]) -> None:
    """Delete the rows with these keys, of a table that has one column as its key."""
    if keys:
        key = _key(table)
        source = rows_of(connection, table, (key,))
        sql = f'DELETE FROM {table.name} WHERE "{key}" IN (SELECT v.c0 FROM {source.sql})'  # noqa: S608 - own names
        driver.execute(connection, sql, source.parameters([(value,) for value in keys]))


class RowSource(NamedTuple):
    """Rows as a table `v` with columns c0, c1, … for a statement of one's own."""

    sql: str
    parameters: Callable[[Rows], tuple[Any, ...]]


def rows_of(connection: Connection, table: Table, columns: tuple[str, ...]) -> RowSource:
    """Rows whose values have the types of these columns of `table`; to be joined with."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        return RowSource(_joined(dialect, table, columns), _as_json_list if len(columns) == 1 else _as_json)
    return RowSource(_joined(dialect, table, columns), partial(_as_arrays, _writable(table, columns)))


def fetch(connection: Connection, sql: str, source: RowSource, rows: Rows, *values: Any) -> list[tuple[Any, ...]]:
    """The result of `sql`, in which `{rows}` stands for `rows` as the table of `source`, and each `{value}` after it
    for the next of `values`: plain tuples, quickly.
    """
    return driver.fetch(connection, *_asked(connection, sql, source, rows, values))


def execute(connection: Connection, sql: str, source: RowSource, rows: Rows, *values: Any) -> None:
    """`fetch` for a statement whose result nobody needs."""
    driver.execute(connection, *_asked(connection, sql, source, rows, values))


def fetch_later(
    connection: Connection, sql: str, source: RowSource, rows: Rows, *values: Any
) -> driver.Later:  # fmt: skip
    """`fetch` for a block of `driver.one_journey`."""
    return driver.fetch_later(connection, *_asked(connection, sql, source, rows, values))


def marked(connection: Connection, sql: str) -> str:
    """`sql` as the driver takes it, in which each `{value}` stands for a parameter."""
    return sql.format(value=_mark(connection))


def lock_runs(connection: Connection) -> str:
    """What ends a statement that locks the runs `r` it reads. With SQLite the writer has all to itself."""
    return "" if connection.dialect.name == "sqlite" else " FOR UPDATE OF r"


def lock_lives(connection: Connection) -> str:
    """`lock_runs` for sessions `s` and their workers `w`, to whose keys others may refer meanwhile."""
    return "" if connection.dialect.name == "sqlite" else " FOR NO KEY UPDATE OF s, w"


def _asked(
    connection: Connection, sql: str, source: RowSource, rows: Rows, values: tuple[Any, ...]
) -> tuple[str, tuple[Any, ...]]:
    return sql.format(rows=source.sql, value=_mark(connection)), (*source.parameters(rows), *values)


def _mark(connection: Connection) -> str:
    return "?" if connection.dialect.name == "sqlite" else "%s"


def _write(
    connection: Connection, table: Table, given: tuple[str, ...], rows: Rows, sql: Callable[..., str], *about: Any
) -> None:
    """Run `sql(dialect, how many rows, table, *about)` with `rows`, on SQLite in several statements. `given`: the
    columns of `rows`.
    """
    if not rows:
        return
    if connection.dialect.name != "sqlite":
        driver.execute(connection, sql("postgresql", 0, table, *about), _as_arrays(_writable(table, given), rows))
        return
    start = 0
    for count in TOGETHER:
        while len(rows) - start >= count:
            part = rows[start : start + count]
            if count > 1:
                values = tuple(chain.from_iterable(part))
            else:
                values = (*part[0][1:], part[0][0]) if sql is _update else part[0]
            driver.execute(connection, sql("sqlite", count, table, *about), values)
            start += count


def _as_json(rows: Rows) -> tuple[Any, ...]:
    return (msgspec.json.encode(rows).decode(),)


def _as_json_list(rows: Rows) -> tuple[Any, ...]:
    return (msgspec.json.encode([row[0] for row in rows]).decode(),)


def _as_arrays(writable: tuple[bool, ...], rows: Rows) -> tuple[Any, ...]:
    columns = zip(*rows, strict=True)
    return tuple(
        _array_text(values) if plain else list(values) for values, plain in zip(columns, writable, strict=True)
    )


def _array_text(values: tuple[Any, ...]) -> str | list[Any]:
    """PostgreSQL's text of an array. The driver makes it value by value, which takes it longer than all the rest."""
    text = msgspec.json.encode(values).decode()
    return list(values) if _ESCAPED.search(text) else f"{{{text[1:-1]}}}"


@lru_cache(maxsize=256)
def _writable(table: Table, columns: tuple[str, ...]) -> tuple[bool, ...]:
    """Of which columns PostgreSQL reads the values as JSON writes them: no bytes, and no number that is none."""
    return tuple(isinstance(table.c[name].type, (String, Integer, Boolean)) for name in columns)


@lru_cache(maxsize=256)
def _insert(dialect: str, count: int, table: Table, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({_names(columns)}) {_given(dialect, count, table, columns)}"


@lru_cache(maxsize=1024)
def _update(dialect: str, count: int, table: Table, columns: tuple[str, ...]) -> str:
    key = _key(table)
    of_row = f'WHERE {table.name}."{key}" ='
    if count == 1:
        # The key comes last. Numbers (`?1`) would do without that, but early versions of Python 3.12 warn of them.
        settings = ", ".join(f'"{name}" = ?' for name in columns)
        return f"UPDATE {table.name} SET {settings} {of_row} ?"  # noqa: S608 - own names
    cells, given = _cells(1 + len(columns)), _given(dialect, count, table, (key, *columns))
    settings = ", ".join(f'"{name}" = v.c{i}' for i, name in enumerate(columns, 1))
    return f"WITH v({cells}) AS ({given}) UPDATE {table.name} SET {settings} FROM v {of_row} v.c0"  # noqa: S608


@lru_cache(maxsize=256)
def _upsert(
    dialect: str, count: int, table: Table, columns: tuple[str, ...], changes: tuple[tuple[str, str], ...]
) -> str:
    keys = _names(tuple(column.name for column in table.primary_key.columns))
    what = ", ".join(f'"{name}" = {expression}' for name, expression in changes)
    return f"{_insert(dialect, count, table, columns)} ON CONFLICT ({keys}) DO UPDATE SET {what}"


def _given(dialect: str, count: int, table: Table, columns: tuple[str, ...]) -> str:
    """A query for the rows of the parameters."""
    if dialect == "sqlite":
        row = f"({', '.join('?' * len(columns))})"
        return f"VALUES {', '.join([row] * count)}"
    arrays = ", ".join(_array(table.c[name]) for name in columns)
    return f"SELECT * FROM unnest({arrays})"  # noqa: S608 - own names


@lru_cache(maxsize=64)
def _joined(dialect: str, table: Table, columns: tuple[str, ...]) -> str:
    """The rows of the parameters as a table `v` with columns c0, c1, ..."""
    if dialect == "sqlite":
        some = ", ".join(f"value ->> {i} AS c{i}" for i in range(len(columns)))
        return f"(SELECT {'value AS c0' if len(columns) == 1 else some} FROM json_each(?)) AS v"  # noqa: S608
    # The planner may not see how many there are: it would believe that a plan for just so many is worth making, each
    # time anew, and that takes longer than to run it.
    arrays = ", ".join(f"(SELECT {_array(table.c[name])})" for name in columns)
    return f"unnest({arrays}) AS v({_cells(len(columns))})"


def _array(column: Column[Any]) -> str:
    kind = column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]
    # Bytes as text would be twice as long.
    return f"{'%b' if isinstance(column.type, LargeBinary) else '%s'}::{kind}[]"


def _key(table: Table) -> str:
    return str(next(iter(table.primary_key.columns)).name)


def _cells(count: int) -> str:
    return ", ".join(f"c{i}" for i in range(count))


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in columns)

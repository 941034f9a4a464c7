"""Warnings and errors of a run, grouped by text. They were counted as they came, so no log is read."""

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, bindparam, case, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.wire.errors import Refused

# Groups in one answer.
MOST = 1_000

problems, runs = tables.log_problems, tables.runs
_FIRST_ERROR: Select[Any] = select(func.min(problems.c.first_line)).where(
    problems.c.run_id == bindparam("run"), problems.c.level.in_(("error", "fatal"))
)


_SAID = select(runs.c.warnings, runs.c.errors).where(runs.c.id == bindparam("run"))


class Said(NamedTuple):
    """Lines of a run that are warnings, and errors fatal ones included: as all lists count them, repeats included and
    the server's own lines left out.
    """

    warnings: int
    errors: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Lines of one level whose texts differ in their numbers at most. `text`: the first of them, its beginning.

    `..._line`: numbers of lines. `..._sender_at`: the sender's clock, UTC microseconds.
    """

    level: str
    text: str
    count: int
    first_line: int
    last_line: int
    first_sender_at: int
    last_sender_at: int


class Problems(msgspec.Struct, frozen=True, kw_only=True):
    """The worst and most frequent groups first. `groups`: how many there are in all."""

    problems: list[Problem]
    groups: int


def list_problems(connection: Connection, run_id: str, limit: int = MOST) -> Problems:
    """The problems of a run. Raises `Refused` 404."""
    if connection.execute(select(runs.c.id).where(runs.c.id == run_id)).one_or_none() is None:
        raise Refused(404, "no such run", run_id)
    of_run = problems.c.run_id == run_id
    severity = case({"fatal": 0, "error": 1}, value=problems.c.level, else_=2)
    rows = connection.execute(
        # A row has a method named `count` of its own.
        select(problems, problems.c.count.label("times"))
        .where(of_run)
        .order_by(severity, problems.c.count.desc(), problems.c.first_line)
        .limit(limit)
    )
    found = [
        Problem(
            level=row.level,
            text=row.text,
            count=row.times,
            first_line=row.first_line,
            last_line=row.last_line,
            first_sender_at=row.first_sender_at,
            last_sender_at=row.last_sender_at,
        )
        for row in rows
    ]
    groups = connection.execute(select(func.count()).select_from(problems).where(of_run)).scalar_one()
    return Problems(problems=found, groups=groups)


def said(connection: Connection, run_id: str) -> Said:
    """How many warnings and errors a run has said. Raises `Refused` 404."""
    row = connection.execute(_SAID, {"run": run_id}).one_or_none()
    if row is None:
        raise Refused(404, "no such run", run_id)
    return Said(*row)


def first_error(connection: Connection, run_id: str) -> int | None:
    """The number of the first error or fatal line."""
    found: int | None = connection.execute(_FIRST_ERROR, {"run": run_id}).scalar_one()
    return found


def first_errors(connection: Connection, run_ids: Collection[str]) -> dict[str, tuple[int, str]]:
    """By run the number and the text of its first error or fatal line."""
    problems = tables.log_problems
    bad = problems.c.level.in_(("error", "fatal"))
    first = (
        select(problems.c.run_id, func.min(problems.c.first_line).label("line"))
        .where(problems.c.run_id.in_(run_ids), bad)
        .group_by(problems.c.run_id)
        .subquery()
    )
    query = select(problems.c.run_id, problems.c.first_line, problems.c.text).join(
        first, (first.c.run_id == problems.c.run_id) & (first.c.line == problems.c.first_line)
    )
    return {row[0]: (row[1], row[2]) for row in connection.execute(query.where(bad))}

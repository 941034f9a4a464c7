"""What the writer asks its database, noted as it does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from goliat_monitoring.store import driver
from tests.store.conftest import House

JOURNEY = "several statements"


def noted_statements(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the writer asks its database from now on; each end of a journey of several is `JOURNEY`."""
    statements: list[str] = []
    failures = driver._failures

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        statements.append(statement)

    @contextmanager
    def noted(connection: Any, raw: Any, sql: str) -> Iterator[None]:
        statements.append(sql)
        with failures(connection, raw, sql):
            yield
        if sql == JOURNEY:
            statements.append(sql)

    event.listen(house.database.engine, "before_cursor_execute", note)
    monkeypatch.setattr(driver, "_failures", noted)
    return statements


def journeys(statements: Sequence[str]) -> int:
    """How often the writer waits for its database; BEGIN goes with the first, and COMMIT is one more."""
    count, on_the_way = 0, False
    for text in statements:
        if text == JOURNEY:
            on_the_way = not on_the_way
            count += on_the_way
        elif not on_the_way:
            count += 1
    return count

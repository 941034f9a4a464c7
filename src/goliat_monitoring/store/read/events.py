"""The record of what happened, newest first."""

from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select

from goliat_monitoring.store import tables

table = tables.events


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `at`: UTC microseconds on the server's clock. `actor`: who did it."""

    id: int
    at: int
    kind: str
    actor: str
    worker_id: str | None
    super_study_id: str | None
    assignment_id: str | None
    run_id: str | None
    data: dict[str, Any]


def list_events(
    connection: Connection,
    *,
    limit: int = 200,
    before: int | None = None,
    kinds: str | None = None,
    by_people: bool = False,
    **subjects: str | None,
) -> list[EventView]:
    """Events about all given subjects (`run_id`, `worker_id`, `assignment_id`, `super_study_id`), newest first.

    `before`: only events with a smaller id, to page on. `kinds`: only kinds that begin so. `by_people`: only what a
    person did, which the server records as neither its own nor a worker's.
    """
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    for name, value in subjects.items():
        if value is not None:
            query = query.where(table.c[name] == value)
    if before is not None:
        query = query.where(table.c.id < before)
    if kinds is not None:
        query = query.where(table.c.kind.startswith(kinds, autoescape=True))
    if by_people:
        query = query.where(
            table.c.actor != "server", or_(table.c.worker_id.is_(None), table.c.actor != table.c.worker_id)
        )
    return [
        EventView(
            **{name: getattr(row, name) for name in EventView.__struct_fields__ if name != "data"},
            data=msgspec.json.decode(row.data),
        )
        for row in connection.execute(query)
    ]

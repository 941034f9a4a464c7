"""The append-only record of claims, leases, state changes and people's actions."""

import msgspec
from sqlalchemy import Connection, bindparam, insert, select

from goliat_monitoring.store import tables

# Nobody asks for the new row's id.
_INSERT = insert(tables.events).inline()
# An event about an assignment is one about its study, whoever tells it.
_INSERT_OF_ASSIGNMENT = _INSERT.values(
    super_study_id=select(tables.assignments.c.super_study_id)
    .where(tables.assignments.c.id == bindparam("assignment"))
    .scalar_subquery()
)


def record(
    connection: Connection,
    now: int,
    kind: str,
    *,
    actor: str = "server",
    worker_id: str | None = None,
    super_study_id: str | None = None,
    assignment_id: str | None = None,
    run_id: str | None = None,
    **data: object,
) -> None:
    """Append one event. `data` must be JSON values."""
    values: dict[str, object] = {
        "at": now,
        "kind": kind,
        "actor": actor,
        "worker_id": worker_id,
        "assignment_id": assignment_id,
        "run_id": run_id,
        "data": msgspec.json.encode(data).decode(),
    }
    if super_study_id is None and assignment_id is not None:
        connection.execute(_INSERT_OF_ASSIGNMENT, {**values, "assignment": assignment_id})
    else:
        connection.execute(_INSERT, {**values, "super_study_id": super_study_id})

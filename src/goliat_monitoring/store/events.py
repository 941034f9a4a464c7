"""The append-only record of claims, leases, state changes and people's actions."""

import msgspec
from sqlalchemy import Connection, insert

from goliat_monitoring.store import tables

# Nobody asks for the new row's id.
_INSERT = insert(tables.events).inline()


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
    connection.execute(
        _INSERT,
        {
            "at": now,
            "kind": kind,
            "actor": actor,
            "worker_id": worker_id,
            "super_study_id": super_study_id,
            "assignment_id": assignment_id,
            "run_id": run_id,
            "data": msgspec.json.encode(data).decode(),
        },
    )

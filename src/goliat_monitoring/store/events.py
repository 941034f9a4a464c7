"""The append-only record of claims, leases, state changes and people's actions."""

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import insert_rows, marked

COLUMNS = ("at", "kind", "actor", "worker_id", "super_study_id", "assignment_id", "run_id", "data")
# An event about an assignment is one about its study, whoever tells it.
_OF_ASSIGNMENT = """
    INSERT INTO events (at, kind, actor, worker_id, assignment_id, run_id, data, super_study_id)
    VALUES ({value}, {value}, {value}, {value}, {value}, {value}, {value},
            (SELECT super_study_id FROM assignments WHERE id = {value}))
"""


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
    """Append one event. `data` must be JSON values. May stand in a journey of `store.driver`."""
    text = msgspec.json.encode(data).decode()
    if super_study_id is None and assignment_id is not None:
        values = (now, kind, actor, worker_id, assignment_id, run_id, text, assignment_id)
        driver.execute(connection, marked(connection, _OF_ASSIGNMENT), values)
    else:
        row = (now, kind, actor, worker_id, super_study_id, assignment_id, run_id, text)
        insert_rows(connection, tables.events, COLUMNS, [row])

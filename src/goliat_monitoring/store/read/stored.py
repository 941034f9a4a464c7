"""Settings that people changed at run time."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.store import tables


def stored_settings(connection: Connection) -> dict[str, Any]:
    """By name, what was stored over the environment and the defaults."""
    table = tables.stored_settings
    return {row.name: msgspec.json.decode(row.value) for row in connection.execute(select(table))}

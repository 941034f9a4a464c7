"""The epoch as it is stored: the name of this database's life. The server begins one (`server.epoch`)."""

from sqlalchemy import Connection, insert, select

from goliat_monitoring.store import tables
from goliat_monitoring.wire.ids import new_id


def current(connection: Connection) -> str:
    """The name of this database's life; another one after a restore from a backup."""
    facts = tables.server_facts
    value = connection.execute(select(facts.c.value).where(facts.c.name == "epoch")).scalar()
    if value is None:
        value = new_id()
        connection.execute(insert(facts).values(name="epoch", value=value))
    return str(value)

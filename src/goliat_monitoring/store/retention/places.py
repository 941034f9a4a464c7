"""How far a pass over a table in order of its ids has come, so that no pass looks at the same rows again."""

from sqlalchemy import Connection, delete, insert, select

from goliat_monitoring.store.tables import server_facts


def reached(connection: Connection, name: str) -> str:
    """The last id that the pass `name` is done with; "" before the first."""
    found = connection.execute(select(server_facts.c.value).where(server_facts.c.name == name)).scalar()
    return "" if found is None else str(found)


def reach(connection: Connection, name: str, last_id: str) -> None:
    """The pass `name` is done with everything up to `last_id`."""
    connection.execute(delete(server_facts).where(server_facts.c.name == name))
    connection.execute(insert(server_facts).values(name=name, value=last_id))

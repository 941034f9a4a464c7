"""The epoch: a name for this database's past, told to agents, that changes when the database lost some of it.

A restored backup looks like the database of an earlier day. Each start is counted twice, in the database and in a file
beside it; when the two disagree, the database is not the one that ran here last, and a new epoch begins. Agents then
offer again what they still have.
"""

from pathlib import Path

from sqlalchemy import Connection, select

from goliat_monitoring.store.tables import server_facts
from goliat_monitoring.wire.ids import new_id

FILE = "starts"


def begin(connection: Connection, data_dir: Path) -> str:
    """Count this start and return the epoch. The file is written by `confirm` once the database has committed."""
    facts = {row.name: row.value for row in connection.execute(select(server_facts))}
    starts = facts.get("starts", "0")
    same_past = _counted(data_dir) == starts
    epoch = facts["epoch"] if same_past and "epoch" in facts else new_id()
    for name, value in (("epoch", epoch), ("starts", str(int(starts) + 1))):
        connection.execute(server_facts.delete().where(server_facts.c.name == name))
        connection.execute(server_facts.insert().values(name=name, value=value))
    return epoch


def confirm(connection: Connection, data_dir: Path) -> None:
    """Write beside the database how many starts it counts."""
    starts = connection.execute(select(server_facts.c.value).where(server_facts.c.name == "starts")).scalar_one()
    fresh = data_dir / f"{FILE}.new"
    fresh.write_text(starts)
    fresh.replace(data_dir / FILE)


def _counted(data_dir: Path) -> str:
    try:
        return (data_dir / FILE).read_text().strip()
    except OSError:
        return "0"

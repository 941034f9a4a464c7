"""Events and kept messages that are old: deleted, some hundred at a time. No message of a live run is."""

from sqlalchemy import Connection, delete, exists, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.moment import Moment

events, messages, runs = tables.events, tables.messages, tables.runs
AT_ONCE = 500


def delete_events(connection: Connection, moment: Moment, kept: int) -> int:
    """Delete the oldest events older than `kept` microseconds. Returns how many; 0 when none is left."""
    old = select(events.c.id).where(events.c.at <= moment.now - kept).order_by(events.c.at).limit(AT_ONCE)
    return connection.execute(delete(events).where(events.c.id.in_(old))).rowcount


def runs_with_messages(connection: Connection, moment: Moment, kept: int) -> list[str]:
    """Runs that ended more than `kept` microseconds ago and still have messages, some at a time."""
    query = (
        select(runs.c.id)
        .where(runs.c.ended_at <= moment.now - kept, exists().where(messages.c.run_id == runs.c.id))
        .order_by(runs.c.ended_at)
        .limit(AT_ONCE)
    )
    return list(connection.execute(query).scalars())


def delete_messages(connection: Connection, run_id: str) -> int:
    """Delete messages of a run. Returns how many; 0 when none is left."""
    some = select(messages.c.id).where(messages.c.run_id == run_id).limit(AT_ONCE)
    return connection.execute(delete(messages).where(messages.c.id.in_(some))).rowcount

"""The lives of a worker's agent: each start of it is one."""

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.store import tables

sessions = tables.sessions


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """One life of an agent. Times in UTC microseconds, the server's clock. `ended_at`: it said so, another began, or
    the worker was removed; an agent that is just gone says nothing.
    """

    id: str
    started_at: int
    last_seen: int
    ended_at: int | None

    @property
    def said_so(self) -> bool:
        """Whether its end was the last it said."""
        return self.ended_at == self.last_seen


def list_sessions(connection: Connection, worker_id: str, limit: int) -> list[SessionView]:
    """The newest sessions of a worker, newest first."""
    query = (
        select(*(sessions.c[name] for name in SessionView.__struct_fields__))
        .where(sessions.c.worker_id == worker_id)
        .order_by(sessions.c.started_at.desc(), sessions.c.id.desc())
        .limit(limit)
    )
    return [
        SessionView(**{name: getattr(row, name) for name in SessionView.__struct_fields__})
        for row in connection.execute(query)
    ]

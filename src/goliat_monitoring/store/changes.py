"""What a unit of work changed, as topics. Told to live pages and waiting claims after the commit, never before.

Topics: `server` (its own trouble; no unit of work tells it), `settings` (tokens and the config library too), `fleet`,
`worker:ID`, `studies`, `study:ID`, `run:ID`, `log:RUN` and `work` (an assignment became claimable).
"""

from sqlalchemy import Connection

KEY = "changed_topics"


def touch(connection: Connection, *topics: str) -> None:
    """Note that `topics` changed in this unit of work."""
    connection.info.setdefault(KEY, set()).update(topics)


def take(connection: Connection) -> frozenset[str]:
    """The topics noted since the last call."""
    return frozenset(connection.info.pop(KEY, ()))

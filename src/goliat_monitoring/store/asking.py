"""An agent asks for work: what it gets, and else when to ask again."""

from typing import NamedTuple

from sqlalchemy import Connection

from goliat_monitoring.store import agents, claims, queue, workers
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire import agent as wire


class Answer(NamedTuple):
    """`change`: when time alone brings other work, UTC microseconds; None with a job, and where none will come."""

    job: wire.Job | None
    wish: wire.Wish
    epoch: str
    change: int | None


def ask(connection: Connection, moment: Moment, worker_id: str, session_id: str) -> Answer:
    """Claim what is next for this agent. Raises `Refused`."""
    agents.require_session(connection, worker_id, session_id)
    job = claims.claim_next_for_agent(connection, moment, worker_id, session_id)
    # Work also appears as time passes, which no commit tells.
    change = queue.next_change(connection, moment) if job is None else None
    return Answer(job, workers.get(connection, worker_id).wish, agents.epoch(connection), change)

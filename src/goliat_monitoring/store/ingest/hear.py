"""All that GOLIATs and agents report, a group of messages at a time: the one function of the hot path."""

from collections.abc import Sequence

from sqlalchemy import Connection

from goliat_monitoring.store.ingest.bare import GuiMessage, Senders
from goliat_monitoring.store.ingest.batches import AgentBatch, Streams
from goliat_monitoring.store.ingest.calm import take_calm
from goliat_monitoring.store.ingest.round import Round
from goliat_monitoring.wire.agent import Accepted
from goliat_monitoring.wire.errors import Refused

Heard = GuiMessage | AgentBatch
# The run that a bare message went to, or what an agent is answered; a refusal left no trace.
Answer = str | Accepted | Exception


def hear(connection: Connection, group: Sequence[Heard]) -> list[Answer]:
    """Apply `group`, what comes from one sender in order; an answer each. For `Database.write_together`."""
    taken = take_calm(connection, group)
    rest = [heard for heard, run_id in zip(group, taken, strict=True) if run_id is None]
    answers = iter(_hear(connection, rest) if rest else ())
    return [next(answers) if run_id is None else run_id for run_id in taken]


def _hear(connection: Connection, group: Sequence[Heard]) -> list[Answer]:
    together = Round(connection, group[0].moment)
    senders = Senders(together, {heard.machine_id for heard in group if isinstance(heard, GuiMessage)})
    streams = Streams(together, [heard for heard in group if isinstance(heard, AgentBatch)])
    answers: list[Answer] = []
    for heard in group:
        try:
            answers.append(streams.hear(heard) if isinstance(heard, AgentBatch) else senders.hear(heard))
        except Refused as refusal:
            answers.append(refusal)
    together.save(senders.save, streams.save)
    senders.keep()
    return answers

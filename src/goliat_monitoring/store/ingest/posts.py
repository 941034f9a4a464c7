"""Messages as they arrived, undecoded: read where they are applied, so that whoever took them in is free at once."""

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.store.calls import Readied
from goliat_monitoring.store.ingest.bare import GuiMessage, gui_message, log_message
from goliat_monitoring.store.ingest.batches import agent_batch
from goliat_monitoring.store.ingest.hear import Answer, Heard, hear
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.agent import Batch
from goliat_monitoring.wire.client import GuiUpdate, LogUpdate
from goliat_monitoring.wire.decode import decode
from goliat_monitoring.wire.errors import Refused

_gui_updates = msgspec.json.Decoder(GuiUpdate)
_log_updates = msgspec.json.Decoder(LogUpdate)
_LOG_BATCH = b'"log_batch"'
_batches = msgspec.json.Decoder(Batch)


class GuiPost(msgspec.Struct, Readied, frozen=True, gc=False):
    """A GUI update. `at`: when it was received; `windows`: what was in force then, the same object for all posts, so
    that it travels once; `ip`: of its sender.
    """

    body: bytes
    at: int
    windows: Moment
    ip: str

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body)

    def ready(self) -> Heard | Exception:
        """What can be applied, or what is wrong with it."""
        return read_post(self)


class BatchPost(msgspec.Struct, Readied, frozen=True, gc=False):
    """An agent's batch for a run, with the secret that it sent along."""

    body: bytes
    at: int
    windows: Moment
    worker_id: str
    run_id: str
    fence: str | None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.body)

    def ready(self) -> Heard | Exception:
        """What can be applied, or what is wrong with it."""
        return read_post(self)


Post = GuiPost | BatchPost


def hear_posts(connection: Connection, group: Sequence[Post | Heard | Exception]) -> list[Answer]:
    """Read `group` as far as that is not done, and apply it in order; an answer each. For `Database.write_together`."""
    read = [read_post(post) if isinstance(post, Readied) else post for post in group]
    heard = [message for message in read if not isinstance(message, Exception)]
    answers: Iterator[Answer] = iter(hear(connection, heard) if heard else ())
    return [message if isinstance(message, Exception) else next(answers) for message in read]


def read_post(post: Post) -> Heard | Exception:
    """What can be applied, or what is wrong with it."""
    moment = post.windows.at(post.at)
    try:
        if isinstance(post, GuiPost):
            return _plain_log(post, moment) or gui_message(decode(post.body, _gui_updates), moment, post.ip)
        return agent_batch(moment, post.worker_id, post.run_id, post.fence, decode(post.body, _batches))
    except (msgspec.MsgspecError, RecursionError, Refused) as problem:
        return problem


def _plain_log(post: GuiPost, moment: Moment) -> GuiMessage | None:
    """The way of nearly every message; None for what must be read with more care."""
    if _LOG_BATCH not in post.body:
        return None
    try:
        return log_message(_log_updates.decode(post.body), post.body, moment, post.ip)
    except msgspec.MsgspecError:
        return None

"""Carries a run's outbox to the server: batches in order, each until it is acknowledged."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from goliat_monitoring.agent.api import Server, Unreachable, is_fenced
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.drafts import encode
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.orders import Orders
from goliat_monitoring.agent.outbox import Outbox, OutboxFull, Position
from goliat_monitoring.wire.agent import GapItem
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)
MAX_ITEMS = 500
MAX_BYTES = 512 * 1024


class Shipper:
    """`run` is the body of a thread."""

    def __init__(
        self,
        outbox: Outbox,
        server: Server,
        lease: Lease,
        orders: Orders,
        *,
        run_id: str,
        fence: str,
        ship_s: float,
        retry: Backoff,
        delivered: Callable[[], None] = lambda: None,
    ) -> None:
        """`ship_s`: seconds for which items may gather before they are sent. `delivered`: told after each batch."""
        self._outbox = outbox
        self._server = server
        self._lease = lease
        self._orders = orders
        self._run_id = run_id
        self._fence = fence
        self._ship_s = ship_s
        self._retry = retry
        self._delivered = delivered
        self._max_items = MAX_ITEMS
        self._verify = False
        self.unknown = False
        """The server does not know the run, or not as this agent's; tried again all the same."""

    def verify(self) -> None:
        """Ask the server how much it has, although it had acknowledged everything: it may have been restored."""
        self._verify = True

    @property
    def idle(self) -> bool:
        """Everything is acknowledged, and nobody doubts it."""
        return not self._verify and self._outbox.backlog == 0

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            position = self._outbox.position
            if position.acked >= position.next and not self._verify:
                if not self._outbox.wait(position.acked, 0.5) or stop.wait(self._ship_s):
                    continue
                position = self._outbox.position
            if not self._lease.wait_renewed(1.0):
                continue
            try:
                self._send(position)
            except Unreachable as error:
                stop.wait(error.retry_after or self._retry.step())
            except Refused as refused:
                self._refused(position, refused, stop)
            except (OutboxFull, sqlite3.Error) as error:
                log.warning("the outbox cannot be used: %s", error)
                stop.wait(self._retry.step())

    def _send(self, position: Position) -> None:
        verifying = self._verify
        bodies = self._outbox.read(position.acked, self._max_items, MAX_BYTES)
        batch: dict[str, Any] = {
            "stream": position.stream,
            "offset": position.acked - position.base,
            "items": [msgspec.Raw(body) for body in bodies],
        }
        accepted = self._server.batch(self._run_id, self._fence, msgspec.json.encode(batch))
        self._retry.reset()
        self._max_items = MAX_ITEMS
        self.unknown = False
        self._have(accepted.next)
        if verifying:
            # Last: whoever waits for `idle` must not see a moment without doubt and without backlog.
            self._verify = False
        self._orders.hear(accepted.directive, accepted.reason, late=accepted.late)
        self._delivered()

    def _have(self, offset: int) -> None:
        """The server has everything before `offset` of the present stream."""
        position = self._outbox.position
        number = position.base + offset
        if number > position.next:
            # It knows a later state of this outbox than this disk does: the file was restored. Start anew.
            self._outbox.restart_stream(position.acked)
        elif number < position.acked and self._outbox.first_kept() > number:
            # It lost more than is kept here.
            self._outbox.restart_stream(self._outbox.first_kept())
        elif number != position.acked:
            self._outbox.acknowledge(number)

    def _refused(self, position: Position, refused: Refused, stop: threading.Event) -> None:
        if is_fenced(refused):
            # A run that is merely over is still listened to. This one was given to somebody else altogether.
            self.unknown = True
            self._orders.fence(refused.details or refused.error)
            stop.wait(self._retry.step())
        elif refused.status == 409 and isinstance(refused.extra.get("next"), int):
            self._have(int(str(refused.extra["next"])))
            self._verify = False
        elif refused.status in (400, 413, 422):
            self._give_way(position, refused)
        else:
            self.unknown = refused.status == 404
            log.warning("the server refuses a batch: %s %s", refused.error, refused.details)
            stop.wait(self._retry.step())

    def _give_way(self, position: Position, refused: Refused) -> None:
        """Find the one item that the server will not have, and put a note in its place: the rest must get through."""
        if self._max_items > 1:
            self._max_items = max(1, self._max_items // 8)
            return
        body = self._outbox.read(position.acked, 1, MAX_BYTES)[0]
        at = _time_of(body)
        reason = f"Refused by the server: {refused.error} {refused.details}".strip()
        log.error("an item of %d bytes is given up. %s", len(body), reason)
        self._outbox.replace(position.acked, encode(GapItem(1, at, at, reason[:500])))


def _time_of(body: bytes) -> int:
    try:
        item = msgspec.json.decode(body)
        return int(item.get("time") or item.get("sentAt") or item.get("at") or 0)
    except (msgspec.DecodeError, TypeError, ValueError, AttributeError):
        return 0

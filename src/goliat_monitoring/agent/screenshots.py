"""The newest picture of each tab of GOLIAT's window, on its way to the server. Pictures may be dropped."""

import logging
import threading
from typing import NamedTuple

from goliat_monitoring.agent.api import Server, Unreachable
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)
# GOLIAT 1.5 has six.
MAX_TABS = 32


class Picture(NamedTuple):
    """`at`: UTC microseconds of its arrival; GOLIAT sends none."""

    tab: str
    at: int
    body: bytes


class Screenshots:
    """A place for one picture a tab: a newer one takes the place of one that was not sent yet."""

    def __init__(self) -> None:
        self._newest: dict[str, Picture] = {}
        self._changed = threading.Condition()
        self._closed = False

    def put(self, tab: str, body: bytes) -> None:
        """Keep a picture in memory until it is sent or a newer one comes."""
        with self._changed:
            if tab in self._newest or len(self._newest) < MAX_TABS:
                self._newest[tab] = Picture(tab, now_micros(), body)
                self._changed.notify()

    def take(self, timeout: float) -> Picture | None:
        """The one that waits longest; None after `timeout` seconds without one."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._closed, timeout)
            if not self._newest:
                return None
            oldest = min(self._newest.values(), key=lambda picture: picture.at)
            return self._newest.pop(oldest.tab)

    def put_back(self, picture: Picture) -> None:
        """Try again later, unless a newer one came."""
        with self._changed:
            self._newest.setdefault(picture.tab, picture)

    def drop(self) -> None:
        """Forget all."""
        with self._changed:
            self._newest.clear()

    def close(self) -> None:
        """Wake whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def send_screenshots(
    screenshots: Screenshots,
    server: Server,
    lease: Lease,
    run_id: str,
    fence: str,
    stop: threading.Event,
    retry: Backoff,
) -> None:
    """Send until `stop` is set; the body of a thread."""
    while not stop.is_set():
        picture = screenshots.take(1.0)
        if picture is None or not lease.wait_renewed(1.0):
            continue
        try:
            server.screenshot(run_id, fence, tab=picture.tab, at=picture.at, body=picture.body)
            retry.reset()
        except Unreachable:
            screenshots.put_back(picture)
            stop.wait(retry.step())
        except Refused as refused:
            log.debug("the server does not take the picture of %s: %s", picture.tab, refused.error)

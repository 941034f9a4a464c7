"""Hears at once what people ask: a call that the server holds open until something is asked. One thread.

The heartbeat tells the same, some seconds later; so nothing is lost where such calls do not get through.
"""

import logging
import threading

from goliat_monitoring.agent.api import Server, Unreachable, is_fenced
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.link import Link
from goliat_monitoring.agent.settings import Intervals
from goliat_monitoring.wire.agent import Directive, Listen
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)


class Listener:
    """Tells the run's orders and the link's wish."""

    def __init__(self, link: Link, server: Server, intervals: Intervals, stop: threading.Event) -> None:
        self._link = link
        self._server = server
        self._intervals = intervals
        self._stop = stop
        self._retry = Backoff(intervals.retry_s, intervals.retry_cap_s)

    def run(self) -> None:
        """Until the agent is told to end; the body of a thread."""
        while not self._stop.is_set():
            if not self._link.ready.wait(self._intervals.retry_s):
                continue
            try:
                self._listen()
                self._retry.reset()
            except Unreachable as error:
                log.debug("no answer about orders: %s", error)
                self._stop.wait(self._retry.step())
            except Refused as refused:
                # The heartbeat finds out what is wrong and puts it right.
                log.debug("no orders are told: %s %s", refused.error, refused.details)
                self._stop.wait(self._retry.step())

    def _listen(self) -> None:
        link = self._link
        session, carried = link.session, link.carried
        if session is None or carried is None or carried.orders.fenced:
            # Without a run, the claim that waits hears what is asked of the agent.
            self._stop.wait(self._intervals.retry_s)
            return
        known: Directive = "kill" if carried.orders.kill else "stop" if carried.orders.stop else "continue"
        asked = Listen(session.session_id, carried.run_id, known, link.wish, self._intervals.listen_wait_s)
        try:
            told = self._server.listen(asked, carried.fence)
        except Refused as refused:
            if not is_fenced(refused):
                raise
            if link.carried is carried:
                carried.orders.fence(refused.details or refused.error)
            return
        link.wish = told.wish
        carried.orders.hear(told.directive, told.reason)

"""The agent's standing with the server: enrolment, session, heartbeats. One thread, whatever else goes on.

It starts before the server is reachable and outlives its absence: a run at hand does not wait for it.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from goliat_monitoring.agent.api import Server, Unreachable, is_fenced
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.identity import Enrolment
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.agent.orders import Orders
from goliat_monitoring.agent.settings import Intervals
from goliat_monitoring.wire.agent import Beat, RunSummary, SessionOpened, Wish
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)
# The server takes a fresh boot of the same machine for a cloned disk until the old session counts as gone.
CLONE_PATIENCE_S = 90.0
# Until the server has said how often.
HEARTBEAT_S = 5.0
# How long a refused agent that still carries a run waits before it asks again.
REFUSED_S = 60.0


class Carried(NamedTuple):
    """The run at hand, as the heartbeat needs it."""

    run_id: str
    fence: str
    orders: Orders
    alive: Callable[[], bool]
    backlog: Callable[[], int]


class Link:
    """`session` is None until the server has taken the agent; `refused` is set when it will not."""

    def __init__(
        self,
        enrolment: Enrolment,
        server: Server,
        lease: Lease,
        intervals: Intervals,
        *,
        stop: threading.Event,
        vitals: Callable[[], dict[str, float]],
        notes: Callable[[], list[str]],
        new_epoch: Callable[[str], None],
    ) -> None:
        """`new_epoch` is told the server's epoch with each session and whenever it changes."""
        self._enrolment = enrolment
        self._server = server
        self._lease = lease
        self._intervals = intervals
        self._stop = stop
        self._vitals = vitals
        self._notes = notes
        self._new_epoch = new_epoch
        self.carried: Carried | None = None
        self._fenced_run = ""
        self._epoch = ""
        self._now = threading.Event()
        self._retry = Backoff(intervals.retry_s, self._pace(HEARTBEAT_S))
        self.session: SessionOpened | None = None
        self.refused: Refused | None = None
        self.wish: Wish = "active"
        self.ready = threading.Event()

    def carry(self, carried: Carried | None) -> None:
        """Renew this run's lease with each heartbeat from now on."""
        self.carried = carried
        if carried is None:
            self._lease.drop()
        self._now.set()

    def saw_epoch(self, epoch: str) -> None:
        """An answer bore this epoch."""
        if epoch and epoch != self._epoch:
            self._epoch = epoch
            self._new_epoch(epoch)

    def lost_session(self) -> None:
        """Somebody was told that the session is over: open another with the next beat."""
        self.session = None
        self.ready.clear()
        self._now.set()

    def run(self) -> None:
        """Until the agent is told to end; the body of a thread."""
        while not self._stop.is_set():
            try:
                wait = self._beat() if self._open() else REFUSED_S
            except Unreachable as error:
                log.info("no answer to the heartbeat: %s", error)
                wait = self._retry.step()
            except Refused as refused:
                wait = self._refused_beat(refused)
            self._rest(wait)

    def leave(self) -> None:
        """Say goodbye, so that nobody waits for the next heartbeat. One try: without it the silence tells, later."""
        if self.session is None:
            return
        try:
            self._server.end_session(self.session.session_id)
        except (Unreachable, Refused) as error:
            log.info("the server does not hear that this agent ends: %s", error)

    def _open(self) -> bool:
        if self.session is not None:
            return True
        patience = time.monotonic() + CLONE_PATIENCE_S
        while True:
            try:
                self.session = self._enrolment.open()
            except Refused as refused:
                if refused.extra.get("clonedIdentity") and time.monotonic() < patience and self.refused is None:
                    log.warning("%s: %s", refused.error, refused.details)
                    if not self._stop.wait(5.0):
                        continue
                log.error("the server refuses this agent: %s %s", refused.error, refused.details)
                self.refused = refused
                self.ready.set()
                return False
            break
        if self.session is None:
            return False
        self.refused = None
        self.saw_epoch(self.session.epoch)
        self.ready.set()
        return True

    def _beat(self) -> float:
        session, carried = self.session, self.carried
        if session is None:
            return 0.0
        if carried and carried.run_id == self._fenced_run:
            carried = None
        summary = RunSummary(carried.run_id, carried.alive(), carried.backlog()) if carried else None
        beat = Beat(session.session_id, now_micros(), summary, self._vitals(), self._notes())
        asked_at = self._lease.now()
        try:
            reply = self._server.beat(beat, carried.fence if carried else None)
        except Refused as refused:
            if not carried or not is_fenced(refused):
                raise
            # Known as fenced from now on: the heartbeat speaks for the machine alone.
            self._fenced_run = carried.run_id
            self._lease.drop()
            carried.orders.fence(refused.details or refused.error)
            return 0.0
        self._lease.renew(asked_at, reply.lease_s)
        self._retry.reset()
        self.wish = reply.wish
        self.saw_epoch(reply.epoch)
        if carried:
            carried.orders.hear(reply.directive, reply.reason)
        return self._pace(reply.next_s)

    def _pace(self, asked_s: float) -> float:
        return asked_s if self._intervals.heartbeat_s is None else self._intervals.heartbeat_s

    def _refused_beat(self, refused: Refused) -> float:
        """A run that the server does not know is no fence: beat without it. Else the session is not valid any more."""
        carried = self.carried
        if (
            refused.status == 404
            and carried
            and carried.run_id != self._fenced_run
            and not refused.extra.get("session")
        ):
            log.warning("the server does not know run %s", carried.run_id)
            self._lease.drop()
            self._beat_alone()
            return self._pace(HEARTBEAT_S)
        log.warning("heartbeat refused: %s %s", refused.error, refused.details)
        self.lost_session()
        return self._retry.step()

    def _beat_alone(self) -> None:
        session = self.session
        if session is None:
            return
        try:
            asked_at = self._lease.now()
            reply = self._server.beat(Beat(session.session_id, now_micros(), None, self._vitals(), self._notes()), None)
            self._lease.renew(asked_at, None)
            self.wish = reply.wish
            self.saw_epoch(reply.epoch)
        except (Unreachable, Refused) as error:
            log.info("no answer to the heartbeat: %s", error)
            self.lost_session()

    def _rest(self, seconds: float) -> None:
        """Wait for the next beat, or until the machine woke up or somebody asks for one."""
        end = time.monotonic() + seconds
        slept = self._lease.slept()
        while not self._stop.is_set():
            left = end - time.monotonic()
            if left <= 0 or self._now.wait(min(left, 0.5)):
                break
            if self._lease.slept() and not slept:
                break
        self._now.clear()

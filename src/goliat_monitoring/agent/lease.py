"""The time until which a run is surely this agent's, on a clock that nobody sets, and the notice of a sleep.

After the machine slept, the lease may be over and the run another's: nothing else is sent before a heartbeat was
answered.
"""

import threading
import time
from collections.abc import Callable


class Lease:
    """`wall` and `steady` are seconds; tests give their own."""

    def __init__(
        self, gap_s: float, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._gap_s = gap_s
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._seen = (wall(), steady())
        self._until: float | None = None
        self._renewed = threading.Event()
        self._renewed.set()

    def now(self) -> float:
        """The steady clock, to be read before a renewal is asked for."""
        return self._steady()

    def renew(self, asked_at: float, lease_s: float | None) -> None:
        """The server answered a heartbeat that was sent at `asked_at` of the steady clock."""
        with self._lock:
            self._seen = (self._wall(), self._steady())
            if lease_s is not None:
                # From the asking, not from the answer: the server's clock for it started somewhere in between.
                self._until = asked_at + lease_s
            self._renewed.set()

    def drop(self) -> None:
        """There is no run any more."""
        with self._lock:
            self._until = None

    def left(self) -> float | None:
        """Seconds for which the run is surely this agent's; None without a run."""
        with self._lock:
            return None if self._until is None else self._until - self._steady()

    def slept(self) -> bool:
        """Whether the machine slept (or its clock was set ahead) and no heartbeat was answered since."""
        with self._lock:
            wall, steady = self._wall(), self._steady()
            ahead = (wall - self._seen[0]) - (steady - self._seen[1])
            # Where the steady clock counts sleep (Windows), the lease itself tells.
            over = self._until is not None and steady > self._until
            self._seen = (wall, steady)
            if ahead > self._gap_s or over:
                self._renewed.clear()
            return not self._renewed.is_set()

    def wait_renewed(self, timeout: float) -> bool:
        """Hold a call back until the lease is renewed; False if it was not within `timeout` seconds."""
        return not self.slept() or self._renewed.wait(timeout)

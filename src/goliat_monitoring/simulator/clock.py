"""Simulated time: pauses that shrink with the speed and notice what the agent asks for."""

import time

from goliat_monitoring.simulator.surroundings import Surroundings

LOOK_EVERY_S = 0.1


class Cancelled(Exception):
    """Somebody pressed Stop."""


class WindowClosed(Exception):
    """Somebody closed the window: nothing more is sent."""


class Clock:
    """Waits, and looks at the buttons at most every 100 ms."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._looked = 0.0
        self.cancelled = False

    def scaled(self, seconds: float) -> float:
        """How long `seconds` of GOLIAT take here."""
        return seconds / self._surroundings.speed

    def wait(self, seconds: float) -> None:
        """Let `seconds` of GOLIAT pass.

        Raises:
            WindowClosed: the window was closed meanwhile.
        """
        until = time.monotonic() + self.scaled(seconds)
        while True:
            self.look()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, LOOK_EVERY_S))

    def wait_or_stop(self, seconds: float) -> None:
        """As `wait`, at a place where GOLIAT obeys the Stop button.

        Raises:
            Cancelled, WindowClosed: a button was pressed.
        """
        self.wait(seconds)
        if self.cancelled:
            raise Cancelled

    def wait_for_close(self) -> None:
        """Stay until the window is closed, as GOLIAT does after a study."""
        while not self._surroundings.pressed("close"):
            time.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Notice pressed buttons."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY_S:
            return
        self._looked = now
        if self._surroundings.pressed("close"):
            raise WindowClosed
        self.cancelled = self.cancelled or self._surroundings.pressed("stop")

"""How often open pages are told of changes, so that what they fetch then leaves the server time for everything else.

A hundred people who look at a hundred different runs of a busy fleet would have each of them rendered four times a
second. New lines of a log are small, and go on at once; a page's other parts come as often as the server can make them.
"""

import time
from collections.abc import Callable

# Rendering again what changed may take this part of a processor; what it took beyond, for a moment, is owed.
SHARE = 1 / 3
# What may be owed before pages are told less often, and how much less often for each second above it: both in seconds.
CREDIT, SLOWER = 0.5, 10.0
# The smallest and the greatest time between two events of one kind on one stream, seconds.
PACE, SLOWEST = 0.25, 10.0


class Budget:
    """One for the server. `clock`: seconds, of whatever beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._owed = 0.0
        self._at = clock()

    def spend(self, seconds: float) -> None:
        """Something was rendered again, and took so long."""
        self._owed = self._left() + seconds
        self._at = self._clock()

    def pace(self) -> float:
        """The smallest time between two events now, seconds."""
        return min(max(PACE, SLOWER * (self._left() - CREDIT)), SLOWEST)

    def _left(self) -> float:
        return max(0.0, self._owed - SHARE * (self._clock() - self._at))

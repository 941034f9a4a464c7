"""When open pages are told of changes, so that what they fetch then leaves the server time for everything else.

A hundred people who look at a hundred different runs of a busy fleet would have each of them rendered four times a
second. New lines of a log are few, and go on at once; for the rest of a page each stream gets its turn, one after the
other, as fast as the server can render what they show.
"""

import time
from collections.abc import Callable

# So much may be rendered again at the same time, on average: less than one part of a page.
SHARE = 0.75
# Turns that nobody took before are not lost, up to so many seconds of them: where little happens nobody waits.
CREDIT = 1.0
# Nobody waits longer than this, seconds.
LONGEST = 12.0
# What a turn costs as long as nobody knows, seconds, and how much one says of what the next will cost.
AT_FIRST, LEARNING = 0.03, 0.05


class Budget:
    """One for the server. `clock`: seconds, of whatever beginning."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = clock() - CREDIT
        # What a turn costs on average, and what was spent since the last one was given.
        self._each, self._spent = AT_FIRST, 0.0

    def spend(self, seconds: float) -> None:
        """Something was rendered again, and took so long: on a busy server more than its work, and all the better."""
        self._spent += seconds

    def turn(self) -> float:
        """Take a turn. Returns the seconds to wait for it."""
        self._each += LEARNING * (self._spent - self._each)
        self._spent = 0.0
        now = self._clock()
        self._next = min(max(self._next, now - CREDIT) + self._each / SHARE, now + LONGEST)
        return max(0.0, self._next - now)

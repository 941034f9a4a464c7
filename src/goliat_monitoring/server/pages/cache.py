"""Fragments rendered once for all viewers: whatever was rendered since the last change is handed out again."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from goliat_monitoring.server.live.budget import Budget
from goliat_monitoring.server.live.hub import PACE, Hub

# Title and HTML.
Rendered = tuple[str, str]
# A fragment is rendered at most as often as a page is told of changes, however many look at it, and so seldom that it
# takes one part in so many of a processor at most.
COSTS = 5.0
# A rendering that waited long for the database says little of its cost.
SLOWEST = 0.4
# Presence and age move on without any change in the database.
FRESH = 3.0
KEPT = 256


class Fragments:
    """Keeps the newest text of each fragment. Used on one event loop. `budget`: what rendering them again costs."""

    def __init__(self) -> None:
        self.budget = Budget()
        # Mark, when it was made, how long that took, and the text.
        self._texts: OrderedDict[str, tuple[int, float, float, Rendered]] = OrderedDict()
        self._locks: OrderedDict[str, asyncio.Lock] = OrderedDict()

    async def get(
        self, hub: Hub, key: str, topics: tuple[str, ...], render: Callable[[], Awaitable[Rendered]]
    ) -> Rendered:
        """The fragment `key`, which shows `topics`. Many who ask at once wait for one rendering."""
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            known = self._texts.get(key)
            if known is not None:
                age = time.monotonic() - known[1]
                if known[0] == hub.mark(topics) and age < FRESH:
                    self._texts.move_to_end(key)
                    return known[3]
                # Something changed: whoever asks until the next rendering is due waits for that one.
                await asyncio.sleep(max(0.0, max(PACE, COSTS * known[2]) - age))
            # Taken before the database is read: a change in between makes the text old, never wrongly new.
            mark = hub.mark(topics)
            began = time.monotonic()
            text = await render()
            now = time.monotonic()
            cost = min(now - began, SLOWEST)
            self._texts[key] = (mark, now, cost, text)
            if known is not None:
                self.budget.spend(cost)
            self._texts.move_to_end(key)
        while len(self._texts) > KEPT:
            self._texts.popitem(last=False)
        while len(self._locks) > 4 * KEPT:
            self._locks.popitem(last=False)
        return text

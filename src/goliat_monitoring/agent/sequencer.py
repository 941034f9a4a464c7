"""Puts what raced back into the order in which it happened. Pure: the clock is handed in."""

import heapq
from typing import NamedTuple


class Entry(NamedTuple):
    """Something received. Sorted by its own time, then as its sender counted, then by arrival.

    `time`: sender's clock in UTC microseconds. `number`: unique, in order of arrival.
    """

    time: int
    sequence: int
    position: int
    number: int


class Sequencer:
    """Holds each entry for `window_s` seconds from its arrival and lets earlier ones go first.

    An entry that arrives later than the window allows is appended where the stream is by then; nothing is ever lost
    or repeated, and a clock that jumps reorders nothing beyond the window.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._heap: list[Entry] = []
        # Number -> arrival on the steady clock.
        self._arrived: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, entry: Entry, arrived: float) -> None:
        """Take an entry that arrived at `arrived` (seconds of a clock that only goes forward)."""
        heapq.heappush(self._heap, entry)
        self._arrived[entry.number] = arrived

    def due(self, now: float) -> list[Entry]:
        """What has waited long enough, with everything that belongs before it."""
        old = {number for number, arrived in self._arrived.items() if arrived <= now - self._window_s}
        released = []
        while old:
            entry = heapq.heappop(self._heap)
            del self._arrived[entry.number]
            old.discard(entry.number)
            released.append(entry)
        return released

    def drain(self) -> list[Entry]:
        """Everything that is left, in order."""
        released = sorted(self._heap)
        self._heap.clear()
        self._arrived.clear()
        return released

"""How long to wait before the next try."""

import random


class Backoff:
    """Waits that grow from `first` to `cap` seconds, each shortened at random so that agents do not beat in step."""

    def __init__(self, first: float, cap: float) -> None:
        self._first = first
        self._cap = cap
        self._next = first

    def reset(self) -> None:
        """The last try went well."""
        self._next = self._first

    def step(self) -> float:
        """Seconds to wait now."""
        wait = self._next
        self._next = min(self._cap, self._next * 2)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

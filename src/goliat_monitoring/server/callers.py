"""Who holds a secret: what the database says, remembered for a moment.

Callers that wait for it at the same moment are looked up together. A hundred agents that come back at once would
otherwise wait for a hundred reads, one after the other, and ask for work one after the other.
"""

import asyncio
import time
from functools import partial

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import credentials
from goliat_monitoring.store.credentials import Credential
from goliat_monitoring.store.grants import secret_hash

# A revoked credential works at most this long, seconds.
REMEMBER_S = 2.0
REMEMBERED = 10_000
# One statement asks for at most so many.
TOGETHER = 256


class Callers:
    """The holders of secrets. Belongs to the event loop."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: dict[str, tuple[float, Credential | None]] = {}
        self._waiting: dict[str, asyncio.Future[Credential | None]] = {}
        self._reading: asyncio.Task[None] | None = None

    async def find(self, secret: str) -> tuple[Credential | None, bool]:
        """The valid credential of `secret`, None where there is none; and whether it was read for this call."""
        key = secret_hash(secret)
        known = self._known.get(key)
        if known is not None and known[0] > time.monotonic():
            return known[1], False
        waiting = self._waiting.get(key)
        first = waiting is None
        if waiting is None:
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
        # Whoever leaves takes the answer from nobody else.
        return await asyncio.shield(waiting), first

    async def _read(self) -> None:
        """Read until nobody waits."""
        while self._waiting:
            asked = {key: self._waiting.pop(key) for key in list(self._waiting)[:TOGETHER]}
            read = partial(credentials.find, now=self._services.clock(), hashes=list(asked))
            try:
                found = await self._services.db.read(read)
            except Exception as problem:  # noqa: BLE001 - whoever asked gets it, the next are looked up again
                for future in asked.values():
                    future.set_exception(problem)
                    # It was told, even if nobody waits any more.
                    future.exception()
                continue
            if len(self._known) > REMEMBERED:
                self._known.clear()
            until = time.monotonic() + REMEMBER_S
            for key, future in asked.items():
                self._known[key] = (until, found.get(key))
                future.set_result(found.get(key))

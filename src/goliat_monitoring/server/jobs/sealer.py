"""The background task that seals logs: it packs in a reader's thread, and the writer only swaps rows for chunks."""

import asyncio
import time
from contextlib import suppress
from functools import partial

from goliat_monitoring.server.services import Services
from goliat_monitoring.store.log import seal

# Between two looks, seconds. A busy run fills a chunk in some seconds; a longer tail costs space, nothing else.
PAUSE_S = 5.0
# And between two chunks, at most.
LONGEST_REST_S = 0.5


class Sealer:
    """Seals what is due, each time it looks. A step that is cut off may be lost, which does no harm."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def look(self) -> None:
        """Seal what is due now."""
        db, moment = self._services.db, self._services.moment()
        for candidate in await db.read(partial(seal.candidates, moment=moment)):
            with suppress(seal.Overtaken):
                while True:
                    began = time.monotonic()
                    parcel = await db.read(partial(seal.prepare, moment=moment, candidate=candidate))
                    if parcel is None:
                        break
                    await db.write(partial(seal.put, parcel=parcel))
                    # Packing holds Python's lock, which pages need too: half of the time is theirs.
                    await asyncio.sleep(min(time.monotonic() - began, LONGEST_REST_S))

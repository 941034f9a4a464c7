"""An agent's claim: answered at once when there is work, else held open until there may be some."""

import time
from contextlib import AsyncExitStack
from typing import Any

from goliat_monitoring.fleet.timing import ASK_FOR_WORK
from goliat_monitoring.server.api.waiting import Departure, wait_for
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.claims import Ask, claim_together
from goliat_monitoring.wire.agent import Claim, Claimed, Wish
from goliat_monitoring.wire.clock import SECOND

LONGEST_WAIT_S = 30.0
# What a worker that is told so waits for just the same: to be resumed.
WAITING: frozenset[Wish] = frozenset({"active", "paused", "draining"})
# A look that comes a moment too early would have to be made again.
SOON_S = 0.01


async def take_claim(services: Services, worker_id: str, said: Claim, receive: Any) -> Claimed:
    """What the worker gets. `receive`: of the request, whose body was read; tells that the agent went away."""
    ends = time.monotonic() + min(max(said.wait_s, 0.0), LONGEST_WAIT_S)
    departure: Departure | None = None
    async with AsyncExitStack() as stack:
        while True:
            stamp = services.hub.stamp()
            turn = await services.db.write_together(claim_together, Ask(services.moment(), worker_id, said.session_id))
            rest = ends - time.monotonic()
            if turn.job is not None or rest <= 0 or turn.wish not in WAITING:
                next_s = 0.0 if turn.job is not None else ASK_FOR_WORK / SECOND
                return Claimed(epoch=services.epoch, next_s=next_s, wish=turn.wish, job=turn.job)
            # Work also appears as time passes, which no commit tells.
            if turn.change is not None:
                rest = min(rest, max((turn.change - services.clock()) / SECOND, 0.0) + SOON_S)
            # Most are answered at once: only of those that wait it is watched whether they left.
            if departure is None:
                departure = await stack.enter_async_context(Departure(receive))
            await wait_for(services.hub, "work", stamp, rest, departure)

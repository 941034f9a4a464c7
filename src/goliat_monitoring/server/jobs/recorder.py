"""What is learned from finished simulations, and the history of each study's ETA."""

from functools import partial

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import history, timings

EVERY_S = 30.0


async def record(services: Services) -> None:
    """Learn what there is to learn, then note what is due."""
    while await services.db.write(partial(timings.learn, moment=services.moment())) == timings.AT_ONCE:
        pass
    future = await services.outlook()
    now = services.clock()
    points = await services.db.read(lambda c: history.due(c, now, future))
    if points:
        await services.db.write(partial(history.keep, points=points))

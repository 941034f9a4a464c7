"""What is learned from finished simulations, and the history of each study's ETA."""

from functools import partial

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import history, timings

# A study has an ETA so soon after its first simulation, seconds; and how often it may have a point in its history.
LEARN_EVERY_S, RECORD_EVERY_S = 5.0, 30.0


async def learn(services: Services) -> None:
    """Learn what there is to learn."""
    while await services.db.write(partial(timings.learn, moment=services.moment())) == timings.AT_ONCE:
        pass


async def record(services: Services) -> None:
    """Note what is due."""
    future = await services.outlook()
    now = services.clock()
    points = await services.db.read(lambda c: history.due(c, now, future))
    if points:
        await services.db.write(partial(history.keep, points=points))

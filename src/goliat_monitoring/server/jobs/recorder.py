"""What is learned from finished simulations, and the history of each study's ETA."""

from functools import partial

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import history, timings
from goliat_monitoring.store.read.lessons import any_to_learn

EVERY_S = 30.0
# How soon after its first simulation a study that somebody looks at has an ETA.
FIRST_S = 2.0


async def record(services: Services) -> None:
    """Learn what there is to learn, then note what is due."""
    while await services.db.write(partial(timings.learn, moment=services.moment())) == timings.AT_ONCE:
        pass
    future = await services.outlook()
    now = services.clock()
    points = await services.db.read(lambda c: history.due(c, now, future))
    if points:
        await services.db.write(partial(history.keep, points=points))


async def learn_first(services: Services) -> None:
    """Learn at once from the first simulation of a study whose readers wait for it. Later ones have time: to learn
    takes the writer's turn."""
    untold = services.outlooks.untold()
    if not untold:
        return
    if await services.db.read(lambda c: any_to_learn(c, untold)):
        services.outlooks.forget()
        await record(services)

"""What is learned from finished simulations, and the history of each study's and each run's ETA."""

from functools import partial

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import history, timings
from goliat_monitoring.store.samples import forecast

# A study has an ETA so soon after its first simulation; and how often it may have a point in its history, seconds.
LEARN_EVERY_S, RECORD_EVERY_S = 2.0, 30.0


async def learn(services: Services) -> None:
    """Learn what there is to learn. Looked for by a reader: most of the time there is nothing to write."""
    while lessons := await services.db.read(partial(timings.due, now=services.clock())):
        await services.db.write(partial(timings.keep, lessons=lessons))
        services.learned_of(timings.studies_of(lessons))


async def record(services: Services) -> None:
    """Note what is due in the histories."""
    future = await services.outlook()
    now = services.clock()
    points = await services.db.read(lambda c: history.due(c, now, future))
    if points:
        await services.db.write(partial(history.keep, points=points))
    of_runs = await services.db.read(partial(forecast.due, now=now, future=future))
    if of_runs:
        await services.db.write(partial(forecast.keep, rows=of_runs))

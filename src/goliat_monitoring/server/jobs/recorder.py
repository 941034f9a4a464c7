"""What is learned from finished simulations, and the history of each study's ETA."""

from goliat_monitoring.server.services import Services
from goliat_monitoring.store import history, timings

EVERY_S = 30.0


async def record(services: Services) -> None:
    """Learn what there is to learn, then note what is due."""
    while await services.db.write(lambda c: timings.learn(c, services.moment())) == timings.AT_ONCE:
        pass
    future = await services.outlook()
    await services.db.write(lambda c: history.record(c, services.moment(), future))

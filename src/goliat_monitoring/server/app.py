"""The server as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.datastructures import State

from goliat_monitoring.server.api import api_routes
from goliat_monitoring.server.body import JSON_LIMIT
from goliat_monitoring.server.context import DEPENDENCIES
from goliat_monitoring.server.docs import docs_config
from goliat_monitoring.server.edge import Edge
from goliat_monitoring.server.errors import answer_problem
from goliat_monitoring.server.jobs.recorder import LEARN_EVERY_S, RECORD_EVERY_S, learn, record
from goliat_monitoring.server.jobs.repeating import Repeating
from goliat_monitoring.server.jobs.retention import Retention
from goliat_monitoring.server.jobs.sealer import PAUSE_S, Sealer
from goliat_monitoring.server.jobs.sweeper import Sweeper
from goliat_monitoring.server.jobs.watch import Watch
from goliat_monitoring.server.live.routes import live_routes
from goliat_monitoring.server.pages.routes import page_routes
from goliat_monitoring.server.services import Clock, Services, wall_clock
from goliat_monitoring.server.settings import Settings


def create_app(settings: Settings, clock: Clock = wall_clock, *, sweeping: bool = True) -> Edge:
    """The whole application. It opens its database at the lifespan's start and closes it at its end.

    `clock`: UTC microseconds. `sweeping=False` leaves its jobs to the caller (tests with a clock of their own).
    """
    services = Services(settings, clock)
    return Edge(litestar_app(services, sweeping=sweeping), services)


def litestar_app(services: Services, *, sweeping: bool) -> Litestar:
    """What the edge stands before."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        await services.open()
        jobs = jobs_of(services) if sweeping else []
        try:
            for job in jobs:
                job.start()
            yield
        finally:
            for job in jobs:
                await job.stop()
            await services.close()

    return Litestar(
        route_handlers=[*api_routes(), *live_routes(), *page_routes()],
        dependencies=DEPENDENCIES,
        exception_handlers={Exception: answer_problem},
        lifespan=[lifespan],
        openapi_config=docs_config(),
        request_max_body_size=JSON_LIMIT,
        state=State({"services": services}),
        logging_config=None,
        debug=False,
    )


def jobs_of(services: Services) -> list[Sweeper | Repeating]:
    """What goes on beside the answering of requests."""
    settings = services.settings
    return [
        Sweeper(services),
        Repeating("sealing", PAUSE_S, Sealer(services).look),
        Repeating("retention", settings.retention_interval_s, Retention(services).work),
        Repeating("learning", LEARN_EVERY_S, partial(learn, services)),
        Repeating("recording", RECORD_EVERY_S, partial(record, services)),
        Repeating("watch", settings.watch_interval_s, Watch(services).work),
    ]

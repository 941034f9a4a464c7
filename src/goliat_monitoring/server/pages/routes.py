"""All routes of the dashboard."""

from litestar import Router
from litestar.config.compression import CompressionConfig
from litestar.datastructures import CacheControlHeader
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware
from litestar.static_files import create_static_files_router
from sqlalchemy.exc import SQLAlchemyError

from goliat_monitoring.server.pages import (
    manual_pages,
    new_study,
    overview,
    runs,
    settings,
    studies,
    study,
    worker,
    workers,
)
from goliat_monitoring.server.pages.assets import STATIC, STATIC_URL
from goliat_monitoring.server.pages.show import problem_page, trouble_fragment, unreadable_page
from goliat_monitoring.wire.errors import Refused


def page_routes() -> list[HTTPRouteHandler | Router]:
    """Pages, their fragments and their static files. They need `services` in the app's state."""
    pages = Router(
        path="/",
        route_handlers=[
            overview.overview,
            overview.overview_fragment,
            workers.workers_list,
            workers.workers_fragment,
            worker.worker,
            worker.worker_fragment,
            worker.worker_part_fragment,
            studies.studies_list,
            studies.studies_fragment,
            study.study,
            study.study_fragment,
            study.study_tab,
            study.study_tab_fragment,
            runs.run,
            runs.run_fragment,
            runs.run_part_fragment,
            runs.run_samples_page,
            new_study.new_study,
            new_study.post_new_study,
            new_study.preview_fragment,
            settings.settings_page,
            settings.settings_fragment,
            manual_pages.help_start,
            manual_pages.help_document,
            trouble_fragment,
        ],
        exception_handlers={Refused: problem_page, SQLAlchemyError: unreadable_page},
        include_in_schema=False,
    )
    return [pages, static_files()]


def static_files() -> Router:
    """Style, scripts and icons, below an address that changes with them, so they may be kept for ever. Packed: a third
    of the bytes on their one way to each browser.
    """
    return create_static_files_router(
        path=STATIC_URL,
        directories=[STATIC],
        name="static",
        include_in_schema=False,
        middleware=[DefineMiddleware(CompressionMiddleware, config=CompressionConfig(backend="gzip"))],
        cache_control=CacheControlHeader(max_age=31_536_000, immutable=True, public=True),
    )

"""All routes of the dashboard."""

from litestar import Router
from litestar.handlers import HTTPRouteHandler
from litestar.static_files import create_static_files_router

from goliat_monitoring.server.pages.assets import STATIC, STATIC_URL


def page_routes() -> list[HTTPRouteHandler | Router]:
    """Pages, their fragments and their static files. They need `services` in the app's state."""
    return [static_files()]


def static_files() -> Router:
    """Style, scripts and icons, below an address that changes with them."""
    return create_static_files_router(
        path=STATIC_URL,
        directories=[STATIC],
        name="static",
        include_in_schema=False,
        cache_control=None,
    )

"""The API's description: OpenAPI as JSON, and a page made from it that needs no other host."""

from typing import Any

from litestar import Request, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from goliat_monitoring import __version__
from goliat_monitoring.server.pages.show import HEADERS, still

PATH = "/api/docs"


class CallsPage(OpenAPIRenderPlugin):
    """Every call with its words, as a page of the dashboard."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The page."""
        calls = [
            (method.upper(), path, operation.get("description") or operation.get("summary") or "")
            for path, item in sorted(openapi_schema["paths"].items())
            for method, operation in item.items()
            if isinstance(operation, dict)
        ]
        page = still(request, "api.html", title="API", nav="help", styles=("help.css",), calls=calls, path=PATH)
        return page.content.encode()


def docs_config() -> OpenAPIConfig:
    """OpenAPI at `/api/docs`."""
    return OpenAPIConfig(
        title="goliat-monitoring",
        version=__version__,
        openapi_router=Router(PATH, route_handlers=[], response_headers=HEADERS),
        render_plugins=[CallsPage(), JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
    )

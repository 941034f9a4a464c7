"""The API's description: OpenAPI as JSON, and a plain page made from it that needs no script and no other host."""

from html import escape
from typing import Any

from litestar import Request
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

from goliat_monitoring import __version__

PATH = "/api/docs"


class PlainPage(OpenAPIRenderPlugin):
    """Every call with its words, as one page of HTML."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        """The page."""
        calls = [
            f"<dt><code><b>{escape(method.upper())}</b> {escape(path)}</code></dt>"
            f"<dd>{escape(operation.get('description') or operation.get('summary') or '')}</dd>"
            for path, item in sorted(openapi_schema["paths"].items())
            for method, operation in item.items()
            if isinstance(operation, dict)
        ]
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>goliat-monitoring API</title>'
            f"<h1>goliat-monitoring API {escape(__version__)}</h1>"
            f'<p>All of it for machines: <a href="{PATH}/openapi.json">openapi.json</a></p>'
            f"<dl>{''.join(calls)}</dl></html>"
        )
        return page.encode()


def docs_config() -> OpenAPIConfig:
    """OpenAPI at `/api/docs`."""
    return OpenAPIConfig(
        title="goliat-monitoring",
        version=__version__,
        path=PATH,
        render_plugins=[PlainPage(), JsonRenderPlugin(path="/openapi.json")],
        use_handler_docstrings=True,
    )

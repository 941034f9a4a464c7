"""Help: the documents, served by the product."""

from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from goliat_monitoring.server.pages import manual
from goliat_monitoring.server.pages.show import HEADERS, still
from goliat_monitoring.wire.errors import Refused


@get("/help")
async def help_start(request: Request[Any, Any, Any]) -> Response[str]:
    """What there is to read."""
    groups = manual.contents()
    return still(request, "help.html", title="Help", nav="help", styles=("help.css",), groups=groups, document=None)


@get("/help/{name:path}")
async def help_document(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
    """One document, or a picture of one."""
    name = name.strip("/")
    if name.endswith(".md"):
        return Redirect(f"{manual.ADDRESS}/{name.removesuffix('.md')}")
    found = manual.document(name)
    if found is not None:
        return still(
            request,
            "help.html",
            title=found.title,
            nav="help",
            styles=("help.css",),
            groups=manual.contents(),
            document=found,
        )
    picture = manual.picture(name)
    if picture is None:
        raise Refused(404, "there is no such page in the help", f"{name!r:.100}: /help lists all of them")
    return Response(picture[0], media_type=picture[1], headers={**HEADERS, "Cache-Control": "max-age=3600"})

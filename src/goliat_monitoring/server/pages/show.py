"""How every page is served: a shell around one fragment, rendered once for all who may do the same and fetched again on
events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any

from litestar import MediaType, Request, Response, get
from markupsafe import Markup
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from goliat_monitoring.server.auth import may
from goliat_monitoring.server.errors import answer_problem
from goliat_monitoring.server.pages.render import moment, render
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.trouble import TOPIC
from goliat_monitoring.store.health import is_away
from goliat_monitoring.wire.clock import iso
from goliat_monitoring.wire.errors import Refused

VERSION = version("goliat-monitoring")
# Nothing from elsewhere, nothing inline. Screenshots and icons are our own addresses.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
# Seconds after which a page that could not be made asks again.
AGAIN_S = 5
Load = Callable[[Connection, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Page:
    """One live page. `load` reads what `template` shows; its `title` names the page. `topics` make it fetch itself;
    without any it is not live.

    `fragment`: the address of its live part, also its key among the fragments kept. `stream`: further topics that its
    scripts listen for. `scripts`, `styles`: files of `static/` that only this page needs.
    """

    nav: str
    fragment: str
    template: str
    topics: tuple[str, ...]
    load: Load
    stream: tuple[str, ...] = field(default=())
    scripts: tuple[str, ...] = field(default=())
    styles: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Part:
    """A section below a page with a live part of its own, which rests while its tab is hidden.

    `id`: its anchor, which is also its tab's; `name`: what it is called; `above`: HTML of it that is not live. The
    topics of `page` must be among those of the page it stands on.
    """

    id: str
    name: str
    page: Page
    above: str = ""


# By the end of its address: what a section is called, and what reads it for the id of its subject.
Sections = Mapping[str, tuple[str, Callable[[str, Connection, int], Mapping[str, Any]]]]


def section(subject: str, key: str, kind: str, among: Sections, above: str = "") -> Part:
    """The section `kind` about one `subject`, a run or a worker with the id `key`. Raises `Refused` 404."""
    if kind not in among:
        raise Refused(404, "no such section", f"{kind!r} is none of {', '.join(among)}")
    name, loader = among[kind]
    page = Page(
        nav="",
        fragment=f"/fragments/{subject}s/{key}/{kind}",
        template=f"{subject}_{kind}.html",
        topics=(f"{subject}:{key}",),
        load=partial(loader, key),
    )
    return Part(kind, name, page, above)


@dataclass(frozen=True, slots=True)
class Server:
    """What a command to copy needs to know, and what to offer to whoever looks. `wants_token`: a machine needs one to
    join. `here_only`: only this machine can reach the server. `acts`: whoever looks may run studies and workers;
    `governs`: also change tokens and settings."""

    url: str
    wants_token: bool
    here_only: bool
    acts: bool
    governs: bool


def server_of(request: Request[Any, Any, Any]) -> Server:
    """The server as the viewer reached it."""
    settings = request.app.state.services.settings
    caller = request.scope["state"]["principal"]
    return Server(
        url=str(request.base_url).rstrip("/"),
        wants_token=bool(settings.admin_token),
        here_only=settings.open_to_this_machine,
        acts=may(caller, "POST", "/api/workers"),
        governs=may(caller, "POST", "/api/settings"),
    )


async def fragment(request: Request[Any, Any, Any], page: Page) -> Response[str]:
    """The live part of a page alone."""
    _, text = await _body(request, page)
    return Response(text, media_type=MediaType.HTML, headers=HEADERS)


async def whole(request: Request[Any, Any, Any], page: Page, *below: str | Part) -> Response[str]:
    """The page. `below`: what stands under its live part: HTML that keeps itself up to date, and live sections."""
    services = request.app.state.services
    # Before anything is read, so that the stream tells of whatever changes from here on.
    stamp = services.hub.stamp()
    title, body = await _body(request, page)
    under = [it if isinstance(it, str) else await _part(request, it) for it in below]
    text = _shell(
        services,
        title=title,
        nav=page.nav,
        stamp=stamp,
        topics=",".join([*page.topics, *page.stream, TOPIC]),
        fragment=page.fragment if page.topics else "",
        trigger=_trigger(page),
        body=Markup(body),  # noqa: S704 - rendered by our own template
        below=Markup("".join(under)),  # noqa: S704 - likewise
        scripts=page.scripts,
        styles=page.styles,
        acts=server_of(request).acts,
    )
    return Response(text, media_type=MediaType.HTML, headers=HEADERS)


def _trigger(page: Page) -> str:
    kinds = sorted({topic.partition(":")[0] for topic in page.topics} | {"refresh"})
    return ", ".join([*(f"sse:{kind} from:body" for kind in kinds), "every 20s"])


async def _part(request: Request[Any, Any, Any], part: Part) -> str:
    _, body = await _body(request, part.page)
    return render(
        "part.html",
        id=part.id,
        name=part.name,
        above=Markup(part.above),  # noqa: S704 - rendered by our own template
        fragment=part.page.fragment,
        trigger=f"{_trigger(part.page)}, shown",
        body=Markup(body),  # noqa: S704 - likewise
    )


def still(
    request: Request[Any, Any, Any],
    template: str,
    *,
    title: str,
    nav: str,
    scripts: tuple[str, ...] = (),
    styles: tuple[str, ...] = (),
    status: int = 200,
    **context: object,
) -> Response[str]:
    """A page that nothing changes while it is open; only what is wrong with the server comes to it by itself."""
    server = server_of(request)
    body = render(template, title=title, server=server, **context)
    text = _shell(
        request.app.state.services,
        title=title,
        nav=nav,
        stamp=request.app.state.services.hub.stamp(),
        topics=TOPIC,
        fragment="",
        trigger="",
        body=Markup(body),  # noqa: S704 - rendered by our own template
        below="",
        scripts=scripts,
        styles=styles,
        acts=server.acts,
    )
    return Response(text, media_type=MediaType.HTML, headers=HEADERS, status_code=status)


def problem_page(request: Request[Any, Any, Any], refused: Refused) -> Response[str]:
    """A refusal as a page for people."""
    body = render("error.html", title=refused.error.capitalize(), details=refused.details)
    text = _shell(
        request.app.state.services,
        title=refused.error.capitalize(),
        nav="",
        stamp="",
        topics="",
        fragment="",
        trigger="",
        body=Markup(body),  # noqa: S704 - rendered by our own template
        below="",
    )
    return Response(text, media_type=MediaType.HTML, headers=HEADERS, status_code=refused.status)


def unreadable_page(request: Request[Any, Any, Any], problem: SQLAlchemyError) -> Response[Any]:
    """Pages are made from the database. Without it this one says so, and tries again by itself."""
    services = request.app.state.services
    if not is_away(problem):
        return answer_problem(request, problem)
    services.troubles.note_reading(services.clock(), problem)
    services.tell_troubles()
    trouble = services.troubles.reading
    text = _shell(
        services,
        title="The database does not answer",
        nav="",
        stamp="",
        topics="",
        fragment="",
        trigger="",
        body=Markup(render("unreadable.html", it=trouble, again=AGAIN_S)),  # noqa: S704 - rendered by our own template
        below="",
        again=AGAIN_S,
        trouble="",
    )
    headers = {**HEADERS, "Retry-After": str(AGAIN_S)}
    return Response(text, media_type=MediaType.HTML, headers=headers, status_code=503)


@get("/fragments/trouble")
async def trouble_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """What is wrong with the server itself: above every page. Made without the database."""
    return Response(_trouble(request.app.state.services), media_type=MediaType.HTML, headers=HEADERS)


def _trouble(services: Services) -> str:
    troubles = services.troubles.now(services.db)
    return render("trouble.html", troubles=troubles) if troubles else ""


def _shell(services: Services, *, again: int = 0, trouble: str | None = None, **parts: object) -> str:
    now = services.clock()
    banner = _trouble(services) if trouble is None else trouble
    parts = {"scripts": (), "styles": (), "acts": True, **parts}
    return render(
        "page.html",
        version=VERSION,
        now=iso(now),
        now_text=moment(now, "at"),
        again=again,
        trouble=Markup(banner),  # noqa: S704 - rendered by our own template
        **parts,
    )


async def _body(request: Request[Any, Any, Any], page: Page) -> tuple[str, str]:
    services: Services = request.app.state.services
    server = server_of(request)

    async def make() -> tuple[str, str]:
        now = services.clock()
        found = await services.db.read(lambda connection: page.load(connection, now))
        return found["title"], render(page.template, server=server, now=now, **found)

    # Whoever may do less sees less, and gets a text of its own.
    key = f"{server.url} {server.acts} {server.governs} {page.fragment}"
    return await services.fragments.get(services.hub, key, page.topics, make)

"""The list of workers."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from litestar import Request, Response, get
from litestar.params import FromQuery
from sqlalchemy import Connection

from goliat_monitoring.server.pages.flags import advice, holds, presence_sign, rank, worker_flags
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import sign
from goliat_monitoring.store.read.workers import WorkerView, list_workers

FILTERS = ("running", "idle", "error", "draining", "paused", "late", "offline")


class WorkerRow(NamedTuple):
    """A worker as it is shown. `lost`: not heard though it holds a run."""

    view: WorkerView
    shown: dict[str, Any]
    advice: list[str]
    lost: bool


def rows(connection: Connection, now: int) -> list[WorkerRow]:
    """All workers, worst first."""
    found = [(view, worker_flags(view, now)) for view in list_workers(connection, now)]
    found.sort(key=lambda pair: rank(*pair))
    return [
        WorkerRow(view, shown(view, flags, now), advice(view, flags), view.presence == "offline" and holds(view))
        for view, flags in found
    ]


def shown(view: WorkerView, flags: list[str], now: int) -> dict[str, Any]:
    """What templates show of a worker: its fields and the signs derived from them."""
    return {
        **{name: getattr(view, name) for name in WorkerView.__struct_fields__},
        "sign": sign("worker", "removed" if view.wish == "removed" else view.state),
        "presence_sign": presence_sign(view, now),
        "flags": flags,
    }


def category(view: WorkerView) -> str:
    """The one number a worker is counted in."""
    return view.presence if view.presence != "online" else view.state


def numbers(workers: list[WorkerRow]) -> list[tuple[str, int, str, str, str, str]]:
    """(key, count, word, address, icon, tone) of each filter. Every worker is in exactly one."""
    found = []
    for key in FILTERS:
        look = sign("presence" if key in ("late", "offline") else "worker", key)
        count = sum(category(worker.view) == key for worker in workers)
        found.append((key, count, look.word.lower(), f"/workers?show={key}", look.icon, look.tone))
    return found


def load_list(show: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the list shows; `show`: one of FILTERS, or nothing."""
    workers = rows(connection, now)
    names = ("key", "count", "word", "href", "icon", "tone")
    return {
        "title": "Workers",
        "show": show,
        "total": len(workers),
        "numbers": [dict(zip(names, it, strict=True)) for it in numbers(workers)],
        "workers": [worker.shown for worker in workers if not show or category(worker.view) == show],
    }


def list_page(show: str) -> Page:
    """The list, filtered."""
    show = show if show in FILTERS else ""
    address = f"/fragments/workers?show={show}" if show else "/fragments/workers"
    return Page("workers", address, "workers.html", ("fleet",), partial(load_list, show))


@get("/workers")
async def workers_list(request: Request[Any, Any, Any], show: FromQuery[str] = "") -> Response[str]:
    """The list of workers."""
    return await whole(request, list_page(show))


@get("/fragments/workers")
async def workers_fragment(request: Request[Any, Any, Any], show: FromQuery[str] = "") -> Response[str]:
    """Its live part."""
    return await fragment(request, list_page(show))

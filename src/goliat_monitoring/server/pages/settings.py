"""Settings: tokens, how long things are kept, prices, the config library, and what this server is."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from litestar import Request, Response, get
from sqlalchemy import Connection

from goliat_monitoring.server import kept
from goliat_monitoring.server.jobs.watch import free_bytes
from goliat_monitoring.server.pages.show import VERSION, Page, fragment, whole
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.settings import Settings
from goliat_monitoring.store.health import measure
from goliat_monitoring.store.read.credentials import list_agents, list_tokens
from goliat_monitoring.store.read.library import heads
from goliat_monitoring.store.read.prices import currency, gpu_prices
from goliat_monitoring.store.read.stored import stored_settings
from goliat_monitoring.store.read.workers import WorkerView, list_workers

WORKERS_SHOWN = 200


class SpanRow(NamedTuple):
    """How long something is kept: in force, what the environment says, and whether a person changed it."""

    span: kept.Span
    value: float
    environment: float
    stored: bool


class GpuRow(NamedTuple):
    """A GPU with its price, or a GPU of a worker that has none."""

    gpu: str
    price: float | None
    workers: int


def load(services: Services, free: int, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the page shows. `free`: bytes on the data folder's disk."""
    settings, stored = services.settings, stored_settings(connection)
    workers = list_workers(connection, now)
    agents, agents_total = list_agents(connection, now)
    return {
        "title": "Settings",
        "admin_token": bool(settings.admin_token),
        "here_only": settings.open_to_this_machine,
        "tokens": list_tokens(connection, now),
        "agents": agents,
        "agents_total": agents_total,
        "spans": _spans(settings, stored),
        "currency": currency(connection),
        "gpus": _gpus(gpu_prices(connection), workers),
        "workers": workers[:WORKERS_SHOWN],
        "workers_total": len(workers),
        "configs": heads(connection),
        "about": _about(services, connection, free),
    }


def _spans(settings: Settings, stored: Mapping[str, Any]) -> list[SpanRow]:
    now = kept.over(settings, stored)
    return [
        SpanRow(span, getattr(now, span.name), getattr(settings, span.name), span.name in stored) for span in kept.SPANS
    ]


def _gpus(prices: Mapping[str, float], workers: list[WorkerView]) -> list[GpuRow]:
    """GPUs with a price, then those of workers for which nobody said one."""
    priced = [
        GpuRow(gpu, price, sum(it.own_price is None and it.price_per_hour == price for it in workers))
        for gpu, price in prices.items()
    ]
    without: dict[str, int] = {}
    for worker in workers:
        if worker.price_per_hour is None and worker.facts.gpu_name:
            without[worker.facts.gpu_name] = without.get(worker.facts.gpu_name, 0) + 1
    return priced + [GpuRow(gpu, None, count) for gpu, count in sorted(without.items())]


def _about(services: Services, connection: Connection, free: int) -> dict[str, Any]:
    settings, health = services.settings, measure(connection)
    return {
        "version": VERSION,
        "started": services.started_at,
        "database": health.kind,
        # Without a password that may stand in it.
        "database_place": settings.database_url.rpartition("@")[2].removeprefix("sqlite:///"),
        "database_size": health.size,
        "storage": settings.storage_url.partition("?")[0].rpartition("@")[2].removeprefix("file://"),
        "data_dir": str(settings.data_dir),
        "free": free,
        "epoch": services.epoch,
    }


async def _page(request: Request[Any, Any, Any]) -> Page:
    services: Services = request.app.state.services
    free = await asyncio.to_thread(free_bytes, services)
    return Page(
        nav="settings",
        fragment="/fragments/settings",
        template="settings.html",
        topics=("settings",),
        load=partial(load, services, free),
        scripts=("settings.js",),
        styles=("setup.css",),
    )


@get("/settings")
async def settings_page(request: Request[Any, Any, Any]) -> Response[str]:
    """The settings."""
    return await whole(request, await _page(request))


@get("/fragments/settings")
async def settings_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """Its live part."""
    return await fragment(request, await _page(request))

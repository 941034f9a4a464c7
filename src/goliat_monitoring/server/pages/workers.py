"""The list of workers and one worker."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from sqlalchemy import Connection

from goliat_monitoring.server.pages.flags import advice, holds, presence_sign, rank, worker_flags
from goliat_monitoring.server.pages.numbers import size, span, whole_percent
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import Sign, run_sign, sign
from goliat_monitoring.store.read.overview import assignment_state
from goliat_monitoring.store.read.runs import list_runs
from goliat_monitoring.store.read.workers import WorkerView, get_worker, list_workers
from goliat_monitoring.wire.clock import SECOND

RUNS_SHOWN = 20
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


def load_one(worker_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What one worker's page shows. Raises `Refused` 404."""
    view = get_worker(connection, now, worker_id)
    flags = worker_flags(view, now)
    run = view.run
    state = assignment_state(connection, run.assignment_id) if run is not None else None
    return {
        "title": view.name,
        "it": {
            **shown(view, flags, now),
            "run_sign": run_sign(run.state, state, run.attempt) if run is not None else Sign("ring", "None", "off"),
        },
        "advice": advice(view, flags),
        "runs": list_runs(connection, worker_id=view.id, limit=RUNS_SHOWN),
        "gauges": gauges(view.vitals),
        "facts": facts(view),
    }


def gauges(vitals: Mapping[str, float]) -> list[tuple[str, int | None, str]]:
    """(name, percent or None, text) of the newest sample."""
    found: list[tuple[str, int | None, str]] = []
    for key, name in (("gpu", "GPU"), ("vram", "VRAM"), ("cpu", "CPU"), ("ram", "RAM")):
        if key in vitals:
            value = whole_percent(vitals[key], proven=True)
            found.append((name, value, f"{value} %"))
    if "gpu_temp" in vitals:
        found.append(("GPU temp.", None, f"{vitals['gpu_temp']:.0f} °C"))
    if "disk_free" in vitals:
        found.append(("Disk free", None, size(vitals["disk_free"])))
    return found


def facts(view: WorkerView) -> list[tuple[str, str]]:
    """(name, value) of what the machine is; unknown ones are left out."""
    it = view.facts
    skew = abs(view.clock_skew or 0)
    kind = "agent" if view.kind == "agent" else "GOLIAT alone, without an agent"
    found = [
        ("Reports by", kind),
        ("Hostname", view.hostname or it.hostname),
        ("Address", view.ip),
        ("Machine id", view.machine_id or ""),
        ("GPU", f"{it.gpu_count} \N{MULTIPLICATION SIGN} {it.gpu_name}" if it.gpu_count > 1 else it.gpu_name),
        ("VRAM", size(it.vram_bytes) if it.vram_bytes else ""),
        ("CPU cores", str(it.cpu_cores or "")),
        ("RAM", size(it.ram_bytes) if it.ram_bytes else ""),
        ("System", it.os),
        ("GOLIAT", it.goliat_version),
        ("Agent", it.agent_version),
        ("Python", it.python_version),
        ("Tags", ", ".join(it.tags)),
        ("Clock", f"off by {span(skew / SECOND)}" if skew >= SECOND else ""),
        ("Id", view.id),
    ]
    return [(name, value) for name, value in found if value]


def list_page(show: str) -> Page:
    """The list, filtered."""
    show = show if show in FILTERS else ""
    address = f"/fragments/workers?show={show}" if show else "/fragments/workers"
    return Page("workers", address, "workers.html", ("fleet",), partial(load_list, show))


def one_page(worker_id: str) -> Page:
    """One worker."""
    address = f"/fragments/workers/{worker_id}"
    return Page("workers", address, "worker.html", (f"worker:{worker_id}",), partial(load_one, worker_id))


@get("/workers")
async def workers_list(request: Request[Any, Any, Any], show: FromQuery[str] = "") -> Response[str]:
    """The list of workers."""
    return await whole(request, list_page(show))


@get("/fragments/workers")
async def workers_fragment(request: Request[Any, Any, Any], show: FromQuery[str] = "") -> Response[str]:
    """Its live part."""
    return await fragment(request, list_page(show))


@get("/workers/{worker_id:str}")
async def worker(request: Request[Any, Any, Any], worker_id: FromPath[str]) -> Response[str]:
    """One worker."""
    return await whole(request, one_page(worker_id))


@get("/fragments/workers/{worker_id:str}")
async def worker_fragment(request: Request[Any, Any, Any], worker_id: FromPath[str]) -> Response[str]:
    """Its live part."""
    return await fragment(request, one_page(worker_id))

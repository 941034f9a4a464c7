"""One worker: what it is, what it runs and what it ran."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from sqlalchemy import Connection

from goliat_monitoring.server.pages.flags import advice, worker_flags
from goliat_monitoring.server.pages.numbers import size, span, whole_percent
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import Sign, run_sign
from goliat_monitoring.server.pages.workers import shown
from goliat_monitoring.store.read.overview import assignment_state
from goliat_monitoring.store.read.runs import list_runs
from goliat_monitoring.store.read.workers import WorkerView, get_worker
from goliat_monitoring.wire.clock import SECOND

RUNS_SHOWN = 20


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


def one_page(worker_id: str) -> Page:
    """One worker."""
    address = f"/fragments/workers/{worker_id}"
    return Page("workers", address, "worker.html", (f"worker:{worker_id}",), partial(load_one, worker_id))


@get("/workers/{worker_id:str}")
async def worker(request: Request[Any, Any, Any], worker_id: FromPath[str]) -> Response[str]:
    """One worker."""
    return await whole(request, one_page(worker_id))


@get("/fragments/workers/{worker_id:str}")
async def worker_fragment(request: Request[Any, Any, Any], worker_id: FromPath[str]) -> Response[str]:
    """Its live part."""
    return await fragment(request, one_page(worker_id))

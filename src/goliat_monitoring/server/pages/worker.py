"""One worker: the replica of its GOLIAT's window, what the machine is, and what it ran."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from markupsafe import Markup
from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages import run_log
from goliat_monitoring.server.pages.flags import advice, worker_flags
from goliat_monitoring.server.pages.numbers import size, span, whole_percent
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.pages.run_panel import panel
from goliat_monitoring.server.pages.run_parts import run_part
from goliat_monitoring.server.pages.runs import CHART_STYLES
from goliat_monitoring.server.pages.show import Page, fragment, section, whole
from goliat_monitoring.server.pages.words import Sign, run_sign
from goliat_monitoring.server.pages.workers import shown
from goliat_monitoring.store.read.overview import assignment_state, assignment_states
from goliat_monitoring.store.read.runs import list_runs
from goliat_monitoring.store.read.sessions import list_sessions
from goliat_monitoring.store.read.workers import WorkerView, get_worker
from goliat_monitoring.wire.clock import SECOND

RUNS_SHOWN = 50
SESSIONS_SHOWN = 50


def load_one(worker_id: str, future: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What one worker's page shows on top. Raises `Refused` 404."""
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
        "panel": panel(connection, run, future, now) if run is not None else None,
        "advice": advice(view, flags),
        "gauges": gauges(view.vitals),
    }


def load_machine(worker_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the machine is. Raises `Refused` 404."""
    return {"title": "", "facts": facts(get_worker(connection, now, worker_id))}


def load_sessions(worker_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """The lives of its agent. Raises `Refused` 404."""
    view = get_worker(connection, now, worker_id)
    found = list_sessions(connection, view.id, SESSIONS_SHOWN)
    return {"title": "", "sessions": found, "most": SESSIONS_SHOWN, "agent": view.kind == "agent"}


def load_runs(worker_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What it ran, newest first. Raises `Refused` 404."""
    view = get_worker(connection, now, worker_id)
    found = list_runs(connection, worker_id=view.id, limit=RUNS_SHOWN)
    states = assignment_states(connection, {run.assignment_id for run in found if run.assignment_id is not None})
    signs = [run_sign(run.state, states.get(run.assignment_id or ""), run.attempt) for run in found]
    return {"title": "", "runs": list(zip(found, signs, strict=True)), "most": RUNS_SHOWN}


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


LOADERS = {
    "machine": ("Machine", load_machine),
    "sessions": ("Sessions", load_sessions),
    "runs": ("Runs", load_runs),
}


def one_page(worker_id: str, future: Outlook, run_id: str | None = None) -> Page:
    """One worker. `run_id`: the run whose log and plots stand on the page."""
    scripts = ("run.js",)
    return Page(
        nav="workers",
        fragment=f"/fragments/workers/{worker_id}",
        template="worker.html",
        topics=(f"worker:{worker_id}",),
        load=partial(load_one, worker_id, future),
        stream=(f"run:{run_id}", run_log.topic(run_id)) if run_id is not None else (),
        scripts=scripts if run_id is None else (*run_log.SCRIPTS, *scripts, "charts.js", "shots.js"),
        styles=("run.css",) if run_id is None else (*run_log.STYLES, "run.css", *CHART_STYLES),
    )


@get("/workers/{worker_id:str}")
async def worker(request: Request[Any, Any, Any], worker_id: FromPath[str]) -> Response[str]:
    """One worker with the log and the plots of its run."""
    services = request.app.state.services
    now, future = services.clock(), await services.outlook()
    view: WorkerView = await services.db.read(lambda c: get_worker(c, now, worker_id))
    # Whatever name was asked for, events go by the id.
    tabs = [(kind, name) for kind, (name, _) in LOADERS.items()]
    parts = [section("worker", view.id, kind, LOADERS) for kind in LOADERS]
    if view.run is None:
        return await whole(request, one_page(view.id, future), _tabs(tabs), *parts)
    run = view.run
    log = Markup(await run_log.log_section(services, run.id))  # noqa: S704 - rendered by our own template
    tabs = [("timings", "Timings"), ("screenshots", "Screenshots"), *tabs]
    return await whole(
        request,
        one_page(view.id, future, run.id),
        render("worker_run.html", run=run, log=log),
        _tabs(tabs),
        run_part(run.id, "timings"),
        run_part(run.id, "screenshots"),
        *parts,
    )


def _tabs(tabs: list[tuple[str, str]]) -> str:
    return render("tabs.html", tabs=tabs, label="About this worker")


@get("/fragments/workers/{worker_id:str}")
async def worker_fragment(request: Request[Any, Any, Any], worker_id: FromPath[str]) -> Response[str]:
    """Its live part."""
    return await fragment(request, one_page(worker_id, await request.app.state.services.outlook()))


@get("/fragments/workers/{worker_id:str}/{kind:str}")
async def worker_part_fragment(
    request: Request[Any, Any, Any], worker_id: FromPath[str], kind: FromPath[str]
) -> Response[str]:
    """One of its sections."""
    return await fragment(request, section("worker", worker_id, kind, LOADERS).page)

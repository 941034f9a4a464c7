"""One run, past or present: outcome and reason, progress, its log, and tabs with all else there is to know of it."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages import run_log
from goliat_monitoring.server.pages.flags import ADVICE, run_flags
from goliat_monitoring.server.pages.numbers import span
from goliat_monitoring.server.pages.render import moment, render
from goliat_monitoring.server.pages.run_panel import panel
from goliat_monitoring.server.pages.run_parts import run_part
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import run_sign
from goliat_monitoring.store.read.neighbours import neighbours
from goliat_monitoring.store.read.overview import assignment_state, was_replaced
from goliat_monitoring.store.read.problems import first_error
from goliat_monitoring.store.read.runs import RunSummary, run_summary
from goliat_monitoring.store.read.samples import Kind, read_samples
from goliat_monitoring.store.read.strangers import offers_of_run
from goliat_monitoring.wire.clock import SECOND

# Rows of the table that stands for the plots where no script runs.
POINTS_SHOWN = 200
TABS = (
    ("evidence", "Evidence"),
    ("timings", "Timings"),
    ("plots", "Plots"),
    ("screenshots", "Screenshots"),
    ("files", "Files"),
)
CHART_STYLES = ("charts.css",)
SAMPLE_NAMES = {
    "percent": "GOLIAT says, %",
    "stage": "Stage",
    "stage_percent": "Stage, %",
    "sim_index": "Simulation",
    "sim_total": "of",
    "eta_seconds": "Left, GOLIAT says, s",
    "p10": "1 in 10 is sooner, s",
    "p50": "Half are sooner, s",
    "p90": "9 in 10 are sooner, s",
    "solver_percent": "Solver, %",
    "mcells_per_s": "MCells/s",
    "cpu": "CPU, %",
    "ram": "RAM, %",
    "gpu": "GPU, %",
    "vram": "VRAM, %",
    "gpu_temp": "GPU, °C",
    "disk_read": "Disk read, MB/s",
    "disk_write": "Disk write, MB/s",
    "disk_free": "Disk free, bytes",
    "page_faults": "Page faults/s",
}


def load(run_id: str, future: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What a run's page shows above the log. Raises `Refused` 404."""
    run = run_summary(connection, run_id)
    state = assignment_state(connection, run.assignment_id)
    tries = neighbours(connection, run_id, run.assignment_id)
    marks = run_flags(run, now)
    return {
        "title": f"{run.study_name} #{run.index}" if run.study_name is not None else f"Run on {run.worker_name}",
        "panel": panel(connection, run, future, now),
        "shown": run_sign(run.state, state, run.attempt),
        "marks": marks,
        "advice": [ADVICE[mark] for mark in marks if mark in ADVICE],
        "tries": tries,
        # A person decides what becomes of an assignment that failed or was taken out, and does so at its last try.
        "again": state in ("FAILED", "CANCELLED")
        and tries.after is None
        and not was_replaced(connection, run.assignment_id),
        "outcome": outcome(run, state),
        "error_line": first_error(connection, run_id) if run.errors else None,
        "facts": facts(run),
        "offers": offers_of_run(connection, now, run_id) if run.live and run.kind == "bare" else [],
    }


def outcome(run: RunSummary, assignment: str | None) -> str:
    """One sentence: how it stands or how it ended, and what follows."""
    reason = f": {run.reason.rstrip('.')}" if run.reason else ""
    took = span(((run.ended_at or run.claimed_at) - run.claimed_at) / SECOND)
    match run.state:
        case "claimed":
            text = "Claimed. GOLIAT has not spoken yet; Sim4Life may take some minutes to start."
        case "running":
            text = f"Running on {run.worker_name}."
        case "unreachable":
            text = "Not heard, so nobody knows whether it still computes. It goes on when it is heard again."
        case "succeeded":
            text = f"Succeeded after {took}{reason}."
        case other:
            text = f"{other.replace('_', ' ').capitalize()} after {took}{reason}."
    if run.live:
        return text
    follows = {
        "PENDING": " Its work waits for another try.",
        "RUNNING": " Another try is under way.",
        "COMPLETED": "" if run.state == "succeeded" else " A later try completed the work.",
        "FAILED": " Nothing follows by itself: a person must act.",
    }
    return text + follows.get(assignment or "", "")


def facts(run: RunSummary) -> list[tuple[str, Any]]:
    """(name, value) about the run itself."""
    found: list[tuple[str, Any]] = [
        ("Claimed", moment(run.claimed_at)),
        ("First heard", moment(run.first_sign_at)),
        ("Last heard", moment(run.last_sign_at)),
        ("Ended", moment(run.ended_at) if run.ended_at else ""),
        ("Exit code", str(run.exit_code) if run.exit_code is not None else ""),
        ("Lines", str(run.line_count)),
        ("Reports by", "agent" if run.kind == "agent" else "GOLIAT alone, without an agent"),
        ("Id", run.id),
    ]
    return [(name, value) for name, value in found if value]


def load_samples(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """The samples of a run as tables. Raises `Refused` 404."""
    del now
    run = run_summary(connection, run_id)
    kinds: tuple[tuple[str, Kind], ...] = (
        ("Progress", "progress"),
        ("Time left, expected", "forecast"),
        ("Load of the machine", "vitals"),
    )
    tables = [
        (title, read_samples(connection, run_id, kind, since=None, until=None, points=POINTS_SHOWN))
        for title, kind in kinds
    ]
    return {"title": "Samples", "run": run, "tables": tables, "names": SAMPLE_NAMES}


def one_page(run: RunSummary, future: Outlook) -> Page:
    """One run. `future`: for the time it has left. What follows from its end is up to its study."""
    study = (f"study:{run.study_id}",) if run.study_id is not None else ()
    return Page(
        nav="studies",
        fragment=f"/fragments/runs/{run.id}",
        template="run.html",
        topics=(f"run:{run.id}", *study),
        load=partial(load, run.id, future),
        stream=(run_log.topic(run.id),),
        scripts=(*run_log.SCRIPTS, "run.js", "charts.js", "shots.js"),
        styles=(*run_log.STYLES, "run.css", *CHART_STYLES),
    )


@get("/runs/{run_id:str}")
async def run(
    request: Request[Any, Any, Any],
    run_id: FromPath[str],
    before: Annotated[int | None, QueryParameter(ge=2)] = None,
) -> Response[str]:
    """One run with its log. `before`: for who has no script, the lines before that one."""
    services = request.app.state.services
    section = await run_log.log_section(services, run_id, before)
    summary = await services.db.read(lambda c: run_summary(c, run_id))
    return await whole(
        request,
        one_page(summary, await services.outlook()),
        section,
        render("tabs.html", tabs=TABS, label="About this run"),
        run_part(run_id, "evidence"),
        run_part(run_id, "timings"),
        render("run_plots.html", run=summary),
        run_part(run_id, "screenshots"),
        run_part(run_id, "files"),
    )


@get("/fragments/runs/{run_id:str}")
async def run_fragment(request: Request[Any, Any, Any], run_id: FromPath[str]) -> Response[str]:
    """Its live part."""
    services = request.app.state.services
    summary = await services.db.read(lambda c: run_summary(c, run_id))
    return await fragment(request, one_page(summary, await services.outlook()))


@get("/fragments/runs/{run_id:str}/{kind:str}")
async def run_part_fragment(
    request: Request[Any, Any, Any], run_id: FromPath[str], kind: FromPath[str]
) -> Response[str]:
    """One of its sections."""
    return await fragment(request, run_part(run_id, kind).page)


@get("/runs/{run_id:str}/samples")
async def run_samples_page(request: Request[Any, Any, Any], run_id: FromPath[str]) -> Response[str]:
    """Its samples as tables: what the plots show, for where no script runs."""
    address = f"/fragments/runs/{run_id}/samples"
    return await whole(request, Page("studies", address, "samples.html", (), partial(load_samples, run_id)))

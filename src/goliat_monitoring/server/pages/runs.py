"""One run: outcome and reason, progress, evidence, screenshots, files, and the live log below."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Connection

from goliat_monitoring.server.pages import run_log
from goliat_monitoring.server.pages.flags import run_flags
from goliat_monitoring.server.pages.numbers import plural, span
from goliat_monitoring.server.pages.render import moment
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import run_sign
from goliat_monitoring.store.read.overview import assignment_state
from goliat_monitoring.store.read.problems import first_error
from goliat_monitoring.store.read.runs import RunDetail, RunSummary, Sign, Simulation, get_run, run_summary
from goliat_monitoring.store.read.studies import CaseView, list_cases
from goliat_monitoring.wire.clock import SECOND

FILES_SHOWN = 1000
KINDS = {
    "sim_started": "started",
    "run_done": "solved",
    "extracted": "extracted",
    "cached": "already there",
    "result": "result arrived",
    "error": "error",
    "fatal": "fatal error",
    "process_failed": "process failed",
    "memory_error": "memory error",
    "cancelled": "cancelled",
    "finished": "finished",
}


class Case(NamedTuple):
    """One row of the evidence table. `heard`: what speaks for or against it. `took`: seconds."""

    ordinal: int
    name: str
    state: str
    heard: str
    took: float | None


class File(NamedTuple):
    """A file to download."""

    path: str
    href: str
    size: int
    version: int
    late: bool
    at: int


class Shot(NamedTuple):
    """The newest picture of a tab."""

    tab: str
    href: str
    at: int


class Loose(NamedTuple):
    """Evidence about no single simulation."""

    kind: str
    text: str
    sender_at: int


def load(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What a run's page shows above the log. Raises `Refused` 404."""
    run = run_summary(connection, run_id)
    state = assignment_state(connection, run.assignment_id)
    shown = run_sign(run.state, state, run.attempt)
    return {
        "title": f"{run.study_name} #{run.index}" if run.study_name is not None else f"Run on {run.worker_name}",
        "it": run,
        "shown": shown,
        "marks": run_flags(run, now),
        "outcome": outcome(run, state),
        "error_line": first_error(connection, run_id) if run.errors else None,
        "facts": facts(run),
    }


def load_more(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What a run's page shows below the log. Raises `Refused` 404."""
    del now
    detail = get_run(connection, run_id)
    run = detail.summary
    expected = list_cases(connection, run.assignment_id) if run.assignment_id else []
    cases = evidence(detail.simulations, expected, run)
    return {
        "title": "",
        "it": run,
        "cases": cases,
        "done": sum(case.state == "done" for case in cases),
        "loose": [Loose(KINDS.get(sign.kind, sign.kind), sign.text, sign.sender_at) for sign in detail.evidence[-20:]],
        "screenshots": [
            Shot(it.tab, f"/api/runs/{quote(run_id)}/screenshots/{quote(it.id)}", it.received_at)
            for it in detail.screenshots
        ],
        "files": files(detail),
        "bytes": sum(it.size for it in detail.artifacts),
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


def evidence(simulations: Iterable[Simulation], expected: list[CaseView], run: RunSummary) -> list[Case]:
    """A row for each case that is known, expected ones that have not begun included, in their order."""
    rows: list[Case] = []
    by_key = {it.case_key: it for it in simulations if it.case_key}
    for case in expected:
        begun = by_key.pop(case.case_key, None)
        name = case.details or case.case_key
        if begun is not None:
            row = _case(begun, name, run)._replace(ordinal=case.ordinal + 1)
            rows.append(row._replace(state="done") if case.state == "done" and case.run_id == run.id else row)
        elif case.state == "done":
            heard = "proven by this run" if case.run_id == run.id else "proven by another try"
            rows.append(Case(case.ordinal + 1, name, "done", heard, None))
        else:
            rows.append(Case(case.ordinal + 1, name, "pending" if run.live else "missing", "", None))
    known = {case.case_key for case in expected}
    rows.extend(
        _case(it, it.details or it.case_key or f"simulation {it.ordinal}", run)
        for it in simulations
        if it.case_key not in known and not (expected and it.case_key is None)
    )
    return rows


def _case(it: Simulation, name: str, run: RunSummary) -> Case:
    # The same is often heard twice, as a message and as a line. Only of errors the number says something.
    kinds = Counter(KINDS.get(sign.kind, sign.kind) for sign in it.evidence)
    heard = ", ".join(plural(count, kind) if kind == "error" else kind for kind, count in kinds.items())
    why = it.why or _last_trouble(it.evidence)
    took = None
    if it.started_sender_at is not None and it.ended_sender_at is not None:
        took = (it.ended_sender_at - it.started_sender_at) / SECOND
    # Only the newest is under way, and only while its run lives. The others lack a proof, whatever became of them.
    under_way = run.live and it.ordinal >= (run.sim_index or 0)
    state = "unproven" if it.state == "running" and not under_way else it.state
    return Case(it.ordinal, name, state, "; ".join(part for part in (why, heard) if part), took)


def _last_trouble(signs: list[Sign]) -> str:
    return next((sign.text for sign in reversed(signs) if sign.kind in ("error", "fatal", "memory_error")), "")


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


def files(detail: RunDetail) -> list[File]:
    """The files of a run, newest version of each first."""
    return [
        File(
            f"{it.relative_path}/{it.filename}" if it.relative_path else it.filename,
            f"/api/runs/{quote(it.run_id)}/artifacts/{quote(it.id)}",
            it.size,
            it.version,
            it.late,
            it.received_at,
        )
        for it in detail.artifacts[:FILES_SHOWN]
    ]


def one_page(run_id: str) -> Page:
    """One run."""
    return Page(
        nav="studies",
        fragment=f"/fragments/runs/{run_id}",
        template="run.html",
        topics=(f"run:{run_id}",),
        load=partial(load, run_id),
        stream=(run_log.topic(run_id),),
        scripts=run_log.SCRIPTS,
        styles=run_log.STYLES,
    )


def more_page(run_id: str) -> Page:
    """Its lower part."""
    address = f"/fragments/runs/{run_id}/more"
    return Page("studies", address, "run_more.html", (f"run:{run_id}",), partial(load_more, run_id))


@get("/runs/{run_id:str}")
async def run(
    request: Request[Any, Any, Any],
    run_id: FromPath[str],
    before: Annotated[int | None, QueryParameter(ge=2)] = None,
) -> Response[str]:
    """One run with its log. `before`: for who has no script, the lines before that one."""
    section = await run_log.log_section(request.app.state.services, run_id, before)
    return await whole(request, one_page(run_id), section, more_page(run_id))


@get("/fragments/runs/{run_id:str}")
async def run_fragment(request: Request[Any, Any, Any], run_id: FromPath[str]) -> Response[str]:
    """Its live part."""
    return await fragment(request, one_page(run_id))


@get("/fragments/runs/{run_id:str}/more")
async def run_more_fragment(request: Request[Any, Any, Any], run_id: FromPath[str]) -> Response[str]:
    """Its lower live part."""
    return await fragment(request, more_page(run_id))

"""One super study: its head, and one of its tabs below."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.params import FromPath
from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.numbers import hours, plural
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.pages.show import Page, Part, fragment, whole
from goliat_monitoring.server.pages.studies import FIRST, FIRST_HERE, eta_words
from goliat_monitoring.server.pages.study_tabs import (
    assignments,
    burn_up,
    config,
    events,
    gantt,
    matrix,
    results,
)  # fmt: skip
from goliat_monitoring.server.pages.study_tabs.tab import Query, Tab, page_of
from goliat_monitoring.server.pages.words import sign
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.read import study_head as read
from goliat_monitoring.store.read.completeness import proven_of
from goliat_monitoring.store.read.overview import has_files
from goliat_monitoring.store.read.parts import TROUBLES, demands_of
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.strangers import offers
from goliat_monitoring.store.read.studies import StudySummary, list_studies
from goliat_monitoring.store.read.underway import under_way
from goliat_monitoring.store.read.usage import StudyUsage
from goliat_monitoring.wire.errors import Refused

TABS: dict[str, Tab] = {
    it.key: it
    for it in (
        assignments.TAB, gantt.TAB, matrix.TAB, burn_up.TAB, results.TAB, config.TAB, events.TAB,
    )
}  # fmt: skip
FAILURES_SHOWN = 5
_OVER = ("completed", "cancelled", "ended_with_failures")


def load(study_id: str, future: Outlook, used: StudyUsage, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the head shows. Raises `Refused` 404."""
    live = under_way(connection, study_ids=[study_id])
    found = list_studies(connection, study_id=study_id, live=live)
    if not found:
        raise Refused(404, "no such super study", study_id)
    study = found[0]
    told = future.studies.get(study_id)
    lost_h = sum(read.unproven_seconds(connection, now, live).values()) / 3600 if live else 0.0
    bare = read.bare_count(connection, study_id) if live else 0
    failed = study.counts.get("FAILED", 0)
    over = study.state in _OVER
    note = eta_words(study, future)
    return {
        "title": study.name,
        "it": study,
        "over": over,
        "finish": told.eta if told is not None and not over else None,
        "note": note,
        "waits_for_first": note in (FIRST, FIRST_HERE),
        "proven": proven_of(connection, study_id),
        "used": used,
        "live": len(live),
        "follows_cancel": follows_cancel(study, len(live), bare, lost_h),
        "failed": failed,
        "failures": read.failed_parts(connection, study_id, FAILURES_SHOWN) if failed else [],
        "troubles": troubles(read.troubled_runs(connection, study_id)) if live else [],
        "aside": read.set_aside_workers(connection, study_id),
        "offers": [it for it in offers(connection, now) if it.silent.study_id == study_id],
        "demands": demands_of(connection, study_id),
        "results": has_files(connection, study_id),
        "missing": failed + study.counts.get("CANCELLED", 0),
        "waiting": study.counts.get("PENDING", 0),
    }


def troubles(odd: list[RunSummary]) -> list[tuple[str, str, Any, list[RunSummary]]]:
    """(key, text, sign, runs) of what is odd about runs under way, the most serious first."""
    found = []
    for key in TROUBLES:
        runs = [run for run in odd if (run.state if key == "unreachable" else run.flag) == key]
        look = sign("run" if key == "unreachable" else "flag", key)
        if runs:
            found.append((key, f"{len(runs)} {look.word.lower()}", look, runs))
    return found


def follows_cancel(study: StudySummary, live: int, bare: int, lost_h: float) -> str:
    """What a cancel does, before it is done."""
    said = []
    if live:
        lost = hours(lost_h) if lost_h >= 0.1 else "Less than 0.1"
        said.append(f"{lost} GPU h of unfinished simulations are lost.")
    if study.counts.get("PENDING"):
        one = study.counts["PENDING"] == 1
        said.append(f"{plural(study.counts['PENDING'], 'waiting assignment')} {'is' if one else 'are'} never begun.")
    said.append("Uploaded results stay. It cannot be taken back; what is missing can become a new study.")
    if bare:
        said.append(f"{plural(bare, 'run')} without an agent: close GOLIAT on the machine by hand.")
    return " ".join(said)


async def head_page(services: Services, study_id: str, future: Outlook) -> Page:
    """The head of one study. Its live runs move its bars, so it listens to the fleet as well."""
    used = await services.usage(study_id, future)
    return Page(
        nav="studies",
        fragment=f"/fragments/studies/{quote(study_id, safe='')}",
        template="study.html",
        topics=(f"study:{study_id}", "fleet"),
        load=partial(load, study_id, future, used),
        styles=("study.css",),
    )


def tab_of(key: str) -> Tab:
    """The tab of that name. Raises `Refused` 404."""
    found = TABS.get(key)
    if found is None:
        raise Refused(404, "no such page", f"a study has {', '.join(TABS)}")
    return found


async def _whole(request: Request[Any, Any, Any], study_id: str, key: str) -> Response[str]:
    tab = tab_of(key)
    future = await request.app.state.services.outlook()
    nav = render("study_nav.html", study_id=study_id, tabs=list(TABS.values()), at=key)
    query: Query = request.query_params
    head = await head_page(request.app.state.services, study_id, future)
    return await whole(request, head, nav, Part(f"tab-{key}", tab.name, page_of(tab, study_id, query, future)))


@get("/studies/{study_id:str}")
async def study(request: Request[Any, Any, Any], study_id: FromPath[str]) -> Response[str]:
    """One study with its assignments."""
    return await _whole(request, study_id, assignments.TAB.key)


@get("/studies/{study_id:str}/{tab:str}")
async def study_tab(request: Request[Any, Any, Any], study_id: FromPath[str], tab: FromPath[str]) -> Response[str]:
    """One study with another tab."""
    return await _whole(request, study_id, tab)


@get("/fragments/studies/{study_id:str}")
async def study_fragment(request: Request[Any, Any, Any], study_id: FromPath[str]) -> Response[str]:
    """Its head."""
    services = request.app.state.services
    return await fragment(request, await head_page(services, study_id, await services.outlook()))


@get("/fragments/studies/{study_id:str}/{tab:str}")
async def study_tab_fragment(
    request: Request[Any, Any, Any], study_id: FromPath[str], tab: FromPath[str]
) -> Response[str]:
    """One tab."""
    future = await request.app.state.services.outlook()
    return await fragment(request, page_of(tab_of(tab), study_id, request.query_params, future))

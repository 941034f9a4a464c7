"""The list of super studies and one super study."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath
from sqlalchemy import Connection

from goliat_monitoring.server.pages.numbers import plural
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import ASSIGNMENT
from goliat_monitoring.store.read.overview import delivered, done_cases
from goliat_monitoring.store.read.studies import StudySummary, get_study, list_assignments, list_studies

STUDIES_SHOWN = 500


def load_list(connection: Connection, now: int) -> Mapping[str, Any]:
    """What the list shows."""
    del now
    studies = list_studies(connection, limit=STUDIES_SHOWN)
    return {"title": "Studies", "studies": studies, "total": len(studies)}


def load_one(study_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What one study's page shows. Raises `Refused` 404."""
    study = get_study(connection, study_id).summary
    parts = list_assignments(connection, now, study_id)
    done = done_cases(connection, study_id)
    files, size = delivered(connection, study_id)
    expected = [part.expected_total for part in parts]
    known = sum(count for count in expected if count is not None)
    return {
        "title": study.name,
        "it": study,
        "sentence": sentence(study, sum(done.values()), known, complete=None not in expected),
        "counts": [(state, study.counts[state]) for state in ASSIGNMENT if study.counts.get(state)],
        "assignments": parts,
        "done": done,
        "files": files,
        "bytes": size,
    }


def sentence(study: StudySummary, done: int, expected: int, *, complete: bool) -> str:
    """How far a study is, in words. `complete`: how many simulations it has is known."""
    of = plural(expected, "simulation") if complete else f"at least {plural(expected, 'simulation')}"
    text = f"{study.completed} of {plural(study.total, 'assignment')} completed, {done} of {of} proven."
    failed = study.counts.get("FAILED", 0)
    if failed:
        text += f" {plural(failed, 'assignment')} failed and {'waits' if failed == 1 else 'wait'} for a person."
    if study.state == "waiting":
        text += " No worker has claimed one yet." if not study.completed else " The rest waits for a worker."
    return text


LIST = Page("studies", "/fragments/studies", "studies.html", ("studies",), load_list)


def one_page(study_id: str) -> Page:
    """One study. Its live runs move its bars, so it listens to the fleet as well."""
    topics = (f"study:{study_id}", "fleet")
    return Page("studies", f"/fragments/studies/{study_id}", "study.html", topics, partial(load_one, study_id))


@get("/studies")
async def studies_list(request: Request[Any, Any, Any]) -> Response[str]:
    """The list of studies."""
    return await whole(request, LIST)


@get("/fragments/studies")
async def studies_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """Its live part."""
    return await fragment(request, LIST)


@get("/studies/{study_id:str}")
async def study(request: Request[Any, Any, Any], study_id: FromPath[str]) -> Response[str]:
    """One study."""
    return await whole(request, one_page(study_id))


@get("/fragments/studies/{study_id:str}")
async def study_fragment(request: Request[Any, Any, Any], study_id: FromPath[str]) -> Response[str]:
    """Its live part."""
    return await fragment(request, one_page(study_id))

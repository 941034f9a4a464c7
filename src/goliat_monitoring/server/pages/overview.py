"""The overview: how the fleet is, who needs a person, the workers that matter most, the studies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from litestar import Request, Response, get
from sqlalchemy import Connection

from goliat_monitoring.server.pages.flags import holds, presence_sign, worker_flags
from goliat_monitoring.server.pages.sentence import Fleet, say
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import Sign, sign
from goliat_monitoring.server.pages.workers import WorkerRow, numbers, rows
from goliat_monitoring.store.read import overview as read
from goliat_monitoring.store.read.studies import list_studies
from goliat_monitoring.wire.clock import SECOND

WORKERS_SHOWN = 50
STUDIES_SHOWN = 20
NEEDS_SHOWN = 20
DAY = 24 * 3600 * SECOND


@dataclass(frozen=True, slots=True)
class Number:
    """A count that is a link."""

    key: str
    count: int
    word: str
    href: str
    icon: str
    tone: str


class Need(NamedTuple):
    """Something that waits for a person."""

    key: str
    sign: Sign
    name: str
    why: str
    href: str
    at: int


def load(connection: Connection, now: int) -> Mapping[str, Any]:
    """What the overview shows."""
    workers = rows(connection, now)
    studies = list_studies(connection, limit=500)
    work = read.work(connection)
    failed = read.failures(connection, NEEDS_SHOWN)
    odd = [need for worker in workers for need in _needs(worker, now)]
    heard = [worker for worker in workers if worker.view.presence != "offline"]
    fleet = Fleet(
        workers=len(workers),
        working=sum(holds(worker.view) for worker in heard),
        lost=tuple(worker.view.name for worker in workers if worker.lost),
        claimable=sum(worker.view.wish == "active" and not holds(worker.view) for worker in heard),
        queued=work.queued,
        paused=work.held,
        failed=work.failed,
        trouble=len(odd),
    )
    state, sentence = say(fleet)
    needs = [
        Need(
            f.assignment_id,
            sign("assignment", "FAILED"),
            f"{f.study_name} #{f.index}",
            f"{f.reason or 'no reason was given'} (after {f.attempts} tries)",
            f"/runs/{f.run_id}" if f.run_id else "/studies",
            f.at,
        )
        for f in failed
    ] + odd
    needs.sort(key=lambda need: -need.at)
    return {
        "title": state,
        "fleet_state": state,
        "sentence": sentence,
        "numbers": [
            ("Workers", _fleet_numbers(workers)),
            ("Assignments", _work_numbers(work, read.completed_since(connection, now - DAY))),
        ],
        "needs": needs[:NEEDS_SHOWN],
        "needs_total": work.failed + len(odd),
        "workers": [worker.shown for worker in workers[:WORKERS_SHOWN]],
        "workers_total": len(workers),
        "studies": sorted(studies, key=lambda it: (_place(it.state), -it.created_at))[:STUDIES_SHOWN],
        "studies_total": len(studies),
    }


def _place(state: str) -> int:
    return {"running": 0, "waiting": 1, "paused": 2, "ended_with_failures": 3}.get(state, 4)


def _needs(worker: WorkerRow, now: int) -> list[Need]:
    found = []
    view = worker.view
    if worker.lost:
        look = presence_sign(view, now)
        why = "Not heard while holding a run. If the machine is gone, its work is offered to another by itself."
        found.append(Need(f"{view.id}-lost", look, view.name, why, f"/workers/{view.id}", view.last_seen))
    for flag, text in zip(worker_flags(view, now), worker.advice, strict=False):
        look = sign("flag", flag)
        found.append(Need(f"{view.id}-{flag}", look, view.name, text, f"/workers/{view.id}", view.last_seen))
    return found


def _fleet_numbers(workers: list[WorkerRow]) -> list[Number]:
    found = [Number(*it) for it in numbers(workers)]
    return [it for it in found if it.count or it.key in ("running", "idle", "offline")]


def _work_numbers(work: read.Work, completed: int) -> list[Number]:
    pending, running, failed, done = (
        sign("assignment", state) for state in ("PENDING", "RUNNING", "FAILED", "COMPLETED")
    )
    return [
        Number("queued", work.queued + work.held, "queued", "/studies", pending.icon, pending.tone),
        Number("under-way", work.running, "running", "/studies", running.icon, running.tone),
        Number("failed", work.failed, "failed", "#needs" if work.failed else "/studies", failed.icon, failed.tone),
        Number("done", completed, "completed in 24 h", "/studies", done.icon, done.tone),
    ]


PAGE = Page(
    nav="overview", fragment="/fragments/overview", template="overview.html", topics=("fleet", "studies"), load=load
)


@get("/")
async def overview(request: Request[Any, Any, Any]) -> Response[str]:
    """The overview page."""
    return await whole(request, PAGE)


@get("/fragments/overview")
async def overview_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """Its live part."""
    return await fragment(request, PAGE)

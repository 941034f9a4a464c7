"""The overview: how the fleet is, who needs a person, the workers that matter most, the studies under way."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from litestar import Request, Response, get
from sqlalchemy import Connection

from goliat_monitoring.fleet.finish import Finish, finish_of_all
from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.timing import OFFER_AFTER_LEASE
from goliat_monitoring.server.pages.listing import Asked
from goliat_monitoring.server.pages.needs import Need, needs_of, unfit_studies
from goliat_monitoring.server.pages.numbers import plural
from goliat_monitoring.server.pages.sentence import Cause, Fleet, Lost, say
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.studies import eta_words
from goliat_monitoring.server.pages.today import Day, day_of
from goliat_monitoring.server.pages.words import sign
from goliat_monitoring.server.pages.workers import COLUMNS, ON_OVERVIEW, STYLES, Filter, WorkerRow, filters, rows
from goliat_monitoring.store.read import overview as read
from goliat_monitoring.store.read.prices import currency
from goliat_monitoring.store.read.strangers import offers
from goliat_monitoring.store.read.studies import StudySummary, list_studies
from goliat_monitoring.store.read.underway import under_way

WORKERS_SHOWN = 50
STUDIES_SHOWN = 20
NEEDS_SHOWN, ALL_NEEDS = 20, 200
OF_WORKERS = ("online", "running", "idle", "error", "draining", "paused", "late", "offline")
ALWAYS = frozenset({"online", "running", "idle", "late", "offline"})
# All others are over and come last.
STUDY_ORDER = {"running": 0, "waiting": 1, "paused": 2, "ended_with_failures": 3}


class Burn(NamedTuple):
    """What the machines that are heard cost, an hour; `idle` of it for those that compute nothing. `unpriced`:
    how many of them have no price."""

    rate: float
    idle: float
    unpriced: int


def load(most_needs: int, outlook: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the overview shows."""
    live = under_way(connection)
    workers = rows(connection, now, outlook, live)
    open_studies = list_studies(connection, ids=read.open_studies(connection), live=live)
    newest = list_studies(connection, limit=STUDIES_SHOWN, live=live) if len(open_studies) < STUDIES_SHOWN else []
    work = read.work(connection)
    today = day_of(now)
    unfit = unfit_studies(open_studies, outlook)
    needs = needs_of(
        workers,
        read.failures(connection, most_needs),
        read.set_asides(connection),
        read.stopped_studies(connection),
        unfit,
        offers(connection, now),
    )
    # Not all that failed was read.
    total = len(needs) - min(work.failed, most_needs) + work.failed
    waits = [study for study in open_studies if study.counts.get("PENDING") and not study.paused]
    fleet = fleet_of(workers, work, needs, total - work.failed, unfit=bool(waits) and len(unfit) == len(waits))
    said = say(fleet)
    finish = finish_of_all(outlook.studies[it.id] for it in open_studies if it.id in outlook.studies)
    return {
        "title": said.state,
        "said": said,
        "finish": finish.spread,
        "finish_without": without(finish),
        "waits_for_first": bool(work.running) and finish.spread is None and finish.unknown > 0,
        "numbers": [
            ("Workers", worker_numbers(workers)),
            ("Assignments", work_numbers(work, read.completed_since(connection, today.began), today)),
        ],
        "burn": burn(workers),
        "currency": currency(connection),
        "needs": needs[:most_needs],
        "needs_total": total,
        "needs_most": ALL_NEEDS,
        "workers": workers[:WORKERS_SHOWN],
        "workers_total": len(workers),
        "columns": list(ON_OVERVIEW),
        "choices": COLUMNS,
        "studies": studies_shown(open_studies, newest),
        "studies_total": len(open_studies),
        "finishes": {
            study.id: future.eta for study in open_studies if (future := outlook.studies.get(study.id)) is not None
        },
        "notes": {study.id: eta_words(study, outlook) for study in open_studies},
    }


def without(finish: Finish) -> str:
    """The studies that the finish of all work leaves out, and why; "" where it leaves out none."""
    left_out = []
    if finish.unknown:
        left_out.append(f"{plural(finish.unknown, 'study', 'studies')} of which nothing is computed yet")
    if finish.stuck:
        left_out.append(f"{plural(finish.stuck, 'study', 'studies')} that no worker may take")
    return " and ".join(left_out)


def fleet_of(
    workers: Sequence[WorkerRow], work: read.Work, needs: Sequence[Need], trouble: int, *, unfit: bool
) -> Fleet:
    """What the sentence is made from."""
    heard = [worker for worker in workers if worker.view.presence != "offline"]
    others = filters(workers, ("offline", "paused", "draining"), Asked("/workers"))
    newest = next((need for need in needs if not need.key.endswith("-lost")), None)
    return Fleet(
        workers=len(workers),
        working=sum(worker.run is not None for worker in heard if worker.view.presence == "online"),
        late=sum(worker.run is not None for worker in heard if worker.view.presence == "late"),
        lost=tuple(_lost(worker) for worker in workers if worker.lost),
        claimable=sum(worker.view.wish == "active" and worker.run is None for worker in heard),
        idle_for=", ".join(f"{it.many} {it.word}" for it in others if it.many),
        queued=work.queued,
        paused=work.held,
        failed=work.failed,
        trouble=trouble - sum(worker.lost for worker in workers),
        cause=Cause(f"{newest.name}: {newest.sign.word.lower()}", newest.at) if newest is not None else None,
        unfit=unfit,
    )


def _lost(worker: WorkerRow) -> Lost:
    run = worker.run
    assert run is not None  # noqa: S101 - that makes it lost
    name = f"{run.study_name} #{run.index}" if run.study_name is not None else "a study started by hand"
    offered = run.lease_until + OFFER_AFTER_LEASE if run.assignment_id is not None else None
    return Lost(worker.view.name, name, worker.view.last_seen, offered)


def burn(workers: Sequence[WorkerRow]) -> Burn | None:
    """What an hour costs now; None where no machine has a price."""
    heard = [worker for worker in workers if worker.view.presence != "offline"]
    prices = [(worker.view.price_per_hour, worker.run is None) for worker in heard]
    known = [(price, idle) for price, idle in prices if price is not None]
    if not known:
        return None
    return Burn(sum(price for price, _ in known), sum(price for price, idle in known if idle), len(prices) - len(known))


def studies_shown(under_way: Sequence[StudySummary], newest: Sequence[StudySummary]) -> list[StudySummary]:
    """Those under way, then the newest that are over, as many as there is room for."""
    both = {study.id: study for study in [*newest, *under_way]}
    ordered = sorted(both.values(), key=lambda it: (STUDY_ORDER.get(it.state, 4), -it.created_at))
    return ordered[:STUDIES_SHOWN]


def worker_numbers(workers: Sequence[WorkerRow]) -> list[Filter]:
    """Workers by what they do; those that are usual are shown even where there is none."""
    found = filters(workers, OF_WORKERS, Asked("/workers"))
    return [it for it in found if it.many or it.key in ALWAYS]


def work_numbers(work: read.Work, completed: int, today: Day) -> list[Filter]:
    """Assignments by what is with them; `completed` of them today."""
    held = sign("study", "paused")
    found = [
        ("queued", work.queued, "queued", "/studies", sign("assignment", "PENDING")),
        ("held", work.held, "held by a pause", "/studies", held),
        ("under-way", work.running, "running", "/studies?show=running", sign("assignment", "RUNNING")),
        ("failed", work.failed, "failed", "/#needs" if work.failed else "/studies", sign("assignment", "FAILED")),
        ("done", completed, "completed today", "/studies", sign("assignment", "COMPLETED")),
    ]
    since = f"since {today.clock} on the server"
    return [
        Filter(key, count, word, href, look.icon, look.tone, since if key == "done" else "")
        for key, count, word, href, look in found
        if count or key != "held"
    ]


async def page_of(request: Request[Any, Any, Any]) -> Page:
    """The overview; `?needs=all` names more of what needs a person."""
    everything = request.query_params.get("needs") == "all"
    address = "/fragments/overview?needs=all" if everything else "/fragments/overview"
    read_it = partial(load, ALL_NEEDS if everything else NEEDS_SHOWN, await request.app.state.services.outlook())
    return Page("overview", address, "overview.html", ("fleet", "studies"), read_it, styles=STYLES)


@get("/")
async def overview(request: Request[Any, Any, Any]) -> Response[str]:
    """The overview page."""
    return await whole(request, await page_of(request))


@get("/fragments/overview")
async def overview_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """Its live part."""
    return await fragment(request, await page_of(request))

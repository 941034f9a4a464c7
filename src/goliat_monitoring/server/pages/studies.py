"""The list of super studies: sorted, filtered and paged by its address."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from litestar import Request, Response, get
from sqlalchemy import Connection

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.usage import Amount
from goliat_monitoring.server.pages.paging import Pager, number
from goliat_monitoring.server.pages.show import Page, fragment, whole
from goliat_monitoring.server.pages.words import STUDY, sign
from goliat_monitoring.store.read.prices import currency
from goliat_monitoring.store.read.studies import StudySummary, list_studies
from goliat_monitoring.store.read.usage import BriefUsage, brief_usage

SHOWN = 100
# More than anyone has; the list is sorted in memory.
MOST = 10_000
_OVER = ("completed", "cancelled", "ended_with_failures")
# Results that were there already teach nothing about how fast the fleet is.
FIRST, FIRST_HERE = "after first simulation", "after first simulation computed here"
# What a person looks at first.
_PLACE = {"running": 0, "waiting": 1, "paused": 2, "ended_with_failures": 3, "completed": 4, "cancelled": 5}


class Row(NamedTuple):
    """One study of the list. `finish`: seconds from now, None where nobody can tell; then `note` says why."""

    study: StudySummary
    finish: Spread | None
    note: str
    cost: Amount | None


class Wish(NamedTuple):
    """What the address asks for."""

    show: str = ""
    sort: str = "newest"
    page: int = 1

    def address(self, **change: object) -> str:
        """The query of this wish with changes; what is usual is left out."""
        asked = {**self._asdict(), "page": 1, **change}
        usual = Wish()._asdict()
        return urlencode({name: value for name, value in asked.items() if value != usual[name]})


def _done(future: Outlook, study: StudySummary) -> float:
    told = future.studies.get(study.id)
    eta = told.eta if told is not None and study.state not in _OVER else None
    return eta.p50 if eta is not None else float("inf")


Order = Callable[[StudySummary, Outlook], Any]
SORTS: dict[str, Order] = {
    "state": lambda it, _: (_PLACE.get(it.state, 9), -it.created_at),
    "name": lambda it, _: it.name.casefold(),
    "progress": lambda it, _: (-it.progress, -it.created_at),
    "finish": lambda it, future: (_done(future, it), -it.created_at),
    "failed": lambda it, _: (-it.counts.get("FAILED", 0), -it.created_at),
    "newest": lambda it, _: -it.created_at,
}


def wish_of(query: Mapping[str, str]) -> Wish:
    """What is asked for; what nobody can ask for counts as not asked."""
    show, sort = query.get("show", ""), query.get("sort", "newest")
    return Wish(show if show in STUDY else "", sort if sort in SORTS else "newest", number(query.get("page")))


def load(wish: Wish, future: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the list shows."""
    studies = list_studies(connection, limit=MOST)
    counts = {state: sum(it.state == state for it in studies) for state in STUDY}
    wanted = sorted(
        (it for it in studies if not wish.show or it.state == wish.show), key=lambda it: SORTS[wish.sort](it, future)
    )
    pager = Pager.of(len(wanted), SHOWN, wish.page)
    shown = wanted[pager.offset : pager.offset + SHOWN]
    used = brief_usage(connection, now, future.studies)
    return {
        "title": "Studies",
        "currency": currency(connection),
        "wish": wish,
        "studies": [_row(it, future, used.get(it.id)) for it in shown],
        "total": len(studies),
        "filters": [(state, sign("study", state), count) for state, count in counts.items()],
        "pager": pager,
    }


def _row(study: StudySummary, future: Outlook, used: BriefUsage | None) -> Row:
    told = future.studies.get(study.id)
    eta = told.eta if told is not None and study.state not in _OVER else None
    return Row(study, eta, eta_words(study, future) if eta is None else "", used.cost if used is not None else None)


def eta_words(study: StudySummary, future: Outlook) -> str:
    """Why there is no finish; "" where none is waited for."""
    told = future.studies.get(study.id)
    if study.state in _OVER or (told is not None and told.eta is not None):
        return ""
    if told is not None and told.stuck:
        return "no worker may take what is left"
    if study.paused and told is None:
        return "paused"
    return FIRST_HERE if study.progress > 0 else FIRST


def page_for(wish: Wish, future: Outlook) -> Page:
    """The list as it is asked for."""
    query = wish.address(page=wish.page)
    address = "/fragments/studies" + (f"?{query}" if query else "")
    return Page(
        "studies", address, "studies.html", ("studies",), partial(load, wish, future), styles=("study.css",)
    )  # fmt: skip


@get("/studies")
async def studies_list(request: Request[Any, Any, Any]) -> Response[str]:
    """The list of studies."""
    future = await request.app.state.services.outlook()
    return await whole(request, page_for(wish_of(request.query_params), future))


@get("/fragments/studies")
async def studies_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """Its live part."""
    future = await request.app.state.services.outlook()
    return await fragment(request, page_for(wish_of(request.query_params), future))

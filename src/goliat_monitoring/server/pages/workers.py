"""The list of workers: a table or cards, filtered, sorted and cut into pages as its address says."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from litestar import Request, Response, get
from sqlalchemy import Connection

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.trace import last_hour
from goliat_monitoring.server.pages.flags import holds, presence_sign, rank, worker_flags
from goliat_monitoring.server.pages.listing import Asked, in_order, read_asked
from goliat_monitoring.server.pages.paging import Pager
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.pages.show import Page, fragment, server_of, whole
from goliat_monitoring.server.pages.sparkline import Spark, spark
from goliat_monitoring.server.pages.words import FLAG, Sign, sign
from goliat_monitoring.store.read.prices import currency
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.studies import assignment_progress
from goliat_monitoring.store.read.underway import UnderWay, under_way
from goliat_monitoring.store.read.workers import WorkerView, list_workers

# Of these a page stays under 300 kB.
TOGETHER = 100
FILTERS = ("running", "idle", "error", "draining", "paused", "late", "offline")
# Others that are no category of their own: a worker may be in several.
MORE_FILTERS = ("online", "flagged", *FLAG)
# Column: heading, whether it is a number, and whether its largest values come first when it is sorted.
COLUMNS = {
    "ip": ("Address", False, False),
    "gpu": ("GPU", False, False),
    "run": ("Runs", False, False),
    "sim": ("Simulation", False, False),
    "progress": ("Progress", False, True),
    "says": ("GOLIAT says", True, True),
    "eta": ("Time left", True, False),
    "use": ("GPU, last hour", False, True),
    "trouble": ("Trouble", False, True),
    "line": ("Last line", False, True),
    "price": ("Price/h", True, True),
    "heard": ("Heard", True, True),
}
USUAL = ("ip", "gpu", "run", "sim", "progress", "eta", "use", "trouble", "line", "heard")
ON_OVERVIEW = ("run", "sim", "progress", "says", "eta", "use", "trouble", "line")
SCRIPTS, STYLES = ("select.js",), ("fleet.css",)


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker as lists show it. `run`: its live run. `lost`: not heard though it holds a run. `progress`: 0 to 100 of
    the assignment it computes, as the server knows it. `left`: until that is done.
    """

    view: WorkerView
    flags: list[str]
    run: RunSummary | None
    now: int
    progress: float | None = None
    left: Spread | None = None

    @property
    def lost(self) -> bool:
        return self.view.presence == "offline" and self.run is not None

    @property
    def sign(self) -> Sign:
        return sign("worker", "removed" if self.view.wish == "removed" else self.view.state)

    @property
    def presence_sign(self) -> Sign:
        return presence_sign(self.view, self.now)

    @property
    def spark(self) -> Spark | None:
        """How busy its GPU was; None where nobody told."""
        trace = self.view.gpu_trace
        return spark(last_hour(trace, self.now)) if trace.values else None

    @property
    def line_at(self) -> int | None:
        """When its last line was written, on the server's clock."""
        at = self.run.last_line_sender_at if self.run is not None else None
        return at - (self.view.clock_skew or 0) if at is not None else None

    @property
    def category(self) -> str:
        """The one number it is counted in."""
        return self.view.presence if self.view.presence != "online" else self.view.state

    def shows(self, what: str) -> bool:
        """Whether it is among the workers that the filter `what` shows."""
        if what in FILTERS:
            return self.category == what
        if what == "online":
            return self.view.presence == "online"
        return bool(self.flags) or self.lost if what == "flagged" else what in self.flags

    def says(self, text: str) -> bool:
        """Whether `text`, casefolded, is in what names it."""
        view = self.view
        names = [view.name, view.hostname, view.ip, view.facts.gpu_name, *view.facts.tags]
        if self.run is not None and self.run.study_name is not None:
            names.append(f"{self.run.study_name} #{self.run.index}")
        return any(text in name.casefold() for name in names)


class Filter(NamedTuple):
    """A filter as a link, with how many workers it shows. `hint`: what the pointer is told besides."""

    key: str
    many: int
    word: str
    href: str
    icon: str
    tone: str
    hint: str = ""


def rows(connection: Connection, now: int, outlook: Outlook, live: Sequence[UnderWay] | None = None) -> list[WorkerRow]:
    """All workers, worst first. `live`: all that is under way, where the caller has looked it up."""
    reached = {
        it.run_id: assignment_progress("RUNNING", it.assignment_weight, it.proven, it.more)
        for it in (under_way(connection) if live is None else live)
    }
    found = []
    for view in list_workers(connection, now):
        run = view.run if holds(view) else None
        key = run.id if run is not None else ""
        found.append(WorkerRow(view, worker_flags(view, now), run, now, reached.get(key), outlook.runs.get(key)))
    return sorted(found, key=lambda row: rank(row.view, row.flags))


def shown(view: WorkerView, flags: list[str], now: int) -> dict[str, Any]:
    """What the page of a worker shows of it: its fields and the signs derived from them."""
    return {
        **{name: getattr(view, name) for name in WorkerView.__struct_fields__},
        "sign": sign("worker", "removed" if view.wish == "removed" else view.state),
        "presence_sign": presence_sign(view, now),
        "flags": flags,
    }


def filters(workers: Sequence[WorkerRow], keys: Iterable[str], asked: Asked) -> list[Filter]:
    """What each of these filters shows; its address keeps the rest of what was asked."""
    found = []
    for key in keys:
        kind = "presence" if key in ("online", "late", "offline") else "flag" if key in FLAG else "worker"
        look = Sign("flag", "Flagged or lost", "warn") if key == "flagged" else sign(kind, key)
        many = sum(worker.shows(key) for worker in workers)
        found.append(Filter(key, many, look.word.lower(), asked.href(show=key), look.icon, look.tone))
    return found


SORTS: Mapping[str, Callable[[WorkerRow], Any]] = {
    "state": lambda it: (it.sign.word, it.view.presence),
    "name": lambda it: it.view.name.casefold(),
    "ip": lambda it: it.view.ip or None,
    "gpu": lambda it: it.view.facts.gpu_name.casefold() or None,
    "run": lambda it: (it.run.study_name or "", it.run.index or 0) if it.run else None,
    "sim": lambda it: it.run.sim_index if it.run else None,
    "progress": lambda it: it.progress,
    "says": lambda it: it.run.percent if it.run else None,
    "eta": lambda it: it.left.p50 if it.left else None,
    "use": lambda it: it.view.vitals.get("gpu"),
    "trouble": lambda it: (it.run.errors, it.run.warnings) if it.run else None,
    "line": lambda it: it.run.last_line_sender_at if it.run else None,
    "price": lambda it: it.view.price_per_hour,
    "heard": lambda it: it.view.last_seen,
}


def load_list(asked: Asked, outlook: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the list shows."""
    workers = rows(connection, now, outlook)
    chips = filters(workers, ("online", *FILTERS), asked)
    chips += [it for it in filters(workers, FLAG, asked) if it.many or it.key == asked.show]
    # It sums others up, and is told only to who came by it.
    chips += filters(workers, ("flagged",), asked) if asked.show == "flagged" else []
    found = [it for it in workers if not asked.show or it.shows(asked.show)]
    if asked.find:
        found = [it for it in found if it.says(asked.find.casefold())]
    if asked.key:
        found = in_order(found, SORTS[asked.key], descending=asked.descending)
    pager = Pager.of(len(found), TOGETHER, asked.page)
    return {
        "title": "Workers",
        "asked": asked,
        "total": len(workers),
        "filters": chips,
        "show_word": next((it.word for it in filters([], [asked.show], asked)), "") if asked.show else "",
        "workers": found[pager.offset : pager.offset + TOGETHER],
        "pager": pager,
        "columns": columns_of(asked),
        "choices": COLUMNS,
        "currency": currency(connection),
    }


def columns_of(asked: Asked) -> list[str]:
    """The columns to show, in their order; the one it is sorted by is always among them."""
    chosen = set(USUAL if asked.columns is None else asked.columns) | {asked.key}
    return [key for key in COLUMNS if key in chosen]


def list_page(asked: Asked, outlook: Outlook, acts: bool) -> Page:
    """The list as it was asked for. `acts`: what is selected in it may be acted upon."""
    address = f"/fragments{asked.href(page=asked.page)}"
    load = partial(load_list, asked, outlook)
    return Page("workers", address, "workers.html", ("fleet",), load, scripts=SCRIPTS if acts else (), styles=STYLES)


def asked_of(request: Request[Any, Any, Any]) -> Asked:
    """What the address of the request asks."""
    return read_asked(
        "/workers",
        request.query_params.dict(),
        filters=(*FILTERS, *MORE_FILTERS),
        keys=SORTS.keys(),
        columns=list(COLUMNS),
        views=("cards",),
    )


@get("/workers")
async def workers_list(request: Request[Any, Any, Any]) -> Response[str]:
    """The list of workers."""
    outlook, acts = await request.app.state.services.outlook(), server_of(request).acts
    below = [render("workers_actions.html")] if acts else []
    return await whole(request, list_page(asked_of(request), outlook, acts), *below)


@get("/fragments/workers")
async def workers_fragment(request: Request[Any, Any, Any]) -> Response[str]:
    """Its live part."""
    outlook = await request.app.state.services.outlook()
    return await fragment(request, list_page(asked_of(request), outlook, server_of(request).acts))

"""The assignments of a study: filtered, sorted and paged by the address; one of them may be open."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.why import Why
from goliat_monitoring.server.pages.paging import Pager, number
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab
from goliat_monitoring.server.pages.words import FLAG, Sign, run_sign, sign
from goliat_monitoring.store import tables
from goliat_monitoring.store.read import parts as read
from goliat_monitoring.store.read.parts import FILTERS, SORTS, STATES, Part, Wanted
from goliat_monitoring.store.read.runs import RunSummary, list_runs
from goliat_monitoring.store.read.studies import StudyCounts, count_assignments
from goliat_monitoring.store.read.why import why
from goliat_monitoring.study.difference import Change, difference

SHOWN = 100
ATTEMPTS_SHOWN = 50
CHANGES_SHOWN = 60
LONGEST_NAME = 200


class Wish(NamedTuple):
    """What the address asks for. `open`: the index of the assignment that is open."""

    state: str = ""
    phantom: str = ""
    frequency: str = ""
    scenario: str = ""
    sort: str = "index"
    page: int = 1
    open: str = ""

    @property
    def wanted(self) -> Wanted:
        """Which assignments."""
        return Wanted(self.state, self.phantom, self.frequency, self.scenario)

    def asked(self) -> dict[str, object]:
        """The members that are not as usual."""
        usual = Wish()._asdict()
        return {name: value for name, value in self._asdict().items() if value != usual[name]}

    def address(self, **change: object) -> str:
        """The query of this wish with changes, from the first page, with nothing open."""
        return urlencode(self._replace(**{"page": 1, "open": "", **change}).asked())  # type: ignore[arg-type]


class Row(NamedTuple):
    """An assignment as the table shows it. `eta`: seconds from now. `then`: what follows a run that ended badly."""

    part: Part
    look: Sign
    then: Sign | None
    flags: list[str]
    eta: object


class Opened(NamedTuple):
    """What an open row tells."""

    part: Part
    attempts: list[tuple[RunSummary, Sign]]
    why: Why | None
    changes: list[Change]
    more_changes: int


def wish_of(query: Query) -> Wish:
    """What is asked for; what nobody can ask for counts as not asked."""
    texts = {name: query.get(name, "")[:LONGEST_NAME] for name in ("phantom", "frequency", "scenario")}
    state, sort, opened = query.get("state", ""), query.get("sort", ""), query.get("open", "")
    return Wish(
        state=state if state in FILTERS else "",
        sort=sort if sort in SORTS else "index",
        page=number(query.get("page")),
        open=str(number(opened)) if opened.isdigit() else "",
        **texts,
    )


def load(study_id: str, wish: Wish, future: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    study = count_assignments(connection, study_id)
    found, total = read.parts_page(
        connection, study_id, wish.wanted, sort=wish.sort, limit=SHOWN, offset=(wish.page - 1) * SHOWN
    )
    pager = Pager.of(total, SHOWN, wish.page)
    if pager.page != wish.page:
        found, _ = read.parts_page(connection, study_id, wish.wanted, sort=wish.sort, limit=SHOWN, offset=pager.offset)
    opened = None
    if wish.open:
        part = next((it for it in found if it.index == int(wish.open)), None)
        if part is None:
            # It is on another page, or filtered away: it comes first.
            part = read.part_by_index(connection, study_id, int(wish.open))
            found = [part, *found] if part is not None else found
        opened = None if part is None else opened_of(connection, now, study_id, part)
    replaced = read.replaced_count(connection, study_id)
    return {
        "title": "",
        "study": study,
        "wish": wish,
        "rows": [row_of(it, future) for it in found],
        "opened": opened,
        "pager": pager,
        "filters": filters(study, replaced),
        "cancelled": study.cancelled,
    }


def filters(study: StudyCounts, replaced: int) -> list[tuple[str, Sign, int]]:
    """(key, sign, how many) of each state."""
    found = [(state, sign("assignment", state), study.counts.get(state, 0)) for state in STATES]
    return [*found, *([("replaced", Sign("twin-squares", "Split again", "off"), replaced)] if replaced else [])]


def row_of(part: Part, future: Outlook) -> Row:
    """An assignment with the signs of its state."""
    run = part.run
    look = sign("assignment", part.state)
    if part.replaced:
        look = Sign("twin-squares", "Split again", "off")
    elif run is not None and run.live and run.state == "unreachable":
        look = sign("run", "unreachable")
    then = run_sign(run.state, "PENDING", run.attempt) if run is not None and part.state == "PENDING" else None
    flags = [run.flag] if run is not None and run.live and run.flag in FLAG else []
    waits = part.state in ("PENDING", "ASSIGNED", "RUNNING") and not part.replaced
    return Row(part, look, then, flags, future.assignments.get(part.id) if waits else None)


def opened_of(connection: Connection, now: int, study_id: str, part: Part) -> Opened:
    """Attempts, why it does not run, and how its config differs."""
    runs = list_runs(connection, assignment_id=part.id, limit=ATTEMPTS_SHOWN)
    stored = "RUNNING" if part.state == "ASSIGNED" else part.state
    base, own = configs_of(connection, study_id, part.id)
    changes = difference(base, own)
    return Opened(
        part,
        [(run, attempt_sign(run, i == 0, stored)) for i, run in enumerate(runs)],
        why(connection, now, part.id) if part.state == "PENDING" else None,
        changes[:CHANGES_SHOWN],
        max(len(changes) - CHANGES_SHOWN, 0),
    )


def attempt_sign(run: RunSummary, newest: bool, assignment_state: str) -> Sign:
    """How an attempt ended; red only if nothing followed."""
    return run_sign(run.state, assignment_state if newest else "RUNNING", run.attempt)


def configs_of(connection: Connection, study_id: str, assignment_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The base config and that of one assignment."""
    studies, assignments = tables.super_studies, tables.assignments
    base = connection.execute(select(studies.c.base_config).where(studies.c.id == study_id)).scalar_one()
    own = connection.execute(select(assignments.c.config).where(assignments.c.id == assignment_id)).scalar_one()
    return msgspec.json.decode(base), msgspec.json.decode(own)


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    wish = wish_of(query)
    return Made(wish.asked(), partial(load, study_id, wish, future))


TAB = Tab("assignments", "Assignments", make)

"""All attempts of a study on an axis of time, a lane for each worker or each assignment; and as a table."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import Connection

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.charts.gantt import Bar, gantt
from goliat_monitoring.server.pages.paging import Pager, number
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab
from goliat_monitoring.server.pages.words import Sign, run_sign
from goliat_monitoring.store.read import attempts as read
from goliat_monitoring.store.read.attempts import Attempt
from goliat_monitoring.store.read.studies import count_assignments
from goliat_monitoring.wire.clock import SECOND

LANES, ATTEMPTS = 40, 200
HOUR = 3600 * SECOND
# Width of what is looked at; "" all of it.
ZOOMS = {"": 0, "7d": 168 * HOUR, "24h": 24 * HOUR, "6h": 6 * HOUR, "1h": HOUR}
# Of what is looked at, so much lies behind now: what comes is lightly drawn.
BEHIND = 0.8
FURTHEST = 10**16
_OPEN = {"PENDING", "ASSIGNED", "RUNNING"}
_LOOKS = {
    "claimed": "run waits", "running": "run", "unreachable": "warn", "succeeded": "ok", "cancelled": "off",
}  # fmt: skip


class Wish(NamedTuple):
    """`to`: the right end, UTC microseconds; 0: now and what is to come."""

    by: str = "worker"
    zoom: str = ""
    to: int = 0
    page: int = 1

    def asked(self) -> dict[str, object]:
        """The members that are not as usual."""
        usual = Wish()._asdict()
        return {name: value for name, value in self._asdict().items() if value != usual[name]}

    def address(self, **change: object) -> str:
        """The query of this wish with changes."""
        return urlencode(self._replace(**{"page": 1, **change}).asked())  # type: ignore[arg-type]


class Window(NamedTuple):
    """The span that is looked at, and the right ends of the spans before and after it, None where there is nothing."""

    begin: int
    end: int
    before: int | None
    after: int | None


class Row(NamedTuple):
    """An attempt with the sign of its outcome."""

    it: Attempt
    look: Sign


def wish_of(query: Query) -> Wish:
    """What is asked for; what nobody can ask for counts as not asked."""
    by, zoom, to = query.get("by", ""), query.get("zoom", ""), query.get("to", "")
    return Wish(
        "assignment" if by == "assignment" else "worker",
        zoom if zoom in ZOOMS else "",
        min(int(to), FURTHEST) if to.isascii() and to.isdigit() and len(to) < 18 else 0,
        number(query.get("page")),
    )


def window_of(wish: Wish, first: int, last: int, now: int) -> Window:
    """`first`: the first claim; `last`: when everything should be over, or now; `now`: the end of what is over."""
    width = ZOOMS[wish.zoom]
    if not width:
        return Window(first, max(last, first + 60 * SECOND), None, None)
    newest = min(max(last, now), now + round(width * (1 - BEHIND)))
    end = min(max(wish.to, first + width // 2), newest) if wish.to else newest
    half = width // 2
    begin = end - width
    return Window(begin, end, end - half if begin > first else None, min(end + half, newest) if end < newest else None)


def load(study_id: str, wish: Wish, future: Outlook, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    study = count_assignments(connection, study_id)
    span = read.span_of(connection, study_id)
    common = {"title": "", "study": study, "wish": wish, "zooms": list(ZOOMS)}
    if span is None:
        return {**common, "chart": None}
    first, ended = span
    told = future.studies.get(study_id)
    # Of a study that is over nothing is to be seen after its end, however long ago that was.
    newest = now if study.counts.keys() & _OPEN else ended
    last = now + round(told.eta.p90 * SECOND) if told is not None and told.eta is not None else newest
    window = window_of(wish, first, last, newest)
    names: dict[str, str]
    offset = (wish.page - 1) * LANES
    if wish.by == "worker":
        workers, total = read.worker_lanes(connection, study_id, window.begin, window.end, limit=LANES, offset=offset)
        names = dict(workers)
        found = read.attempts_of(connection, study_id, window.begin, window.end, worker_ids=list(names), limit=ATTEMPTS)
    else:
        parts, total = read.assignment_lanes(connection, study_id, window.begin, window.end, limit=LANES, offset=offset)
        names = {key: f"#{index}" for key, index in parts}
        found = read.attempts_of(
            connection, study_id, window.begin, window.end, assignment_ids=list(names), limit=ATTEMPTS
        )
    rows = {it.run_id: Row(it, outcome(it, found)) for it in found}
    bars = [bar_of(it, rows[it.run_id].look, wish.by, future, now) for it in found]
    if wish.by == "assignment":
        bars += waiting_bars(names, found, future, now)
    chart = gantt(list(names), bars, window.begin, window.end, now)
    return {
        **common,
        "chart": chart,
        "names": names,
        "rows": rows,
        "window": window,
        "pager": Pager.of(total, LANES, wish.page),
        "cut": len(found) == ATTEMPTS,
    }


def outcome(attempt: Attempt, found: list[Attempt]) -> Sign:
    """The sign of an attempt; red only if nothing followed."""
    newest = max(it.attempt for it in found if it.assignment_id == attempt.assignment_id)
    follows = attempt.assignment_state if attempt.attempt == newest else "RUNNING"
    return run_sign(attempt.state, follows, attempt.attempt)


def bar_of(attempt: Attempt, shown: Sign, by: str, future: Outlook, now: int) -> Bar:
    """An attempt as a bar; of one that is under way, when it should be over. `shown`: the sign of its outcome."""
    spread = future.runs.get(attempt.run_id) if attempt.live else None
    # Hatched where it ended badly, red only where nothing followed.
    look = _LOOKS.get(attempt.state, "bad" if shown.tone == "bad" else "bad again")
    expected = None
    if spread is not None:
        expected = (now + round(spread.p10 * SECOND), now + round(spread.p90 * SECOND))
    return Bar(
        attempt.worker_id if by == "worker" else attempt.assignment_id,
        attempt.run_id,
        attempt.begin,
        attempt.until,
        look,
        expected,
    )


def waiting_bars(lanes: Mapping[str, str], found: list[Attempt], future: Outlook, now: int) -> list[Bar]:
    """For assignments that wait, when they should be over."""
    busy = {it.assignment_id for it in found if it.live}
    bars = []
    for key in lanes:
        spread = future.assignments.get(key) if key not in busy else None
        if spread is not None:
            begin, end = (now + round(seconds * SECOND) for seconds in (spread.p10, spread.p90))
            bars.append(Bar(key, f"{key}-waits", begin, begin, "off", (begin, end)))
    return bars


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    wish = wish_of(query)
    return Made(wish.asked(), partial(load, study_id, wish, future))


TAB = Tab("gantt", "Gantt", make)

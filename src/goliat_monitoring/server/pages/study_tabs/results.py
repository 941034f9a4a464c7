"""The files of a study, counted for each assignment; one of them may be open and lists its files."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import Connection, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.paging import Pager, number
from goliat_monitoring.server.pages.study_tabs.assignments import row_of
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab, query_text
from goliat_monitoring.store import tables
from goliat_monitoring.store.read import parts as read
from goliat_monitoring.store.read.parts import Part, Wanted
from goliat_monitoring.store.read.results import delivered, files_of, unattributed
from goliat_monitoring.store.read.studies import count_assignments

SHOWN, FILES_SHOWN = 100, 500


class File(NamedTuple):
    """A file to download. `attempt`: the run that delivered it; `late`: after that run was over."""

    path: str
    href: str
    size: int
    version: int
    attempt: int
    late: bool
    at: int


class Opened(NamedTuple):
    """The files of one assignment, `more` of them not listed; `stray`: uploads that belong to no run."""

    part: Part
    files: list[File]
    more: int
    stray: int


def load(study_id: str, page: int, opened: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    del now
    study = count_assignments(connection, study_id)
    pager = Pager.of(study.total, SHOWN, page)
    parts, _ = read.parts_page(connection, study_id, Wanted(), limit=SHOWN, offset=pager.offset)
    shown = None
    if opened:
        part = next((it for it in parts if it.index == int(opened)), None)
        if part is None:
            part = read.part_by_index(connection, study_id, int(opened))
            parts = [part, *parts] if part is not None else parts
        shown = None if part is None else opened_of(connection, part)
    whole = delivered(connection, study_id)
    none = Outlook()
    return {
        "title": "",
        "study": study,
        "rows": [row_of(it, none) for it in parts],
        "files": files_of(connection, [it.id for it in parts]),
        "opened": shown,
        "total": whole.files,
        "bytes": whole.size,
        "pager": pager,
        "address": lambda **change: query_text(change)[1:],
        "page": pager.page,
    }


def opened_of(connection: Connection, part: Part) -> Opened:
    """The files that arrived of an assignment, of all tries, by path."""
    artifacts, runs = tables.artifacts, tables.runs
    query = (
        select(artifacts, runs.c.attempt)
        .join(runs, runs.c.id == artifacts.c.run_id)
        .where(runs.c.assignment_id == part.id)
        .order_by(artifacts.c.relative_path, artifacts.c.filename, runs.c.attempt.desc(), artifacts.c.version.desc())
    )
    rows = connection.execute(query).all()
    return Opened(
        part,
        [
            File(
                f"{it.relative_path}/{it.filename}" if it.relative_path else it.filename,
                f"/api/runs/{quote(it.run_id)}/artifacts/{quote(it.id)}",
                it.size, it.version, it.attempt, it.late, it.received_at,
            )
            for it in rows[:FILES_SHOWN]
        ],
        max(len(rows) - FILES_SHOWN, 0),
        len(unattributed(connection, part.id)),
    )  # fmt: skip


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    del future
    page, opened = number(query.get("page")), query.get("open", "")
    opened = str(number(opened)) if opened.isdigit() else ""
    asked: dict[str, object] = {"page": page if page > 1 else "", "open": opened}
    return Made(asked, partial(load, study_id, page, opened))


TAB = Tab("results", "Results", make, live=False)

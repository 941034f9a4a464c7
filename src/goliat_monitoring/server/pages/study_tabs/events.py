"""What happened to a study, newest first, from the record of events; filtered by kind and paged by the address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab
from goliat_monitoring.server.pages.words import ASSIGNMENT, RUN, Sign
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.events import EventView, list_events
from goliat_monitoring.store.read.runs import worker_name
from goliat_monitoring.store.read.studies import count_assignments
from goliat_monitoring.wire.clock import iso

SHOWN = 100
# What people filter by: the beginnings of kinds.
GROUPS = {"people": "by people", "run": "runs", "assignment": "assignments", "study": "study", "worker": "workers"}
# These are no news beside the name of the kind.
_SILENT = frozenset({"was", "leaseUntil", "attempt", "cause"})
LONGEST = 160
# Whole numbers from here on are UTC microseconds.
_A_TIME = 10**15


@dataclass(frozen=True, slots=True)
class Row:
    """One event. `who`: who did it, "" where it was the server. `index`: of the assignment."""

    it: EventView
    look: Sign
    who: str
    index: int | None
    worker: tuple[str, str] | None
    text: str

    @property
    def named(self) -> bool:
        """Whether who did it is another than the worker it is about."""
        return self.who != "" and (self.worker is None or self.who != self.worker[1])


def sign_of(kind: str) -> Sign:
    """How a kind of event looks: that of the state it tells, where it tells one."""
    subject, _, rest = kind.partition("_")
    known = ASSIGNMENT.get(rest.upper()) if subject == "assignment" else RUN.get(rest) if subject == "run" else None
    name = kind.replace("_", " ")
    name = name[:1].upper() + name[1:]
    if known is None:
        return Sign("flag" if kind == "worker_set_aside" else "bar", name, "warn" if "aside" in kind else "off")
    # Red only where a person must act: what follows a run that failed is another event.
    return Sign(known.icon, name, "warn" if subject == "run" and known.tone == "bad" else known.tone)


def load(study_id: str, group: str, before: int | None, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    del now
    study = count_assignments(connection, study_id)
    found = list_events(
        connection,
        limit=SHOWN + 1,
        before=before,
        super_study_id=study_id,
        kinds=None if group in ("", "people") else f"{group}_",
        by_people=group == "people",
    )
    rows = found[:SHOWN]
    return {
        "title": "",
        "study": study,
        "group": group,
        "groups": GROUPS,
        "before": before,
        "rows": _rows(connection, rows),
        "older": rows[-1].id if len(found) > SHOWN else None,
        "address": partial(_address, group),
    }


def _address(group: str, **change: object) -> str:
    asked = {"kind": group, **change}
    return urlencode({name: value for name, value in asked.items() if value not in ("", None)})


def _rows(connection: Connection, events: list[EventView]) -> list[Row]:
    parts, workers = tables.assignments, tables.workers
    indexes = {
        row.id: row.place
        for row in connection.execute(
            select(parts.c.id, parts.c.index.label("place")).where(
                parts.c.id.in_({it.assignment_id for it in events if it.assignment_id})
            )
        )
    }
    machines = {it.worker_id for it in events if it.worker_id} | {it.actor for it in events}
    names = {
        row.id: worker_name(row.label, row.hostname, row.machine_id, row.id)
        for row in connection.execute(
            select(workers.c.id, workers.c.label, workers.c.hostname, workers.c.machine_id).where(
                workers.c.id.in_(machines)
            )
        )
    }
    return [
        Row(
            it,
            sign_of(it.kind),
            "" if it.actor == "server" else names.get(it.actor, it.actor),
            indexes.get(it.assignment_id or ""),
            (it.worker_id, names[it.worker_id]) if it.worker_id is not None and it.worker_id in names else None,
            _text(it.data),
        )
        for it in events
    ]


def _text(data: Mapping[str, Any]) -> str:
    said = [_said(name, value) for name, value in data.items() if name not in _SILENT and value not in ("", None)]
    if "attempt" in data:
        said.insert(0, f"try {data['attempt']}")
    text = ", ".join(said)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _said(name: str, value: object) -> str:
    if name in ("reason", "ask"):
        return str(value)
    if isinstance(value, int) and value > _A_TIME:
        value = iso(value)
    return f"{_words(name)} {value}"


def _words(name: str) -> str:
    """`notBefore` as people write it."""
    return re.sub("(?<=[a-z])[A-Z]", lambda it: f" {it[0].lower()}", name)


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    del future
    group, before = query.get("kind", ""), query.get("before", "")
    group = group if group in GROUPS else ""
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    return Made({"kind": group, "before": last}, partial(load, study_id, group, last))


TAB = Tab("events", "Events", make)

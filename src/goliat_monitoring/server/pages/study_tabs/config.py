"""The base config of a study, to fold, copy and download, and how the config of each assignment differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.paging import Pager, number
from goliat_monitoring.server.pages.render import brief
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab, query_text
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.studies import get_study
from goliat_monitoring.study.difference import Change, difference

SHOWN, CHANGES_SHOWN = 40, 6
# Values that are drawn one by one; the rest is in the file.
MOST_NODES = 1_500
# Characters that can be copied from the page itself.
MOST_TEXT = 60_000


class Node(NamedTuple):
    """One member of a config: a value in one line, or a fold with what it holds. `about`: how much that is."""

    key: str
    value: str
    about: str
    children: "list[Node] | None"


@dataclass(frozen=True, slots=True)
class Differs:
    """How one assignment's config differs from the base."""

    assignment_id: str
    index: int
    changes: list[Change]
    more: int


class Budget:
    """How many nodes may still be drawn."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self) -> bool:
        """Whether there is one left; it is taken."""
        self.left -= 1
        return self.left >= 0


def tree(value: object, budget: Budget) -> list[Node]:
    """The members of an object or list. Lists of plain values are one line."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, member in pairs:
        if not budget.take():
            found.append(Node("…", "the rest is in the file", "", None))
            break
        found.append(_node(str(key), member, budget))
    return found


def _node(key: str, value: object, budget: Budget) -> Node:
    folds = (isinstance(value, dict) and value) or (
        isinstance(value, list) and any(isinstance(it, (dict, list)) for it in value)
    )
    if not folds:
        return Node(key, brief(value), "", None)
    about = f"{len(value)} keys" if isinstance(value, dict) else f"{len(value)} items"  # type: ignore[arg-type]
    return Node(key, "", about, tree(value, budget))


def load(study_id: str, page: int, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    del now
    study = get_study(connection, study_id)
    pager = Pager.of(study.summary.total, SHOWN, page)
    text = msgspec.json.format(msgspec.json.encode(study.base_config), indent=2).decode()
    budget = Budget(MOST_NODES)
    return {
        "title": "",
        "study": study.summary,
        "sha256": study.base_sha256,
        "nodes": tree(study.base_config, budget),
        "cut": budget.left < 0,
        "text": text if len(text) <= MOST_TEXT else "",
        "length": len(text),
        "parts": differences(connection, study_id, study.base_config, pager.offset),
        "pager": pager,
        "address": lambda **change: query_text(change)[1:],
    }


def differences(connection: Connection, study_id: str, base: dict[str, Any], offset: int) -> list[Differs]:
    """One page of the assignments that were not split again, by index."""
    parts = tables.assignments
    query = (
        select(parts.c.id, parts.c.index.label("place"), parts.c.config)
        .where(parts.c.super_study_id == study_id, parts.c.replaced_at.is_(None))
        .order_by(parts.c.index)
        .limit(SHOWN)
        .offset(offset)
    )
    found = []
    for row in connection.execute(query):
        changes = difference(base, msgspec.json.decode(row.config))
        found.append(Differs(row.id, row.place, changes[:CHANGES_SHOWN], max(len(changes) - CHANGES_SHOWN, 0)))
    return found


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    del future
    page = number(query.get("page"))
    return Made({"page": page if page > 1 else ""}, partial(load, study_id, page))


TAB = Tab("config", "Config", make, live=False)

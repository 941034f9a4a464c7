"""Pictures of the tabs of GOLIAT's window: the newest of each, and those kept of one."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.wire.errors import Refused

screenshots = tables.screenshots
# Pictures in a history: one a pixel of the slider or so.
MOST = 500


class Screenshot(msgspec.Struct, frozen=True, kw_only=True):
    """One picture of one tab of GOLIAT's window. `tab` is the sender's text: shown, never used as a path."""

    id: str
    run_id: str
    tab: str
    received_at: int
    sender_at: int | None
    size: int
    storage_key: str


_COLUMNS = [screenshots.c[name] for name in Screenshot.__struct_fields__]


def screenshots_of(connection: Connection, run_id: str) -> list[Screenshot]:
    """The newest picture of each tab, by tab. The cost does not grow with the pictures taken before."""
    found: list[Screenshot] = []
    tab = ""
    while True:
        next_tab = connection.execute(
            select(func.min(screenshots.c.tab)).where(screenshots.c.run_id == run_id, screenshots.c.tab > tab)
        ).scalar()
        if next_tab is None:
            return found
        tab = str(next_tab)
        found.append(screenshot(connection, run_id, tab))


def screenshot(connection: Connection, run_id: str, key: str) -> Screenshot:
    """One picture by its id, or the newest of a tab by the tab's name. Raises `Refused` 404."""
    query = select(*_COLUMNS).where(screenshots.c.run_id == run_id)
    row = connection.execute(query.where(screenshots.c.id == key)).one_or_none()
    if row is None:
        of_tab = query.where(screenshots.c.tab == key).order_by(screenshots.c.received_at.desc()).limit(1)
        row = connection.execute(of_tab).one_or_none()
    if row is None:
        raise Refused(404, "no such screenshot", f"run {run_id} has none with id or tab {key}")
    return _of(row)


def screenshot_history(connection: Connection, run_id: str, tab: str, most: int = MOST) -> list[Screenshot]:
    """The pictures kept of a tab, oldest first. Of more than `most` some at even distances, the newest among them."""
    query = select(*_COLUMNS).where(screenshots.c.run_id == run_id, screenshots.c.tab == tab)
    rows = connection.execute(query.order_by(screenshots.c.received_at, screenshots.c.id)).all()
    if len(rows) > most:
        last = len(rows) - 1
        rows = [rows[last - (most - 1 - place) * last // (most - 1)] for place in range(most)]
    return [_of(row) for row in rows]


def _of(row: Row[Any]) -> Screenshot:
    return Screenshot(**{name: getattr(row, name) for name in Screenshot.__struct_fields__})

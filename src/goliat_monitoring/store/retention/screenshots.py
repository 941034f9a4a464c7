"""Of the pictures of a tab one a minute is kept, for a while; the newest always.

Two passes in order of ids, which is the order of arrival: `thin` comes soon after a minute is over, `expire` when it
is old. Rows go first: a file without a row is found and deleted later, a row without its file is a broken picture.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, and_, delete, exists, or_, select, tuple_

from goliat_monitoring.store import tables
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.retention.places import reach, reached
from goliat_monitoring.wire.clock import SECOND

screenshots = tables.screenshots
MINUTE = 60 * SECOND
# A page that is open may still show a picture that was replaced a moment ago.
GRACE = 10 * MINUTE
AT_ONCE = 100
THINNED, EXPIRED = "screenshots_thinned", "screenshots_expired"


class Part(NamedTuple):
    """What one unit did: `seen` rows looked at, none when there is nothing left to do; `files` that are free now."""

    seen: int
    files: list[str]


def thin(connection: Connection, moment: Moment) -> Part:
    """Of the next pictures delete all that are not the last of their tab in their minute."""
    rows = _due(connection, THINNED, moment, GRACE)
    if not rows:
        return Part(0, [])
    later = screenshots.alias("later")
    ends = screenshots.c.received_at - screenshots.c.received_at % MINUTE + MINUTE
    replaced = exists().where(_later(later), later.c.received_at < ends)
    ids = [row.id for row in rows]
    files = _delete(connection, select(screenshots).where(screenshots.c.id.in_(ids), replaced))
    reach(connection, THINNED, ids[-1])
    return Part(len(rows), files)


def expire(connection: Connection, moment: Moment, kept: int) -> Part:
    """Delete the next pictures older than `kept` microseconds, except the newest of each tab."""
    rows = _due(connection, EXPIRED, moment, kept)
    if not rows:
        return Part(0, [])
    later = screenshots.alias("later")
    tabs = sorted({(row.run_id, row.tab) for row in rows})
    # All of these tabs, not only these rows: one of them was the newest when its turn came, and is no more.
    old = and_(
        tuple_(screenshots.c.run_id, screenshots.c.tab).in_(tabs),
        screenshots.c.received_at <= moment.now - kept,
        exists().where(_later(later)),
    )
    files = _delete(connection, select(screenshots).where(old).limit(AT_ONCE))
    if len(files) < AT_ONCE:
        reach(connection, EXPIRED, rows[-1].id)
    return Part(len(rows), files)


def files_of(connection: Connection, run_id: str) -> set[str]:
    """Storage keys of all pictures of a run."""
    query = select(screenshots.c.storage_key).where(screenshots.c.run_id == run_id)
    return set(connection.execute(query).scalars())


def _due(connection: Connection, place: str, moment: Moment, age: int) -> list[Any]:
    """The next rows of the pass, up to the first that is too young. One of a day to come was stamped by a clock that
    was wrong, and would hold up all others.
    """
    rows: Sequence[Any] = connection.execute(
        select(screenshots.c.id, screenshots.c.run_id, screenshots.c.tab, screenshots.c.received_at)
        .where(screenshots.c.id > reached(connection, place))
        .order_by(screenshots.c.id)
        .limit(AT_ONCE)
    ).all()
    latest = moment.now + GRACE
    return list(takewhile(lambda row: not moment.now - age < row.received_at < latest, rows))


def _later(later: Any) -> Any:
    return and_(
        later.c.run_id == screenshots.c.run_id,
        later.c.tab == screenshots.c.tab,
        or_(
            later.c.received_at > screenshots.c.received_at,
            and_(later.c.received_at == screenshots.c.received_at, later.c.id > screenshots.c.id),
        ),
    )


def _delete(connection: Connection, query: Select[Any]) -> list[str]:
    found = connection.execute(query).all()
    if found:
        connection.execute(delete(screenshots).where(screenshots.c.id.in_([row.id for row in found])))
    return [row.storage_key for row in found]

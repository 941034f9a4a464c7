"""How many there are of what, for those who watch the server."""

import msgspec
from sqlalchemy import Connection, func, select

from goliat_monitoring.fleet.presence import presence
from goliat_monitoring.fleet.states import Presence, RunState
from goliat_monitoring.store import tables

runs, workers = tables.runs, tables.workers


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """`runs` by state, `workers` by presence, each of them named; `lines`: numbered log lines of all runs."""

    runs: dict[str, int]
    workers: dict[str, int]
    lines: int


def count_all(connection: Connection, now: int) -> Counts:
    """Looks at every run and every worker once."""
    by_state = dict.fromkeys((state.value for state in RunState), 0)
    lines = 0
    states = select(runs.c.state, func.count().label("runs"), func.sum(runs.c.line_count).label("lines"))
    for row in connection.execute(states.group_by(runs.c.state)):
        by_state[row.state] = int(row.runs)
        lines += int(row.lines or 0)
    by_presence = dict.fromkeys((it.value for it in Presence), 0)
    heard = select(workers.c.kind, workers.c.last_seen, workers.c.left_at).where(workers.c.wish != "removed")
    for row in connection.execute(heard):
        by_presence[presence(row.kind, row.last_seen, now, row.left_at)] += 1
    return Counts(runs=by_state, workers=by_presence, lines=lines)

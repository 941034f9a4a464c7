"""How long the phases of a run and their subtasks took. They were noted as they came, so no log is read."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, func, or_, select

from goliat_monitoring.store import tables

times = tables.phase_times
# Subtasks that hold all others of their phase: GOLIAT's window leaves them out too.
WHOLES = frozenset({"setup_simulation", "run_simulation_total", "extract_results_total"})
SHARES = (10, 25, 50, 75, 90)
# Rows shown. GOLIAT has some twenty; a sender may make up any number.
MOST = 200


class PhaseTime(msgspec.Struct, frozen=True, kw_only=True):
    """One phase (`subtask` is "") or one subtask of it. All but `count`, how often it was done, in seconds.

    `p10` to `p90`: nearest ranks, so each is a time that was measured; `p50` is the median.
    """

    phase: str
    subtask: str
    count: int
    total: float
    mean: float
    smallest: float
    largest: float
    p10: float
    p25: float
    p50: float
    p75: float
    p90: float


def _query() -> Select[Any]:
    group = (times.c.phase, times.c.subtask)
    ranked = (
        select(
            *group,
            times.c.seconds,
            func.row_number().over(partition_by=group, order_by=times.c.seconds).label("place"),
            func.count().over(partition_by=group).label("how_many"),
            func.sum(times.c.seconds).over(partition_by=group).label("total"),
            func.min(times.c.sender_at).over(partition_by=group).label("first_at"),
        )
        .where(times.c.run_id == bindparam("run"))
        .subquery()
    )
    places = [(ranked.c.how_many * share + 99) // 100 for share in SHARES]
    wanted = or_(ranked.c.place == 1, ranked.c.place == ranked.c.how_many, *(ranked.c.place == it for it in places))
    return select(ranked).where(wanted).order_by(ranked.c.first_at, ranked.c.phase, ranked.c.subtask, ranked.c.place)


_QUERY = _query()


def phase_times(connection: Connection, run_id: str) -> list[PhaseTime]:
    """Each phase, then its subtasks, in the order in which they were first done; empty for an unknown run."""
    groups: dict[tuple[str, str], dict[int, Any]] = {}
    for row in connection.execute(_QUERY, {"run": run_id}):
        if row.subtask not in WHOLES:
            groups.setdefault((row.phase, row.subtask), {})[row.place] = row
    order = {phase: place for place, (phase, _) in reversed(list(enumerate(groups)))}
    found = []
    # Sorting keeps the order of subtasks, which are over before their phase is.
    for (phase, subtask), rows in sorted(groups.items(), key=lambda it: (order[it[0][0]], it[0][1] != ""))[:MOST]:
        count, total = rows[1].how_many, rows[1].total
        ranks = {f"p{share}": rows[(count * share + 99) // 100].seconds for share in SHARES}
        found.append(
            PhaseTime(
                phase=phase, subtask=subtask, count=count, total=total, mean=total / count,
                smallest=rows[1].seconds, largest=rows[count].seconds, **ranks,
            )
        )  # fmt: skip
    return found

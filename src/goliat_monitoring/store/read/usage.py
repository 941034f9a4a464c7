"""GPU hours and money of a super study, from its runs and those of the same workers."""

import msgspec
from sqlalchemy import Connection, or_, select

from goliat_monitoring.fleet.outlook import Future
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.usage import Amount, Span, cost, gpu_hours, usage
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.prices import currency, worker_prices
from goliat_monitoring.wire.clock import SECOND

runs, assignments, workers = tables.runs, tables.assignments, tables.workers
# Of these nobody knows when the machine stopped, only when it was last heard.
UNHEARD = (RunState.UNREACHABLE, RunState.LOST)


class StudyUsage(msgspec.Struct, frozen=True, kw_only=True):
    """`cost` at today's prices; None where no worker of the study has one. `unpriced`: hours without one."""

    hours: Amount
    cost: Amount | None
    unpriced: float
    currency: str


def study_usage(connection: Connection, now: int, study_id: str, future: Future | None) -> StudyUsage:
    """What a study has taken and will take. A worker counts as one GPU."""
    query = select(
        runs.c.worker_id, runs.c.state, runs.c.claimed_at, runs.c.ended_at, runs.c.last_sign_at,
        assignments.c.super_study_id,
    ).outerjoin(assignments, assignments.c.id == runs.c.assignment_id)  # fmt: skip
    own = connection.execute(query.where(assignments.c.super_study_id == study_id)).all()
    first = min((row.claimed_at for row in own), default=now)
    names = sorted({row.worker_id for row in own})
    others = connection.execute(
        query.where(
            runs.c.worker_id.in_(names),
            or_(runs.c.ended_at.is_(None), runs.c.ended_at >= first),
            or_(assignments.c.super_study_id.is_(None), assignments.c.super_study_id != study_id),
        )
    ).all()
    live = any(not RunState(row.state).terminal for row in own)
    waits = connection.execute(
        select(assignments.c.id)
        .where(assignments.c.super_study_id == study_id, assignments.c.state == "PENDING")
        .limit(1)
    ).scalar()
    over = now if live or waits is not None else max((row.ended_at or now for row in own), default=now)
    there, prices = {}, worker_prices(connection)
    for row in connection.execute(select(workers.c.id, workers.c.last_seen)):
        there[row.id] = min(over, row.last_seen) / SECOND

    def span(row: object) -> Span:
        end = row.last_sign_at or row.claimed_at if row.state in UNHEARD else row.ended_at  # type: ignore[attr-defined]
        begin = row.claimed_at  # type: ignore[attr-defined]
        return Span(row.worker_id, begin / SECOND, (now if end is None else end) / SECOND)  # type: ignore[attr-defined]

    used = usage(map(span, own), map(span, others), there)
    to_come = future.machine_s if future is not None else {}
    money = cost(used, to_come, prices)
    return StudyUsage(
        hours=gpu_hours(used, to_come),
        cost=money[0] if money is not None else None,
        unpriced=money[1] if money is not None else 0.0,
        currency=currency(connection),
    )

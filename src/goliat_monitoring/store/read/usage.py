"""GPU hours and money of a super study, from its runs and those of the same workers."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, case, func, or_, select

from goliat_monitoring.fleet.outlook import Future
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.usage import HOUR_S, Amount, Span, cost, gpu_hours, usage
from goliat_monitoring.store import tables
from goliat_monitoring.wire.clock import SECOND

runs, assignments, workers = tables.runs, tables.assignments, tables.workers
# Of these nobody knows when the machine stopped, only when it was last heard.
UNHEARD = (RunState.UNREACHABLE, RunState.LOST)


class StudyUsage(msgspec.Struct, frozen=True, kw_only=True):
    """`cost` in euro at today's prices; None where no worker of the study has one. `unpriced`: hours without one."""

    hours: Amount
    cost: Amount | None
    unpriced: float


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
    there, prices = {}, {}
    for row in connection.execute(select(workers.c.id, workers.c.last_seen, workers.c.price_per_hour)):
        there[row.id] = min(over, row.last_seen) / SECOND
        if row.price_per_hour is not None:
            prices[row.id] = row.price_per_hour

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
    )


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Euro of a super study at today's prices: `spent` so far, `forecast` when it is done."""

    spent: float
    forecast: float


def costs_of(connection: Connection, now: int, futures: Mapping[str, Future | None]) -> dict[str, Cost]:
    """What these studies cost, of those with a priced worker; the price of a list: one look at the runs of each.

    Runs of one worker that overlap count twice here.
    """
    end = case(
        (runs.c.state.in_(UNHEARD), func.coalesce(runs.c.last_sign_at, runs.c.claimed_at)),
        else_=func.coalesce(runs.c.ended_at, now),
    )
    prices = {
        row.id: row.price_per_hour
        for row in connection.execute(
            select(workers.c.id, workers.c.price_per_hour).where(workers.c.price_per_hour.is_not(None))
        )
    }
    if not prices:
        return {}
    query = (
        select(assignments.c.super_study_id, runs.c.worker_id, func.sum(end - runs.c.claimed_at).label("spent"))
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(assignments.c.super_study_id.in_(list(futures)))
        .group_by(assignments.c.super_study_id, runs.c.worker_id)
    )
    spent: dict[str, float] = {}
    for row in connection.execute(query):
        if row.worker_id in prices:
            hours = float(row.spent) / SECOND / HOUR_S
            spent[row.super_study_id] = spent.get(row.super_study_id, 0.0) + prices[row.worker_id] * hours
    found = {}
    for study_id, future in futures.items():
        to_come = sum(
            prices.get(worker, 0.0) * seconds / HOUR_S
            for worker, seconds in (future.machine_s.items() if future is not None else ())
        )
        if study_id in spent or to_come:
            so_far = spent.get(study_id, 0.0)
            found[study_id] = Cost(spent=so_far, forecast=so_far + to_come)
    return found

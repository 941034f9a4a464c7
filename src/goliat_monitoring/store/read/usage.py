"""GPU hours and money of a super study, from its runs and those of the same workers."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, or_, select

from goliat_monitoring.fleet.outlook import Future
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.usage import Amount, Span, Usage, cost, gpu_hours, usage
from goliat_monitoring.store import tables
from goliat_monitoring.store.hours import worked_until
from goliat_monitoring.store.read.prices import currency, worker_prices
from goliat_monitoring.store.read.runs import LIVE
from goliat_monitoring.wire.clock import SECOND

runs, assignments, workers = tables.runs, tables.assignments, tables.workers


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

    def span(row: Any) -> Span:
        return Span(row.worker_id, row.claimed_at / SECOND, worked_until(row, now) / SECOND)

    used = usage(map(span, own), map(span, others), there)
    to_come = future.machine_s if future is not None else {}
    money = cost(used, to_come, prices)
    return StudyUsage(
        hours=gpu_hours(used, to_come),
        cost=money[0] if money is not None else None,
        unpriced=money[1] if money is not None else 0.0,
        currency=currency(connection),
    )


class BriefUsage(msgspec.Struct, frozen=True, kw_only=True):
    """As `StudyUsage`, without what was idle: that takes a look at every run."""

    hours: Amount
    cost: Amount | None


def brief_usage(connection: Connection, now: int, futures: Mapping[str, Future]) -> dict[str, BriefUsage]:
    """By id of every study that was worked on or will be. The cost does not grow with the runs that are over."""
    spent = dict[str, dict[str, float]]()
    for row in connection.execute(select(tables.study_hours)):
        spent.setdefault(row.super_study_id, {})[row.worker_id] = row.seconds
    live = (
        select(assignments.c.super_study_id, *(runs.c[name] for name in (
            "worker_id", "state", "claimed_at", "ended_at", "last_sign_at"
        )))
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(LIVE)
    )  # fmt: skip
    for row in connection.execute(live):
        of_study = spent.setdefault(row.super_study_id, {})
        seconds = max(worked_until(row, now) - row.claimed_at, 0) / SECOND
        of_study[row.worker_id] = of_study.get(row.worker_id, 0.0) + seconds
    prices = worker_prices(connection)
    found = {}
    for study_id in spent.keys() | futures.keys():
        used = Usage(spent.get(study_id, {}), {})
        to_come = futures[study_id].machine_s if study_id in futures else {}
        money = cost(used, to_come, prices)
        found[study_id] = BriefUsage(hours=gpu_hours(used, to_come), cost=money[0] if money is not None else None)
    return found

"""JSON of time and money to come: ranges in seconds and as times, GPU hours, euro, history."""

import msgspec

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Future
from goliat_monitoring.store.history import Point
from goliat_monitoring.store.read.usage import BriefUsage, StudyUsage
from goliat_monitoring.wire.clock import SECOND, iso, iso_or_none


class RangeJson(msgspec.Struct, rename="camel", kw_only=True):
    """Seconds from now: one in ten is sooner than `p10`, half are sooner than `p50`, nine in ten than `p90`."""

    p10: float
    p50: float
    p90: float


class TimesJson(msgspec.Struct, rename="camel", kw_only=True):
    """The same as times."""

    p10: str | None
    p50: str | None
    p90: str | None


class AmountJson(msgspec.Struct, rename="camel", kw_only=True):
    """`forecast`: of the whole study when it is done, spent and to come. `idle`: workers that had worked for it and
    had nothing to do."""

    spent: float
    forecast: float
    idle: float


class BriefAmountJson(msgspec.Struct, rename="camel", kw_only=True):
    """Spent, and of the whole study when it is done. What was idle is told with the study itself."""

    spent: float
    forecast: float


class CostJson(AmountJson, rename="camel", kw_only=True):
    """Money at today's prices. `unpricedHours`: of workers without a price, in no figure here."""

    unpriced_hours: float
    currency: str = "EUR"


class PointJson(msgspec.Struct, rename="camel", kw_only=True):
    """A moment of a study: how far it was, in percent and in predicted seconds, and when it was to be done."""

    at: str
    progress: float
    done_weight: float
    finish_at: TimesJson


class HistoryJson(msgspec.Struct, rename="camel", kw_only=True):
    points: list[PointJson]


def range_json(spread: Spread | None) -> RangeJson | None:
    """A range, to the tenth of a second."""
    if spread is None:
        return None
    return RangeJson(p10=round(spread.p10, 1), p50=round(spread.p50, 1), p90=round(spread.p90, 1))


def finish_json(spread: Spread | None, now: int) -> TimesJson | None:
    """When that is; `now` in UTC microseconds."""
    if spread is None:
        return None
    p10, p50, p90 = (iso(now + round(seconds * SECOND)) for seconds in spread)
    return TimesJson(p10=p10, p50=p50, p90=p90)


def eta_note(future: Future | None, *, over: bool, paused: bool, failed: int) -> str | None:
    """Why there is no ETA, or what it leaves out; None where nothing is to be said."""
    if over:
        return None
    if future is not None and future.eta is not None:
        return without(failed)
    if future is None and paused:
        return "paused"
    return "no worker may take what is left" if future is not None and future.stuck else "after first simulation"


def without(failed: int) -> str | None:
    """What a finish does not include: assignments that wait for a person."""
    return f"without {failed} failed assignment{'s' if failed > 1 else ''}" if failed else None


def hours_json(usage: StudyUsage) -> AmountJson:
    """GPU hours."""
    spent, forecast, idle = (round(value, 3) for value in usage.hours)
    return AmountJson(spent=spent, forecast=forecast, idle=idle)


def cost_json(usage: StudyUsage) -> CostJson | None:
    """Money, where a price is known."""
    if usage.cost is None:
        return None
    spent, forecast, idle = (round(value, 2) for value in usage.cost)
    hours = round(usage.unpriced, 3)
    return CostJson(spent=spent, forecast=forecast, idle=idle, unpriced_hours=hours, currency=usage.currency)


def brief_hours_json(usage: BriefUsage | None) -> BriefAmountJson:
    """GPU hours of a study in a list."""
    spent, forecast = (round(value, 3) for value in usage.hours[:2]) if usage is not None else (0.0, 0.0)
    return BriefAmountJson(spent=spent, forecast=forecast)


def brief_cost_json(usage: BriefUsage | None) -> BriefAmountJson | None:
    """Euro at today's prices, where one is known."""
    if usage is None or usage.cost is None:
        return None
    spent, forecast = (round(value, 2) for value in usage.cost[:2])
    return BriefAmountJson(spent=spent, forecast=forecast)


def history_json(points: list[Point]) -> HistoryJson:
    """The history of a study."""
    return HistoryJson(
        points=[
            PointJson(
                at=iso(it.at),
                progress=it.progress,
                done_weight=round(it.done_weight, 1),
                finish_at=TimesJson(p10=iso_or_none(it.p10_at), p50=iso_or_none(it.p50_at), p90=iso_or_none(it.p90_at)),
            )
            for it in points
        ]
    )

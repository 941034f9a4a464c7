"""GPU hours and money of a super study: spent on it, to come, and idle."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

HOUR_S = 3600.0


class Span(NamedTuple):
    """A run on a worker, in seconds of any one clock."""

    worker: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds by worker. `idle`: the worker had worked for the study, was there, and had no run of any study."""

    spent: Mapping[str, float]
    idle: Mapping[str, float]


class Amount(NamedTuple):
    """Hours, or euro. `forecast`: of the whole study when it is done, spent and to come."""

    spent: float
    forecast: float
    idle: float


def usage(own: Iterable[Span], others: Iterable[Span], there_until: Mapping[str, float]) -> Usage:
    """What workers spent on a study. `own`: its runs; `others`: runs of the same workers for something else;
    `there_until`: by worker, when it was last there for the study: now, its last sign, or the end of the study."""
    mine, elsewhere = _by_worker(own), _by_worker(others)
    spent, idle = {}, {}
    for worker, spans in mine.items():
        spent[worker] = _covered(spans, -math.inf, math.inf)
        first = min(start for start, _ in spans)
        last = max(there_until.get(worker, -math.inf), *(end for _, end in spans))
        busy = _covered([*spans, *elsewhere.get(worker, [])], first, last)
        idle[worker] = max(last - first - busy, 0.0)
    return Usage(spent, idle)


def gpu_hours(used: Usage, to_come: Mapping[str, float]) -> Amount:
    """Hours of workers, each counted as one GPU. `to_come`: seconds by worker."""
    spent = math.fsum(used.spent.values()) / HOUR_S
    return Amount(spent, spent + math.fsum(to_come.values()) / HOUR_S, math.fsum(used.idle.values()) / HOUR_S)


def cost(used: Usage, to_come: Mapping[str, float], prices: Mapping[str, float]) -> tuple[Amount, float] | None:
    """Euro at `prices` an hour by worker, and the hours (spent and to come) that have no price; None without any."""

    def money(seconds: Mapping[str, float]) -> float:
        return math.fsum(prices.get(worker, 0.0) * it / HOUR_S for worker, it in seconds.items())

    workers = used.spent.keys() | to_come.keys()
    if not workers & prices.keys():
        return None
    unpriced = math.fsum(used.spent.get(it, 0.0) + to_come.get(it, 0.0) for it in workers - prices.keys()) / HOUR_S
    spent = money(used.spent)
    return Amount(spent, spent + money(to_come), money(used.idle)), unpriced


def _by_worker(spans: Iterable[Span]) -> dict[str, list[tuple[float, float]]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for worker, start, end in spans:
        found.setdefault(worker, []).append((start, max(start, end)))
    return found


def _covered(spans: Iterable[tuple[float, float]], first: float, last: float) -> float:
    """The length of the union of `spans` between `first` and `last`."""
    total, reached = 0.0, first
    for start, end in sorted(spans):
        begin = max(start, reached)
        stop = min(end, last)
        if stop > begin:
            total += stop - begin
            reached = stop
    return total

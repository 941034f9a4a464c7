"""Requests counted as they pass: a few operations on plain numbers each. Prometheus' families are made when it asks."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from goliat_monitoring.store.tally import SECONDS, SIZES, Tally

# Seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# The first that fits.
GROUPS = (
    ("/api/gui-update", "gui-update"),
    ("/api/heartbeat", "heartbeat"),
    ("/api/agent/", "agent"),
    ("/api/", "api"),
    ("/live", "live"),
    ("/static/", "static"),
    ("/fragments/", "fragments"),
    ("/healthz", "health"),
    ("/readyz", "health"),
    ("/metrics", "health"),
)


def group_of(path: str) -> str:
    """The kind of address that `path` is: few, whatever is asked for."""
    if path == "/api/gui-update":
        return "gui-update"
    if path.startswith("/api/agent/") and path.endswith("/batch"):
        return "agent-batch"
    return next((group for start, group in GROUPS if path.startswith(start)), "pages")


def cumulated(bounds: Iterable[float], counts: Iterable[int]) -> list[tuple[str, float]]:
    """Counts by bucket as Prometheus wants them: each with all below it, the last without a bound."""
    totals = map(float, accumulate(counts))
    return list(zip((*(str(float(bound)) for bound in bounds), "+Inf"), totals, strict=True))


def families_of(tally: Tally) -> Iterator[Metric]:
    """What the writer did."""
    yield HistogramMetricFamily(
        "goliat_commit_calls",
        "Calls in one commit",
        buckets=cumulated(SIZES, tally.sizes),
        sum_value=tally.calls,
    )
    yield HistogramMetricFamily(
        "goliat_commit_seconds",
        "From the first statement of a group of calls to the end of its commit",
        buckets=cumulated(SECONDS, tally.times),
        sum_value=tally.seconds,
    )
    yield CounterMetricFamily(
        "goliat_writer_restarts", "How often the writer's process ended and was started again", tally.restarts
    )


class Requests:
    """Answered requests by kind of address and first digit of the status, and how long they took."""

    def __init__(self) -> None:
        self.answered: dict[tuple[str, int], int] = {}
        self.times: dict[str, list[int]] = {}
        self.seconds: dict[str, float] = {}

    def count(self, group: str, status: int, seconds: float) -> None:
        """One more. `status` 0: it broke off without an answer."""
        key = (group, status // 100)
        self.answered[key] = self.answered.get(key, 0) + 1
        if group == "live":
            return  # a stream lasts as long as its page is open
        buckets = self.times.get(group)
        if buckets is None:
            buckets = self.times[group] = [0] * (len(BUCKETS) + 1)
            self.seconds[group] = 0.0
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds[group] += seconds

    def families(self) -> Iterator[Metric]:
        """As Prometheus wants them."""
        answered = CounterMetricFamily(
            "goliat_requests", "Requests by kind of address and class of the answer", labels=["group", "status"]
        )
        for (group, status), number in list(self.answered.items()):
            answered.add_metric([group, f"{status}xx" if status else "none"], number)
        yield answered
        times = HistogramMetricFamily(
            "goliat_request_seconds", "From the first byte of a request to the end of its answer", labels=["group"]
        )
        for group, buckets in list(self.times.items()):
            times.add_metric([group], cumulated(BUCKETS, buckets), self.seconds[group])
        yield times

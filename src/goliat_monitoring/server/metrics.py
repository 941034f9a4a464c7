"""What Prometheus scrapes: requests as they were counted, all else looked up when somebody asks."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from goliat_monitoring.server.requests import Requests, families_of
from goliat_monitoring.store.tally import Tally

__all__ = ["CONTENT_TYPE_LATEST", "Scrape", "text_of"]


class Scrape(Collector):
    """What was found out for one scrape. Numbers that nobody could find out are left out."""

    def __init__(self, requests: Requests, tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._gauges: list[Metric] = []

    def gauge(self, name: str, words: str, value: float | None) -> None:
        """One number."""
        if value is not None:
            self._gauges.append(GaugeMetricFamily(f"goliat_{name}", words, value))

    def gauges(self, name: str, words: str, label: str, values: dict[str, float]) -> None:
        """One number for each value of a label."""
        family = GaugeMetricFamily(f"goliat_{name}", words, labels=[label])
        for key, value in values.items():
            family.add_metric([key], value)
        self._gauges.append(family)

    def collect(self) -> Iterable[Metric]:
        """For the library."""
        yield from self._requests.families()
        yield from families_of(self._tally)
        yield from self._gauges


def text_of(scrape: Scrape) -> bytes:
    """All of it, and what the system knows of this process, in Prometheus' text format."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(scrape)
    return generate_latest(registry)

"""How the machine does: sampled all the time, told with each heartbeat, and averaged into a run's samples."""

import logging
import threading
import time
from collections.abc import Callable

import psutil

from goliat_monitoring.agent.disk import Disk
from goliat_monitoring.agent.gpus import Gpus
from goliat_monitoring.agent.settings import Intervals

log = logging.getLogger(__name__)
NAMES = ("cpu", "ram", "gpu", "vram", "gpu_temp")


class Vitals:
    """`latest` holds the last sample: `cpu`, `ram`, `gpu`, `vram` in percent, `gpu_temp` in C, `disk_free` in bytes."""

    def __init__(
        self, gpus: Gpus, disk: Disk, intervals: Intervals, deliver: Callable[[dict[str, float]], None]
    ) -> None:
        """`deliver` gets the mean of the samples every `sample_s`."""
        self._gpus = gpus
        self._disk = disk
        self._intervals = intervals
        self._deliver = deliver
        self.latest: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Sample until `stop` is set; the body of a thread."""
        psutil.cpu_percent()
        samples: list[dict[str, float]] = []
        looked = delivered = time.monotonic()
        while not stop.wait(self._intervals.vitals_s):
            now = time.monotonic()
            try:
                self.latest = self._sample()
                samples.append(self.latest)
                if now - looked >= self._intervals.disk_s:
                    looked = now
                    self._disk.look()
                if now - delivered >= self._intervals.sample_s:
                    delivered = now
                    self._deliver(mean(samples))
                    samples.clear()
            except (OSError, psutil.Error) as error:
                log.warning("no vitals: %s", error)

    def _sample(self) -> dict[str, float]:
        return {
            "cpu": psutil.cpu_percent(),
            "ram": psutil.virtual_memory().percent,
            "disk_free": float(self._disk.free()),
            **self._gpus.sample(),
        }


def mean(samples: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each value over the samples that have it; of `disk_free` the last."""
    values: dict[str, float] = {}
    for name in NAMES:
        known = [sample[name] for sample in samples if name in sample]
        if known:
            values[name] = round(sum(known) / len(known), 1)
    if samples and "disk_free" in samples[-1]:
        values["disk_free"] = samples[-1]["disk_free"]
    return values

"""How the machine does: sampled all the time, told with each heartbeat, and averaged into a run's samples."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from goliat_monitoring.agent.disk import Disk
from goliat_monitoring.agent.gpus import Gpus
from goliat_monitoring.agent.settings import Intervals

log = logging.getLogger(__name__)
NAMES = ("cpu", "ram", "gpu", "vram", "gpu_temp", "disk_read", "disk_write", "page_faults")
# The kernel's own counts; no other system tells the whole machine's page faults as cheaply.
VMSTAT = Path("/proc/vmstat")


class Vitals:
    """`latest` holds the last sample: `cpu`, `ram`, `gpu`, `vram` in percent, `gpu_temp` in C, `disk_free` in bytes,
    `disk_read` and `disk_write` in MB/s, `page_faults` (those that wait for the disk) a second. What a machine cannot
    tell is left out.
    """

    def __init__(
        self, gpus: Gpus, disk: Disk, intervals: Intervals, deliver: Callable[[dict[str, float]], None]
    ) -> None:
        """`deliver` gets the mean of the samples every `sample_s`."""
        self._gpus = gpus
        self._disk = disk
        self._intervals = intervals
        self._deliver = deliver
        self._rates = Rates()
        self.latest: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Sample until `stop` is set; the body of a thread."""
        # What is told since the last call needs a first one.
        psutil.cpu_percent()
        self._rates.since_last(counters(), time.monotonic())
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
            **self._rates.since_last(counters(), time.monotonic()),
            **self._gpus.sample(),
        }


class Rates:
    """What counters that only grow did a second, between one reading and the next."""

    def __init__(self) -> None:
        self._known: dict[str, float] = {}
        self._at = 0.0

    def since_last(self, counts: Mapping[str, float], at: float) -> dict[str, float]:
        """`counts` as rates since the last call; `at`: seconds of a steady clock. Nothing of a counter that is new or
        began anew (a disk was taken away), and nothing at the first call.
        """
        known, seconds = self._known, at - self._at
        self._known, self._at = dict(counts), at
        if seconds <= 0:
            return {}
        return {
            name: (count - known[name]) / seconds
            for name, count in counts.items()
            if name in known and count >= known[name]
        }


def counters() -> dict[str, float]:
    """`disk_read` and `disk_write` of all disks in MB, `page_faults`, since the machine started; known ones only."""
    counts: dict[str, float] = {}
    disks = psutil.disk_io_counters()
    if disks is not None:
        counts["disk_read"], counts["disk_write"] = disks.read_bytes / 1e6, disks.write_bytes / 1e6
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            counts |= page_faults(VMSTAT.read_text())
    return counts


def page_faults(vmstat: str) -> dict[str, float]:
    """The count of page faults that had to wait for the disk, in the text of `/proc/vmstat`."""
    for line in vmstat.splitlines():
        name, _, value = line.partition(" ")
        if name == "pgmajfault" and value.isdecimal():
            return {"page_faults": float(value)}
    return {}


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

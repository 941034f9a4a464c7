"""Room on the machine's disk: watched, and a reserve kept so that the outbox can still write when it is full.

GOLIAT says everything once. What is given up, in this order: screenshots and samples when the disk is low, then verbose
lines, folded into a gap that says how many they were. While the disk is low no new work is claimed.
"""

import contextlib
import logging
import os
import shutil
import sys
import threading
from pathlib import Path

from goliat_monitoring.agent.settings import Limits

log = logging.getLogger(__name__)
BLOCK = 1024 * 1024


class Disk:
    """`low` and `folding` are as of the last `look` or `relieve`."""

    def __init__(self, state_dir: Path, workdir: Path, limits: Limits) -> None:
        self._state_dir = state_dir
        self._workdir = workdir
        self._limits = limits
        self._reserve = state_dir / "reserve"
        self._lock = threading.Lock()
        self.low = False
        self.folding = False
        self.look()

    def free(self) -> int:
        """Bytes free where the workdir is, the smaller of the two disks if the state dir is on another."""
        return min(_free(self._workdir), _free(self._state_dir))

    def look(self) -> None:
        """Measure, and act: give the reserve up or make it again."""
        with self._lock:
            free = _free(self._state_dir)
            reserved = self._reserve.exists()
            self.low = self.free() < self._limits.disk_low
            if free < self._limits.disk_critical:
                self._give_up(reserved=reserved)
            elif self.folding or not reserved:
                # Not at the first free megabyte: what was freed by the reserve itself is no sign of room.
                roomy = free >= self._limits.disk_critical + 2 * self._limits.reserve
                if roomy and self._make_reserve():
                    self.folding = False

    def relieve(self) -> bool:
        """A write failed because the disk is full. Whether it is worth another try."""
        with self._lock:
            was_folding = self.folding
            self.low = True
            return self._give_up(reserved=self._reserve.exists()) or not was_folding

    def _give_up(self, *, reserved: bool) -> bool:
        if not self.folding:
            log.warning("the disk of %s is full; verbose lines are not kept for now", self._state_dir)
        self.folding = True
        if reserved:
            self._reserve.unlink(missing_ok=True)
        return reserved

    def _make_reserve(self) -> bool:
        try:
            with self._reserve.open("wb") as file:
                if sys.platform != "win32" and hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self._limits.reserve)
                else:
                    # Written for real: a sparse file would reserve nothing.
                    for _ in range(0, self._limits.reserve, BLOCK):
                        file.write(bytes(min(BLOCK, self._limits.reserve)))
        except OSError as error:
            log.warning("no room for a reserve of %d bytes: %s", self._limits.reserve, error)
            with contextlib.suppress(OSError):
                self._reserve.unlink(missing_ok=True)
            return False
        return True


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        # A disk that cannot be asked (a network drive that is away) is no full disk.
        return sys.maxsize

"""What a run of the benchmarks was asked for, and where its files lie."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

IN_MEMORY = ("tmpfs", "ramfs")


@dataclass(frozen=True, slots=True)
class Options:
    """`rounds`: how often limit and server take turns; `seconds`: length of one load. `minutes`: of the soak.

    `quick` makes everything small, to see that it runs: its figures mean nothing and are not written down.
    `say` tells whoever waits what is being done.
    """

    rounds: int
    seconds: float
    minutes: float
    quick: bool
    folder: Path
    say: Callable[[str], None]

    def size(self, wanted: int, quick: int) -> int:
        """`wanted`, or the small size that is enough to see that it runs."""
        return quick if self.quick else wanted

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder on the disk that is measured; gone at the end of the block."""
        with tempfile.TemporaryDirectory(prefix="goliat-bench-", dir=self.folder, ignore_cleanup_errors=True) as name:
            yield Path(name)


def file_system(folder: Path) -> tuple[str, str]:
    """Device and type of the file system that holds `folder`."""
    held = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    found = max(held, key=lambda part: len(part.mountpoint))
    return found.device, found.fstype


def on_disk(folder: Path) -> bool:
    """Whether what is written in `folder` reaches a disk. A commit on a file system in memory proves nothing."""
    return file_system(folder)[1] not in IN_MEMORY

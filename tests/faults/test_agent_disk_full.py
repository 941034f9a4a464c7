"""A real full disk under the agent's outbox: chatter is folded into a gap that counts it, the rest gets through."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from goliat_monitoring.agent.disk import Disk
from goliat_monitoring.agent.drafts import Draft, encode
from goliat_monitoring.agent.outbox import Outbox
from goliat_monitoring.agent.settings import Limits
from goliat_monitoring.wire.agent import LineItem

MIB = 1 << 20
LIMITS = Limits(reserve=2 * MIB, disk_low=4 * MIB, disk_critical=MIB)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """16 MiB of its own. Needs the right to mount; a test that cannot fill a disk proves nothing, so it fails then."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.fail(f"this test fills a disk of its own and needs root to mount one: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def line(number: int, text: str, *, foldable: bool) -> Draft:
    return Draft(number, 0, 0, encode(LineItem(number, "default", "status", text)), foldable)


def state(disk: Disk) -> tuple[bool, bool]:
    return disk.low, disk.folding


def fill(folder: Path, leave: int) -> Path:
    """Take the whole disk but `leave` bytes."""
    file = folder / "filler"
    with file.open("ab", buffering=0) as stream:
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        while free > leave:
            stream.write(b"x" * min(65536, free - leave))
            free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    return file


def test_a_full_disk_costs_chatter_only(small_disk: Path) -> None:
    disk = Disk(small_disk, small_disk, LIMITS)
    assert state(disk) == (False, False)
    assert (small_disk / "reserve").stat().st_size == LIMITS.reserve
    outbox = Outbox(small_disk / "outbox.sqlite", reorder_s=0, relieve=disk.relieve, folding=lambda: disk.folding)
    outbox.put([line(0, "before", foldable=False)])
    filler = fill(small_disk, 0)
    # Nobody looked at the disk yet: the write itself finds it full, and takes the reserve.
    for number in range(1, 1501):
        outbox.put([line(number, f"chatter {number} " + "y" * 1000, foldable=True)])
        if number % 10 == 0:
            outbox.put([line(number, f"important {number}", foldable=False)])
    assert state(disk) == (True, True)
    assert not (small_disk / "reserve").exists()
    disk.look()
    assert state(disk) == (True, True), "the room of the reserve itself is no sign of room"

    filler.unlink()
    disk.look()
    assert state(disk) == (False, False)
    assert (small_disk / "reserve").stat().st_size == LIMITS.reserve
    outbox.put([line(2000, "after", foldable=True)])
    outbox.flush()
    items = [msgspec.json.decode(body) for body in outbox.read(0, 10_000, 100 * MIB)]
    texts = [item["text"] for item in items if item["k"] == "line"]
    assert [text for text in texts if text.startswith("important")] == [f"important {n}" for n in range(10, 1501, 10)]
    assert texts[0] == "before"
    assert "after" in texts
    folded = sum(item["count"] for item in items if item["k"] == "gap")
    kept = sum(text.startswith("chatter") for text in texts)
    assert folded > 0
    assert folded + kept == 1500, "every line is either there or counted"
    outbox.close()


def test_a_disk_that_fills_slowly_is_noticed_before_it_is_full(small_disk: Path) -> None:
    disk = Disk(small_disk, small_disk, LIMITS)
    filler = fill(small_disk, 3 * MIB)
    disk.look()
    assert state(disk) == (True, False)
    fill(small_disk, MIB // 2)
    disk.look()
    assert state(disk) == (True, True)
    filler.unlink()
    disk.look()
    assert state(disk) == (False, False)

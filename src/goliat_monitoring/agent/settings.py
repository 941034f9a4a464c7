"""What a person may decide about an agent, and the intervals that tests shorten."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class Intervals:
    """Seconds. `heartbeat_s`: None for the interval that the server asks for."""

    heartbeat_s: float | None = None
    # Between two looks at what keeps the agent from asking for work; else the server says when to ask.
    ask_s: float = 10.0
    # How long the server may hold a claim while there is no work.
    claim_wait_s: float = 10.0
    # The same for what people ask of it.
    listen_wait_s: float = 25.0
    retry_s: float = 0.5
    retry_cap_s: float = 30.0
    # The longest silence of a connection before it is given up; no limit on the whole transfer.
    stall_s: float = 60.0
    reorder_s: float = 1.0
    ship_s: float = 0.5
    watch_s: float = 0.5
    spool_s: float = 0.5
    collect_s: float = 1.0
    # How long a result file must not have changed before it is taken while GOLIAT still runs.
    stable_s: float = 2.0
    vitals_s: float = 2.0
    sample_s: float = 10.0
    disk_s: float = 2.0
    # From asking GOLIAT to stop to ending its processes; from SIGTERM to SIGKILL.
    stop_grace_s: float = 60.0
    term_grace_s: float = 10.0
    # A window still open this long after its study ended is asked to close, and killed after `close_grace_s`.
    close_after_s: float = 120.0
    close_grace_s: float = 30.0
    # A wall clock that ran ahead of the steady one by this much: the machine slept.
    sleep_gap_s: float = 20.0
    keep_acknowledged_s: float = 7 * 86400.0


@dataclass(frozen=True)
class Limits:
    """Bytes."""

    # Freed for the outbox when the disk is full.
    reserve: int = 64 * MIB
    # Below this the agent claims nothing and gives up screenshots and samples.
    disk_low: int = 1024 * MIB
    # Below this the reserve is given up and verbose lines are no longer kept.
    disk_critical: int = 128 * MIB
    kept_outbox: int = 512 * MIB
    message: int = 8 * MIB
    screenshot: int = 4 * MIB


@dataclass(frozen=True)
class AgentSettings:
    """One agent: where its server is, where it keeps its state, and how it starts GOLIAT.

    `token`: for enrolment only; afterwards the agent holds its own credential. `workdir`: GOLIAT's project folder,
    with `configs/` and `results/`. `once`: end after one delivered run, or when there is no work.
    """

    server: str
    state_dir: Path
    workdir: Path
    token: str | None = None
    goliat_command: list[str] = field(default_factory=lambda: ["goliat"])
    once: bool = False
    label: str = ""
    tags: list[str] = field(default_factory=list)
    intervals: Intervals = field(default_factory=Intervals)
    limits: Limits = field(default_factory=Limits)


def parse_command(text: str, *, windows: bool | None = None) -> list[str]:
    """A command line as its words. On Windows backslashes are part of paths and only double quotes group.

    Raises ValueError where nothing is left or a quote is not closed.
    """
    windows = sys.platform == "win32" if windows is None else windows
    words = shlex.split(text, posix=not windows)
    if windows:
        words = [word.strip('"') for word in words]
    if not words or not words[0]:
        raise ValueError("the GOLIAT command is empty")
    return words


def default_state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Where this user's agent keeps its identity and its runs when nothing else is said."""
    if sys.platform == "win32":
        base = Path(environ.get("LOCALAPPDATA") or Path.home())
    else:
        base = Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return base / "goliat-monitoring" / "agent"

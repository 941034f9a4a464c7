"""Everything about one run that must outlive the agent, in a folder of its own below the state dir."""

import shutil
from pathlib import Path
from typing import Literal

import msgspec

from goliat_monitoring.agent.statedir import write_atomic
from goliat_monitoring.wire.agent import EndCause, Job

Phase = Literal["claimed", "starting", "running", "ended", "delivered", "set_aside"]


class Ending(msgspec.Struct, rename="camel"):
    """How GOLIAT's process ended. `at`: UTC microseconds. `exit_code`: None where nobody could learn it."""

    cause: EndCause
    exit_code: int | None
    at: int
    reason: str = ""


class Record(msgspec.Struct, rename="camel"):
    """What `job.json` holds. Times in unix seconds.

    `started_at`: taken before the start, so that every file written since is later. `pid_started`: the start time
    that the system tells of `pid`. `state`: the server's verdict, once delivered.
    """

    job: Job
    worker_id: str
    relay_token: str
    phase: Phase = "claimed"
    config_path: str = ""
    started_at: float = 0.0
    pid: int | None = None
    pid_started: float = 0.0
    ending: Ending | None = None
    state: str = ""
    delivered_at: float = 0.0


class Folder:
    """One run's folder: `job.json`, the outbox, the list of files, the spool and control folders of the hook."""

    def __init__(self, runs: Path, run_id: str) -> None:
        # The id comes from the server, and a server may be anything.
        if not run_id or run_id in (".", "..") or not all(c.isalnum() or c in "-_." for c in run_id):
            raise ValueError(f"not a run id: {run_id!r}")
        self.path = runs / run_id
        self.record_file = self.path / "job.json"
        self.outbox = self.path / "outbox.sqlite"
        self.uploads = self.path / "uploads.sqlite"
        self.spool = self.path / "spool"
        self.control = self.path / "control"
        self.received = self.path / "received"

    def create(self) -> None:
        """Make the folders. Raises OSError."""
        for folder in (self.path, self.spool, self.control, self.received):
            folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> Record | None:
        """The record; None where there is none or it cannot be read."""
        try:
            return msgspec.json.decode(self.record_file.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            return None

    def save(self, record: Record) -> None:
        """On disk when this returns. It holds the run's fence: for this user's eyes only."""
        write_atomic(self.record_file, msgspec.json.encode(record), private=True)

    def remove(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def size(self) -> int:
        """Bytes in it."""
        return sum(entry.stat().st_size for entry in self.path.rglob("*") if entry.is_file())


def all_folders(runs: Path) -> list[Folder]:
    """The folders of all runs, oldest claim first (ids sort by time)."""
    try:
        names = sorted(entry.name for entry in runs.iterdir())
    except OSError:
        return []
    folders = []
    for name in names:
        try:
            folders.append(Folder(runs, name))
        except ValueError:
            continue
    return [folder for folder in folders if folder.record_file.exists()]


def tidy(runs: Path, before: float, max_bytes: int) -> None:
    """Delete folders of runs delivered before `before` (unix seconds), and the oldest beyond `max_bytes`."""
    kept = 0
    for folder in reversed(all_folders(runs)):
        record = folder.load()
        if record is None or record.phase != "delivered":
            continue
        kept += folder.size()
        if record.delivered_at < before or kept > max_bytes:
            folder.remove()

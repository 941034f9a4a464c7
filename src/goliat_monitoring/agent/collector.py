"""Takes the result files of this run, and of no other, from GOLIAT's results folder.

Folders are named after the case alone, so the same one serves every study. A file is this run's if GOLIAT decided on
that folder during the run (the hook wrote it down), the folder's `config.json` bears the hash it decided on, and the
file was written since the start, or GOLIAT took the folder's content as done already.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from goliat_monitoring.agent.uploads import Uploads
from goliat_monitoring.study.paths import PathProblem, clean_file_name, clean_relative_path
from goliat_monitoring.study.results import RESULT_FILES

log = logging.getLogger(__name__)
DECISIONS = "simulations.jsonl"
# Beside what GOLIAT uploads itself, small files of these kinds: metadata, pictures, tables.
OTHER_SUFFIXES = frozenset({".json", ".png", ".csv", ".html", ".pkl", ".txt", ".log", ".svg"})
OTHER_LIMIT = 64 * 1024 * 1024
# File times of some disks are coarse (2 s on FAT), and a clock may be corrected meanwhile.
TIME_SLACK_S = 3.0


class Decision(msgspec.Struct):
    """A line of the hook: GOLIAT chose this folder for this configuration. The last line of a folder counts."""

    path: str
    relative_path: str
    config_hash: str | None = None
    cached: bool = False


class Found(NamedTuple):
    """A file that may be this run's."""

    path: str
    file: Path
    size: int
    mtime_ns: int
    cached: bool


class Collector:
    """Looks, again and again, and offers each file once it no longer changes."""

    def __init__(
        self,
        *,
        workdir: Path,
        control: Path,
        expected: set[str] | None,
        started_at: float,
        stable_s: float,
        uploads: Uploads,
        note: Callable[[str, str], None],
    ) -> None:
        """`expected`: folders of this assignment's cases, in lower case; None where they could not be learned.

        `started_at`: unix seconds of the run's start. `note(text, level)` writes into the run's log.
        """
        self._results = workdir / "results"
        self._decisions_file = control / DECISIONS
        self._expected = expected
        self._started_at = started_at
        self._stable_s = stable_s
        self._uploads = uploads
        self._note = note
        self._seen: dict[tuple[str, str], tuple[int, int, float]] = {}
        self._told: set[str] = set()

    def look(self, *, final: bool = False) -> int:
        """Offer what is complete; how many files were offered now. `final`: GOLIAT is gone, nothing changes any more.

        A file that cannot be read at the moment (Windows locks files while they are written) is looked at again next
        time.
        """
        decisions = self._decisions()
        newest = next(reversed(decisions), None)
        offered = 0
        for relative, decision in decisions.items():
            for found in self._files(relative, decision):
                # The log of the simulation that runs grows until its end.
                if not final and relative == newest and found.file.suffix == ".log":
                    continue
                if self._is_new(found, final=final):
                    offered += self._offer(found)
        return offered

    def _decisions(self) -> dict[str, Decision]:
        """Relative folder -> decision, in the order in which they were made last."""
        decisions: dict[str, Decision] = {}
        try:
            lines = self._decisions_file.read_bytes().split(b"\n")
        except OSError:
            return decisions
        for line in lines:
            try:
                decision = msgspec.json.decode(line, type=Decision)
                relative = clean_relative_path(decision.relative_path)
            except (msgspec.DecodeError, PathProblem, RecursionError):
                continue
            if not relative:
                continue
            if self._expected is not None and relative.casefold() not in self._expected:
                self._tell(relative, f"Results in {relative} belong to no case of this assignment and are left there.")
                continue
            decisions.pop(relative, None)
            decisions[relative] = decision
        return decisions

    def _files(self, relative: str, decision: Decision) -> Iterator[Found]:
        folder = self._folder(relative, decision)
        if folder is None or not self._hash_matches(folder, relative, decision):
            return
        yield from self._written(folder, relative, decision)
        for tone in tones(relative):
            # One simulation of several tones is extracted into the folder of each tone, which has no config of its own.
            up = len(Path(relative).parts)
            yield from self._written(folder.parents[up - 1] / tone, tone, decision)

    def _folder(self, relative: str, decision: Decision) -> Path | None:
        told = Path(decision.path)
        # GOLIAT's base folder may be another than its working folder; the hook knows.
        ending = Path(relative).parts
        if told.is_absolute() and told.parts[-len(ending) :] == ending:
            return told
        return self._results / relative

    def _hash_matches(self, folder: Path, relative: str, decision: Decision) -> bool:
        try:
            config = msgspec.json.decode((folder / "config.json").read_bytes())
        except (OSError, msgspec.DecodeError):
            # Not written yet, or just being written.
            return False
        if isinstance(config, dict) and decision.config_hash and config.get("config_hash") == decision.config_hash:
            return True
        self._tell(
            f"hash {relative} {decision.config_hash}",
            f"The files in {relative} come from a study with other settings and are left there.",
        )
        return False

    def _written(self, folder: Path, relative: str, decision: Decision) -> Iterator[Found]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            try:
                if entry.is_symlink() or not entry.is_file() or not is_result(entry.name, entry.stat().st_size):
                    continue
                # Not from the listing: on Windows that tells the size of an open file too late.
                status = Path(entry.path).stat()
                name = clean_file_name(entry.name)
            except (OSError, PathProblem):
                continue
            if not decision.cached and status.st_mtime < self._started_at - TIME_SLACK_S:
                continue
            yield Found(relative, folder / name, status.st_size, status.st_mtime_ns, decision.cached)

    def _is_new(self, found: Found, *, final: bool) -> bool:
        key = (found.path, found.file.name)
        if self._uploads.known(*key, found.size, found.mtime_ns):
            return False
        if final:
            return True
        now = time.monotonic()
        size, mtime_ns, since = self._seen.get(key, (-1, -1, now))
        if (size, mtime_ns) != (found.size, found.mtime_ns):
            self._seen[key] = (found.size, found.mtime_ns, now)
            return False
        return now - since >= self._stable_s

    def _offer(self, found: Found) -> int:
        try:
            return int(self._uploads.add(found.path, found.file.name, found.file, cached=found.cached))
        except (OSError, sqlite3.Error) as error:
            log.warning("%s cannot be taken yet: %s", found.file, error)
            return 0

    def _tell(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._note(text, "warning")


def is_result(name: str, size: int) -> bool:
    """Whether a file in a result folder is worth sending: never models, meshes and field data."""
    if name in RESULT_FILES:
        return True
    return Path(name).suffix.lower() in OTHER_SUFFIXES and size <= OTHER_LIMIT and not name.startswith((".", "~"))


def tones(relative: str) -> list[str]:
    """Folders of the tones of a multisine folder, ".../700+2450MHz/..." -> [".../700MHz/...", ".../2450MHz/..."]."""
    parts = relative.split("/")
    for position, part in enumerate(parts):
        if "+" in part and part.endswith("MHz"):
            each = part.removesuffix("MHz").split("+")
            return ["/".join([*parts[:position], f"{tone}MHz", *parts[position + 1 :]]) for tone in each]
    return []

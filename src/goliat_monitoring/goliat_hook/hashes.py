"""Which result folder belongs to which configuration: a line in `simulations.jsonl` each time GOLIAT decides about one.

Folders are named after the case alone, so a folder of an earlier study with other settings looks the same. The agent
takes results only from folders whose `config.json` bears the hash that this run wrote down here. The last line of a
folder counts.
"""

from __future__ import annotations

import functools
import hashlib
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from . import files
from .notes import note
from .settings import Settings

FILE = "simulations.jsonl"


def record_hashes(module: ModuleType, settings: Settings) -> None:
    """Wraps the three methods of ProjectManager in which GOLIAT decides about a simulation's folder."""
    if settings.control is None:
        return
    manager: Any = module.ProjectManager
    recorder = _Recorder(settings.control)
    for name, after in (
        ("verify_simulation_metadata", recorder.verified),
        ("write_simulation_metadata", recorder.written),
        ("create_or_open_project", recorder.opened),
    ):
        if hasattr(manager, name):
            setattr(manager, name, _followed_by(getattr(manager, name), after))


def _followed_by(original: Any, after: Any) -> Any:
    @functools.wraps(original)
    def method(self: Any, *args: Any, **options: Any) -> Any:
        result = original(self, *args, **options)
        try:
            after(self, result, *args, **options)
        except Exception as error:  # noqa: BLE001  # a simulation is worth more than the note about it
            note(f"no hash: {error!r}")
        return result

    return method


class _Recorder:
    def __init__(self, control: Path) -> None:
        self._control = control
        self._is_cached: dict[Path, bool] = {}

    def verified(self, manager: Any, status: Any, meta_path: str, surgical_config: Any, *_: Any, **__: Any) -> None:
        """GOLIAT looked whether the folder is of this configuration, and what of it is done."""
        self._record(manager, Path(meta_path).parent, _hash(manager, surgical_config), is_cached=_is_done(status))

    def written(
        self,
        manager: Any,
        _: Any,
        meta_path: str,
        surgical_config: Any,
        update_setup_timestamp: bool = False,
        **__: Any,
    ) -> None:
        """GOLIAT wrote the metadata: with a new time after a setup, with the old one for a folder it goes on with."""
        folder = Path(meta_path).parent.absolute()
        is_cached = self._is_cached.get(folder, False) and not update_setup_timestamp
        self._record(manager, folder, _hash(manager, surgical_config), is_cached=is_cached)

    def opened(self, manager: Any, status: Any, *_: Any, **__: Any) -> None:
        """GOLIAT chose the folder. Where it took it as it is, unverified, the hash that lies there is the one."""
        folder = Path(manager.project_path).parent.absolute()
        metadata = folder / "config.json"
        took_it_as_it_is = isinstance(status, dict) and bool(status.get("setup_done"))
        if folder in self._is_cached or not took_it_as_it_is or not metadata.exists():
            return
        stored = json.loads(metadata.read_text(encoding="utf-8")).get("config_hash")
        self._record(manager, folder, stored, is_cached=_is_done(status))

    def _record(self, manager: Any, folder: Path, config_hash: Any, *, is_cached: bool) -> None:
        folder = folder.absolute()
        self._is_cached[folder] = is_cached
        line = {
            "path": str(folder),
            "relative_path": _relative(manager, folder),
            "config_hash": config_hash,
            "cached": is_cached,
            "time": time.time(),
        }
        files.append_json_line(self._control, FILE, line)


def _is_done(status: Any) -> bool:
    return isinstance(status, dict) and bool(status.get("run_done")) and bool(status.get("extract_done"))


def _hash(manager: Any, surgical_config: Any) -> str:
    own = getattr(manager, "_generate_config_hash", None)
    if own is not None:
        return str(own(surgical_config))
    return hashlib.sha256(json.dumps(surgical_config, sort_keys=True).encode()).hexdigest()


def _relative(manager: Any, folder: Path) -> str:
    base = getattr(manager.config, "base_dir", None)
    try:
        return folder.relative_to(Path(base).absolute() / "results").as_posix() if base else ""
    except ValueError:  # results elsewhere: as GOLIAT's own upload does it
        return folder.as_posix().partition("results/")[2]

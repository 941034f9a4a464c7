"""Small files by which the hook tells the agent something: complete at once, or appended line by line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .notes import note


def put(folder: Path, name: str, text: str) -> None:
    """Writes a file that appears complete or not at all. Never raises."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f"{name}.{os.getpid()}.tmp"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(folder / name)
    except OSError as error:
        note(f"could not write {name}: {error!r}")


def append_json_line(folder: Path, name: str, record: dict[str, Any]) -> None:
    """Appends one line in one write, so that lines of several processes never mix. Never raises."""
    line = (json.dumps(record) + "\n").encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(str(folder / name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        note(f"could not append to {name}: {error!r}")

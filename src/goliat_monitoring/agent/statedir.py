"""The agent's folder: one agent at a time in it, and small files that are replaced whole or not at all."""

import contextlib
import os
import sys
from pathlib import Path
from typing import IO, Any

import msgspec


class StateDirInUse(Exception):
    """Another agent holds this state dir."""


class Lock:
    """An exclusive lock on a folder, held until `release` or the death of the process."""

    def __init__(self, folder: Path) -> None:
        """Create `folder` if needed and lock it. Raises StateDirInUse when another process holds it."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "agent.lock"
        self._file: IO[bytes] = path.open("a+b")
        try:
            _lock(self._file)
        except OSError as error:
            self._file.close()
            raise StateDirInUse(f"another agent runs with the state dir {folder}") from error

    def release(self) -> None:
        """Give the folder to the next agent."""
        self._file.close()


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - does not exist on Windows

        # Not handed to GOLIAT: Python opens files close-on-exec, so the lock dies with the agent.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_atomic(path: Path, body: bytes, *, private: bool = False) -> None:
    """Replace `path` whole, on disk when this returns. `private`: readable by this user only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    # Without the last flag Windows would turn each line feed into two bytes.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in `folder` durable. A no-op where folders cannot be synced (Windows)."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def write_json(path: Path, value: object, *, private: bool = False) -> None:
    """Replace `path` with `value` as JSON."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(value)), private=private)


def read_json(path: Path) -> Any:
    """The JSON in `path`, or None where there is none or it is broken."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None

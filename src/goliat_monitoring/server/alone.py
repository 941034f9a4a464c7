"""Only one server may own a data folder, and an address: two of them would each answer a part of the calls."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from goliat_monitoring.wire.errors import Refused


@contextlib.contextmanager
def owning(data_dir: Path) -> Iterator[None]:
    """Hold `data_dir` until the end of the block or the death of the process. Raises `Refused` 400 if another does.

    And where it cannot be made or written.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = (data_dir / "server.lock").open("a+b")
    except OSError as problem:
        raise Refused(
            400, "the data folder cannot be used", f"{problem}; choose another one with --data-dir"
        ) from problem
    with file:
        try:
            _lock(file)
        except OSError:
            raise Refused(
                400,
                "another server uses this data folder",
                f"stop the one that runs with {data_dir}, or choose another folder with --data-dir",
            ) from None
        yield


def address_of(host: str) -> str:
    """The IP address that `host` stands for on this machine; the web server takes no names. Raises `Refused` 400."""
    name = host.strip("[]")
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or problem
        raise Refused(400, f"{host} is no address", f"{why}; choose another with --host") from None
    # localhost is both ::1 and 127.0.0.1: programs that know only one of them know the older.
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def free_port(host: str, port: int) -> int:
    """`port` if nobody listens there, or any free one for 0. `host`: an IP address. Raises `Refused` 400.

    The web server itself shares its port with whoever wants to listen there too.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what a former server left in TIME_WAIT
        try:
            probe.bind((host, port))
        except OSError as problem:
            raise Refused(
                400, f"cannot listen on {host}:{port}", f"{problem.strerror}; choose another with --host or --port"
            ) from None
        return int(probe.getsockname()[1])


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 - does not exist on Windows

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

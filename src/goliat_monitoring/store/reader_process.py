"""Reads that take long, each by a process of its own.

On a thread of the server they would hold Python's lock, and every answer would wait for it in the meantime.
"""

import asyncio
import subprocess
import sys
from contextlib import suppress
from functools import partial
from typing import Any

from goliat_monitoring.store import frames


class NothingSeen(Exception):
    """The process could not be started, or ended without an answer; what it had to say is in the server's output."""


async def look(url: str, unit: "partial[Any]") -> frames.Seen:
    """What `unit`, a partial of a module's function, sees on a connection that cannot write.

    Raises `NothingSeen`. Its process ends with the caller's wish to know.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "goliat_monitoring.store.reader_child"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    except OSError as problem:
        raise NothingSeen(str(problem)) from problem
    try:
        answer, _ = await process.communicate(frames.pack(frames.Hello(url, sys.path)) + frames.pack(unit))
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    seen = next(frames.Inbox().feed(answer), None)
    if seen is None:
        raise NothingSeen(f"it ended with {process.returncode}")
    told: frames.Seen = seen
    return told

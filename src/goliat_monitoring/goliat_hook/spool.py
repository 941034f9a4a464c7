"""Requests that the relay did not take, kept on disk for the agent to pick up when it is back.

One file per request, `<unix time in ns, 20 digits>-<pid>-<counter>.req`: a first line of JSON
(`method`, `path` below the relay's base, `headers`, `time` in unix seconds, `id`), then the body's bytes as they
were. A file appears under that name only when it is complete.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from pathlib import Path

# Only what GOLIAT reports and never repeats. A claim or a new super study must fail where it fails: a made-up 200 would
# start work that nobody was given.
SPOOLED = re.compile(r"/api/(heartbeat|gui-update|gui-screenshots|assignments/[^/]+/results)/?")
# Of these only the newest says anything, and screenshots alone would fill 140 MB an hour.
ONLY_NEWEST = ("/api/heartbeat", "/api/gui-screenshots")


class Spool:
    """The folder of one process's requests.

    Args:
        folder: made on the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counter = itertools.count()
        self._newest: dict[str, Path] = {}

    @staticmethod
    def takes(method: str | None, path: str) -> bool:
        """Whether a request of this method and path (below the base, without a query) is one to keep."""
        return method == "POST" and SPOOLED.fullmatch(path) is not None

    def keep(self, method: str, path: str, content_type: str | None, body: bytes, request_id: str) -> Path:
        """Writes one request and returns its file.

        Raises:
            OSError: the folder cannot be written; GOLIAT is to see the original error then.
        """
        now_ns = time.time_ns()
        head = {
            "method": method,
            "path": path,
            "headers": {"content-type": content_type} if content_type else {},
            "time": now_ns / 1e9,
            "id": request_id,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{now_ns:020d}-{os.getpid()}-{next(self._counter)}"
        target = self._folder / f"{name}.req"
        unfinished = self._folder / f"{name}.tmp"
        with unfinished.open("wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
        if path in ONLY_NEWEST:
            self._forget(self._newest.get(path))
            self._newest[path] = target
        return target

    @staticmethod
    def _forget(file: Path | None) -> None:
        try:
            if file is not None:
                file.unlink()
        except OSError:  # taken by the agent already, or open there
            pass

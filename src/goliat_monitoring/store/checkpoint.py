"""SQLite's write-ahead log is brought into the database beside the writer, not by it.

By default every thousandth page makes the committing connection do it, and whoever waits for that commit waits for some
ten milliseconds of disk. Here a thread of its own does it, on a connection of its own, while commits go on. What they
add meanwhile is little, and that little the writer brings in between two commits: with nothing left in it the log is
written from its beginning again, over itself, instead of growing, which costs each commit a third more.
"""

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path

# Bytes of the log from which it is worth while; and pages of 4 KiB at which the writer does it itself after all.
WORTH = 8 * 2**20
AT_LAST_PAGES = 32_768
# The log's file keeps its size, so this says how often it is done at most.
COMMITS = 128


class Checkpointer:
    """One for a SQLite database, between `start` and `close`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._wal = Path(f"{path}-wal")
        self._commits = 0
        self._due = threading.Event()
        self._nearly = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpointer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self) -> None:
        """Called after each commit, where the next one waits: is the log long, or nearly brought in?"""
        self._commits += 1
        if self._nearly.is_set():
            self._nearly.clear()
            self._commits = 0
            self._bring_in(1)
        elif self._commits >= COMMITS and not self._due.is_set():
            with suppress(OSError):
                if self._wal.stat().st_size > WORTH:
                    self._due.set()

    def close(self) -> None:
        """End after what is under way."""
        self._closed.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._due.wait()
            # Twice: the second time brings in what was written during the first, and takes a tenth of its time.
            self._bring_in(2)
            self._nearly.set()
            self._due.clear()

    def _bring_in(self, times: int) -> None:
        # A full disk, a lock or a damaged file is for the writer to find out, and to tell.
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=1.0)) as connection:
            connection.execute("PRAGMA synchronous=FULL").close()
            for _ in range(times):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()

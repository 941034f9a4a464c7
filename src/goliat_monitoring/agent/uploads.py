"""Result files on their way to the server: remembered on disk, hashed, and offered until they are acknowledged."""

import hashlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from goliat_monitoring.agent.api import Server, Unreachable
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.lease import Lease
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)
CHUNK = 256 * 1024
# A file that is refused, or cannot be read, this often is given up.
MAX_REFUSALS = 5
SCHEMA = """
CREATE TABLE IF NOT EXISTS uploads (
    id INTEGER PRIMARY KEY, path TEXT, name TEXT, source TEXT, received INTEGER, cached INTEGER,
    size INTEGER, mtime_ns INTEGER, sha256 TEXT, state TEXT, refusals INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS by_name ON uploads (path, name);
"""


class Shorter(Exception):
    """A file holds fewer bytes than were announced."""


class Upload(NamedTuple):
    """`received`: a copy of ours, to be deleted once it is stored; else GOLIAT's own file, which stays."""

    id: int
    path: str
    name: str
    source: str
    received: bool
    cached: bool
    size: int
    mtime_ns: int
    sha256: str
    state: str
    refusals: int


class Uploads:
    """The list of one run. States: `waiting`, then `stored`, `refused` or `gone`."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=30.0)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(SCHEMA)

    def add(self, path: str, name: str, source: Path, *, received: bool = False, cached: bool = False) -> bool:
        """Offer `source` as the file `name` in `path`; False if those bytes are known already.

        Raises OSError when the file cannot be read, sqlite3.Error when the list cannot be written.
        """
        digest, size, mtime_ns = hash_file(source)
        with self._lock:
            last = self._last(path, name)
            if last and last.sha256 == digest and last.state in ("waiting", "stored"):
                if not received:
                    # Remember how the file looks, so that it need not be read again to see that it is the same.
                    self._connection.execute("UPDATE uploads SET mtime_ns = ? WHERE id = ?", (mtime_ns, last.id))
                return False
            self._connection.execute(
                "INSERT INTO uploads (path, name, source, received, cached, size, mtime_ns, sha256, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting')",
                (path, name, str(source), received, cached, size, mtime_ns, digest),
            )
            self._changed.notify_all()
        return True

    def known(self, path: str, name: str, size: int, mtime_ns: int) -> bool:
        """Whether the newest offer of this file looks like that."""
        with self._lock:
            last = self._last(path, name)
        return last is not None and (last.size, last.mtime_ns) == (size, mtime_ns)

    def next_waiting(self, timeout: float) -> Upload | None:
        """The oldest that waits; None after `timeout` seconds without one."""
        with self._changed:
            found = self._one("WHERE state = 'waiting' ORDER BY id LIMIT 1")
            if found is None:
                self._changed.wait(timeout)
                found = self._one("WHERE state = 'waiting' ORDER BY id LIMIT 1")
            return found

    def settle(self, upload: Upload, state: str) -> None:
        """`stored`, `refused` or `gone`. A received copy has done its duty once it is stored."""
        with self._changed:
            self._connection.execute("UPDATE uploads SET state = ? WHERE id = ?", (state, upload.id))
            self._changed.notify_all()
        if upload.received and state == "stored":
            Path(upload.source).unlink(missing_ok=True)

    def rehash(self, upload: Upload, *, refused: bool) -> None:
        """Look at the file anew: it changed, or the server saw other bytes. Raises OSError if it is gone."""
        digest, size, mtime_ns = hash_file(Path(upload.source))
        with self._lock:
            self._connection.execute(
                "UPDATE uploads SET sha256 = ?, size = ?, mtime_ns = ?, refusals = refusals + ? WHERE id = ?",
                (digest, size, mtime_ns, refused, upload.id),
            )

    def count_failure(self, upload: Upload) -> None:
        """It could not be read this time."""
        with self._lock:
            self._connection.execute("UPDATE uploads SET refusals = refusals + 1 WHERE id = ?", (upload.id,))

    def offer_again(self) -> None:
        """The server lost what it had acknowledged: offer all files that still are what they were.

        The folder may have been another run's since: what lies there now is not this run's.
        """
        with self._lock:
            rows = self._connection.execute("SELECT id, source, sha256 FROM uploads WHERE state = 'stored'").fetchall()
        for number, source, digest in rows:
            try:
                same = hash_file(Path(source))[0] == digest
            except OSError:
                continue
            if same:
                with self._changed:
                    self._connection.execute("UPDATE uploads SET state = 'waiting' WHERE id = ?", (number,))
                    self._changed.notify_all()

    @property
    def waiting(self) -> int:
        """How many are not settled."""
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM uploads WHERE state = 'waiting'").fetchone()[0])

    def manifest(self) -> list[tuple[str, str, str]]:
        """(path, name, sha256) of every file that the server has, the newest of each name."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT path, name, sha256 FROM uploads WHERE id IN"
                " (SELECT max(id) FROM uploads WHERE state = 'stored' GROUP BY path, name) ORDER BY id"
            )
            return [(str(path), str(name), str(digest)) for path, name, digest in rows]

    def close(self) -> None:
        """Close the list."""
        with self._lock:
            self._connection.close()

    def _last(self, path: str, name: str) -> Upload | None:
        return self._one("WHERE path = ? AND name = ? ORDER BY id DESC LIMIT 1", (path, name))

    def _one(self, condition: str, values: tuple[str, ...] = ()) -> Upload | None:
        columns = ", ".join(Upload._fields)
        row = self._connection.execute(f"SELECT {columns} FROM uploads {condition}", values).fetchone()  # noqa: S608
        return None if row is None else Upload(*row)


class Uploader:
    """Sends what waits, one file after the other; `run` is the body of a thread."""

    def __init__(
        self,
        uploads: Uploads,
        server: Server,
        lease: Lease,
        *,
        run_id: str,
        fence: str,
        note: Callable[[str, str], None],
        retry: Backoff,
    ) -> None:
        """`note(text, level)` writes into the run's log."""
        self._uploads = uploads
        self._server = server
        self._lease = lease
        self._run_id = run_id
        self._fence = fence
        self._note = note
        self._retry = retry
        self._again = False
        self.unknown = False
        """The server does not know the run; tried again all the same."""

    def verify(self) -> None:
        """Offer everything again: the server may have been restored."""
        self._again = True

    @property
    def idle(self) -> bool:
        """Nothing waits, and nobody doubts what is stored."""
        return not self._again and self._uploads.waiting == 0

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        while not stop.is_set():
            try:
                if self._again:
                    self._uploads.offer_again()
                    self._again = False
                upload = self._uploads.next_waiting(0.5)
                if upload is not None and self._lease.wait_renewed(1.0):
                    self._offer(upload, stop)
            except sqlite3.Error as error:
                log.warning("the list of files cannot be written: %s", error)
                stop.wait(self._retry.step())

    def _offer(self, upload: Upload, stop: threading.Event) -> None:
        source = Path(upload.source)
        try:
            if source.stat().st_size < upload.size:
                self._uploads.rehash(upload, refused=False)
                return
            stored = self._server.artifact(
                self._run_id,
                self._fence,
                path=upload.path,
                name=upload.name,
                sha256=upload.sha256,
                cached=bool(upload.cached),
                body=_pieces(source, upload.size),
                size=upload.size,
            )
        except Shorter:
            # GOLIAT writes it anew at this moment.
            stop.wait(self._retry.step())
        except OSError as error:
            self._unreadable(upload, error, stop)
        except Unreachable as error:
            stop.wait(error.retry_after or self._retry.step())
        except Refused as refused:
            self._refused(upload, refused, stop)
        else:
            self._retry.reset()
            self.unknown = False
            if stored.sha256 != upload.sha256:
                self._uploads.rehash(upload, refused=True)
                return
            self._uploads.settle(upload, "stored")

    def _unreadable(self, upload: Upload, error: OSError, stop: threading.Event) -> None:
        """Windows locks files while they are written, and some are replaced by deleting them first."""
        if upload.refusals < MAX_REFUSALS:
            self._uploads.count_failure(upload)
            stop.wait(self._retry.step())
            return
        self._note(f"{upload.path}/{upload.name} could not be uploaded: {error.strerror or error}", "error")
        self._uploads.settle(upload, "gone")

    def _refused(self, upload: Upload, refused: Refused, stop: threading.Event) -> None:
        if refused.status in (401, 403, 404):
            # Of a restored server, perhaps: the file is kept and offered again.
            self.unknown = refused.status == 404
            stop.wait(self._retry.step())
            return
        if upload.refusals < MAX_REFUSALS and refused.status in (400, 409, 422):
            try:
                self._uploads.rehash(upload, refused=True)
            except OSError as error:
                self._unreadable(upload, error, stop)
            stop.wait(self._retry.step())
            return
        why = f"{refused.error} {refused.details}".strip()
        self._note(f"The server refuses {upload.path}/{upload.name}: {why}", "error")
        self._uploads.settle(upload, "refused")


def hash_file(file: Path) -> tuple[str, int, int]:
    """(sha256, size, modification time in ns) of what is in `file` now. Raises OSError."""
    digest = hashlib.sha256()
    size = 0
    with file.open("rb") as stream:
        mtime_ns = os.fstat(stream.fileno()).st_mtime_ns
        while piece := stream.read(CHUNK):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size, mtime_ns


def _pieces(file: Path, size: int) -> Iterator[bytes]:
    """The first `size` bytes: a log may have grown since it was hashed."""
    left = size
    with file.open("rb") as stream:
        while left and (piece := stream.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece
    if left:
        # Said here: not every version of the HTTP library turns the broken promise into an error of its own.
        raise Shorter(file)

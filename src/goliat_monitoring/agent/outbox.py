"""Everything a run has to tell, on disk before its sender is answered, until the server has acknowledged it.

Received items wait in `pending` until the sequencer has put them in order; then they get consecutive numbers in
`items`, in one transaction. An offset on the wire is such a number less the base of the present stream. One thread
writes; what waits for it is committed together.
"""

import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.drafts import Draft, encode
from goliat_monitoring.agent.sequencer import Entry, Sequencer
from goliat_monitoring.wire.agent import GapItem
from goliat_monitoring.wire.ids import new_id

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
    number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER, sequence INTEGER, position INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS items (seq INTEGER PRIMARY KEY, at INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, at INTEGER) WITHOUT ROWID;
"""
GROUP = 500
TICK_S = 0.1
SEEN_FOR = 3600 * 1_000_000
GAP_REASON = "The machine's disk was full; these lines were given up so that the others could be kept."


class OutboxFull(Exception):
    """Not even the reserve was enough: what was handed in is not kept."""


class Position(NamedTuple):
    """`acked` and `next` are numbers; the wire's offset is a number less `base`."""

    stream: str
    base: int
    acked: int
    next: int


class _Job(NamedTuple):
    act: Callable[[sqlite3.Connection], None]
    done: threading.Event
    failure: list[BaseException]


class Outbox:
    """One file, one writer thread. `relieve` is called when the disk is full and frees what can be freed."""

    def __init__(
        self,
        path: Path,
        *,
        reorder_s: float,
        held: bool = False,
        relieve: Callable[[], bool] = lambda: False,
        folding: Callable[[], bool] = lambda: False,
    ) -> None:
        """`held`: give no numbers before `let_go`, since older messages may still lie in the hook's spool. `folding`:
        whether foldable lines are given up at present. Raises sqlite3.Error if the file is unusable.
        """
        self.path = path
        self._relieve = relieve
        self._folding = folding
        self._sequencer = Sequencer(reorder_s)
        self._waiting: dict[int, bytes] = {}
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._closed = False
        self._held = held
        self._gap: tuple[int, int, int] | None = None
        connection = _open(path)
        connection.executescript(SCHEMA)
        self._position = self._load(connection)
        self._reader = _open(path)
        self._reader_lock = threading.Lock()
        self._thread = threading.Thread(target=self._write, args=(connection,), name="outbox", daemon=True)
        self._thread.start()

    @property
    def position(self) -> Position:
        """Where the stream is, as last committed."""
        return self._position

    @property
    def backlog(self) -> int:
        """Number of items that the server does not have yet."""
        return self._position.next - self._position.acked + len(self._sequencer)

    def put(self, drafts: Sequence[Draft], request_id: str = "") -> None:
        """Keep items; they are on disk when this returns. A `request_id` that was seen before changes nothing.

        Raises OutboxFull when the disk takes no more.
        """

        def act(connection: sqlite3.Connection) -> None:
            if request_id:
                fresh = connection.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (request_id, now_micros()))
                if not fresh.rowcount:
                    return
            folding = self._folding()
            for draft in drafts:
                if folding and draft.foldable:
                    self._fold(connection, draft)
                else:
                    row = (draft.time, draft.sequence, draft.position, draft.body)
                    cursor = connection.execute(
                        "INSERT INTO pending (time, sequence, position, body) VALUES (?, ?, ?, ?)", row
                    )
                    self._arrivals.append((Entry(*row[:3], int(cursor.lastrowid or 0)), draft.body))

        self._run(act)

    def let_go(self) -> None:
        """Begin to give numbers. What was put before this is sorted together, however long it took to take in."""
        self._held = False

    def flush(self) -> None:
        """Put in order whatever still waits for its neighbours: nothing more will come."""
        self._run(lambda connection: self._release(connection, everything=True))

    def read(self, after: int, max_items: int, max_bytes: int) -> list[bytes]:
        """Encoded items from number `after` on, at least one if there is any."""
        with self._reader_lock:
            rows = self._reader.execute(
                "SELECT body FROM items WHERE seq >= ? ORDER BY seq LIMIT ?", (after, max_items)
            )
            bodies: list[bytes] = []
            size = 0
            for (body,) in rows:
                size += len(body)
                if bodies and size > max_bytes:
                    break
                bodies.append(body)
            rows.close()
        return bodies

    def acknowledge(self, number: int) -> None:
        """The server has everything before `number`; a smaller one than before means that it lost some."""

        def act(connection: sqlite3.Connection) -> None:
            position = self._draft_position
            self._set_position(connection, position._replace(acked=min(max(number, position.base), position.next)))

        self._run(act)

    def first_kept(self) -> int:
        """The lowest number that can still be sent."""
        with self._reader_lock:
            (first,) = self._reader.execute("SELECT min(seq) FROM items").fetchone()
        return self._position.next if first is None else int(first)

    def replace(self, number: int, body: bytes) -> None:
        """Put something else in the place of an item that the server refuses."""
        self._run(lambda connection: connection.execute("UPDATE items SET body = ? WHERE seq = ?", (body, number)))

    def restart_stream(self, number: int) -> None:
        """Go on under a new stream id from `number`: the server lacks what is no longer kept here."""

        def act(connection: sqlite3.Connection) -> None:
            position = self._draft_position
            self._set_position(connection, Position(new_id(), number, number, position.next))

        self._run(act)

    def prune(self, before: int, max_bytes: int) -> None:
        """Forget acknowledged items older than `before` (UTC microseconds), or all if the file exceeds `max_bytes`."""

        def act(connection: sqlite3.Connection) -> None:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0] * (pages - free)
            acked = self._draft_position.acked
            if size > max_bytes:
                connection.execute("DELETE FROM items WHERE seq < ?", (acked,))
            else:
                connection.execute("DELETE FROM items WHERE seq < ? AND at < ?", (acked, before))
            connection.execute("DELETE FROM seen WHERE at < ?", (now_micros() - SEEN_FOR,))

        self._run(act)

    def wait(self, after: int, timeout: float) -> bool:
        """Until there are items from number `after` on, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._position.next > after or self._closed, timeout)

    def close(self) -> None:
        """Commit what waits, and close the file."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._thread.join()
        with self._changed:
            self._changed.notify_all()
        with self._reader_lock:
            self._reader.close()

    def _run(self, act: Callable[[sqlite3.Connection], object]) -> None:
        def discard(connection: sqlite3.Connection) -> None:
            act(connection)

        job = _Job(discard, threading.Event(), [])
        if self._closed:
            raise OutboxFull("the outbox is closed")
        self._queue.put(job)
        # The writer may have ended between the look and the put.
        while not job.done.wait(1.0):
            if not self._thread.is_alive():
                raise OutboxFull("the outbox is closed")
        if job.failure:
            raise OutboxFull(str(job.failure[0])) from job.failure[0]

    def _write(self, connection: sqlite3.Connection) -> None:
        ended = False
        while not ended:
            jobs: list[_Job] = []
            with contextlib.suppress(queue.Empty):
                job = self._queue.get(timeout=TICK_S)
                while True:
                    if job is None:
                        ended = True
                        break
                    jobs.append(job)
                    if len(jobs) >= GROUP:
                        break
                    job = self._queue.get_nowait()
            failure = self._commit(connection, jobs)
            if failure and self._relieve_for(failure):
                failure = self._commit(connection, jobs)
            for job in jobs:
                if failure:
                    job.failure.append(failure)
                job.done.set()
        connection.close()

    def _commit(self, connection: sqlite3.Connection, jobs: list[_Job]) -> BaseException | None:
        """All of `jobs` and what is due, in one transaction; the reason if it could not be."""
        self._arrivals: list[tuple[Entry, bytes]] = []
        self._released: list[Entry] = []
        self._draft_position = self._position
        self._draft_gap = self._gap
        try:
            due = [] if self._held else self._sequencer.due(time.monotonic())
            self._released.extend(due)
            if not jobs and not due and not self._gap:
                return None
            connection.execute("BEGIN IMMEDIATE")
            self._number(connection, due)
            for job in jobs:
                job.act(connection)
            self._close_gap(connection)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            # Nothing happened: what was taken out waits again, and is overdue.
            for entry in self._released:
                if entry.number in self._waiting:
                    self._sequencer.add(entry, float("-inf"))
            return error
        self._take_over()
        return None

    def _take_over(self) -> None:
        """The transaction holds: make memory say the same."""
        gone = {entry.number for entry in self._released}
        now = time.monotonic()
        for entry, body in self._arrivals:
            if entry.number not in gone:
                self._sequencer.add(entry, now)
                self._waiting[entry.number] = body
        for number in gone:
            self._waiting.pop(number, None)
        self._gap = self._draft_gap
        if self._position != self._draft_position:
            with self._changed:
                self._position = self._draft_position
                self._changed.notify_all()

    def _release(self, connection: sqlite3.Connection, *, everything: bool) -> None:
        if everything:
            held = self._sequencer.drain()
            self._released.extend(held)
            bodies = dict(self._arrivals_by_number())
            gone = {entry.number for entry in self._released}
            fresh = [entry for entry, _ in self._arrivals if entry.number not in gone]
            self._released.extend(fresh)
            self._number(connection, sorted([*held, *fresh]), bodies)

    def _arrivals_by_number(self) -> list[tuple[int, bytes]]:
        return [(entry.number, body) for entry, body in self._arrivals]

    def _number(
        self, connection: sqlite3.Connection, entries: Sequence[Entry], fresh: dict[int, bytes] | None = None
    ) -> None:
        if not entries:
            return
        position = self._draft_position
        at = now_micros()
        rows = []
        for seq, entry in enumerate(entries, position.next):
            body = self._waiting.get(entry.number) or (fresh or {})[entry.number]
            rows.append((seq, at, body))
        connection.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
        connection.executemany("DELETE FROM pending WHERE number = ?", [(entry.number,) for entry in entries])
        self._set_position(connection, position._replace(next=position.next + len(rows)))

    def _fold(self, connection: sqlite3.Connection, draft: Draft) -> None:
        count, first, last = self._draft_gap or (0, draft.time, draft.time)
        self._draft_gap = (count + 1, min(first, draft.time), max(last, draft.time))
        connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('gap', ?)", (" ".join(str(value) for value in self._draft_gap),)
        )

    def _close_gap(self, connection: sqlite3.Connection) -> None:
        """Once lines are kept again, say how many were not."""
        if not self._draft_gap or self._folding():
            return
        count, first, last = self._draft_gap
        body = encode(GapItem(count, first, last, GAP_REASON))
        cursor = connection.execute(
            "INSERT INTO pending (time, sequence, position, body) VALUES (?, 0, 0, ?)", (last, body)
        )
        self._arrivals.append((Entry(last, 0, 0, int(cursor.lastrowid or 0)), body))
        connection.execute("DELETE FROM meta WHERE name = 'gap'")
        self._draft_gap = None

    def _relieve_for(self, failure: BaseException) -> bool:
        text = str(failure).lower()
        return ("full" in text or "disk i/o" in text) and self._relieve()

    def _set_position(self, connection: sqlite3.Connection, position: Position) -> None:
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", position._asdict().items())
        self._draft_position = position

    def _load(self, connection: sqlite3.Connection) -> Position:
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        if "stream" not in meta:
            # A new file is a new stream: an old one that was lost can never be mistaken for it.
            position = Position(new_id(), 0, 0, 0)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", list(position._asdict().items()))
        else:
            position = Position(meta["stream"], int(meta["base"]), int(meta["acked"]), int(meta["next"]))
        if isinstance(meta.get("gap"), str):
            count, first, last = (int(word) for word in meta["gap"].split())
            self._gap = (count, first, last)
        for number, at, sequence, place, body in connection.execute(
            "SELECT number, time, sequence, position, body FROM pending ORDER BY number"
        ):
            # Their neighbours may be on their way still, through the spool.
            self._sequencer.add(Entry(at, sequence, place, number), time.monotonic())
            self._waiting[number] = body
        return position


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
    connection.execute("PRAGMA journal_mode = WAL")
    # Answered means kept, also when the power goes.
    connection.execute("PRAGMA synchronous = FULL")
    # A short write-ahead log: on a full disk it is the part that still grows.
    connection.execute("PRAGMA wal_autocheckpoint = 200")
    return connection

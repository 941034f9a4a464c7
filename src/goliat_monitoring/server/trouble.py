"""What is wrong with the server itself, as people are told: on every page, by /api/server and by /readyz."""

import msgspec

from goliat_monitoring.store.database import Database
from goliat_monitoring.wire.clock import SECOND

# What pages listen to; told when a trouble begins and when it ends.
TOPIC = "server"


class Trouble(msgspec.Struct, frozen=True):
    """`key`: writing, reading or disk_low. `since`: UTC microseconds. `what`: a sentence that ends before the time;
    `details`: what the database says; `advice`: what people can do.
    """

    key: str
    since: int
    what: str
    details: str
    advice: str


class Troubles:
    """What was noted of reading and of the disk; the writer knows for itself whether it can write."""

    def __init__(self) -> None:
        self.reading: Trouble | None = None
        self.disk: Trouble | None = None
        self._told: frozenset[str] = frozenset()

    def note_reading(self, now: int, problem: BaseException | None) -> None:
        """The database could not be read, or (None) could."""
        if problem is None:
            self.reading = None
        else:
            since = self.reading.since if self.reading is not None else now
            self.reading = Trouble(
                "reading", since, "The database does not answer", said(problem),
                "Look at the database and at its disk. The server goes on by itself once it answers.",
            )  # fmt: skip

    def note_disk(self, now: int, free: int, limit: int) -> None:
        """So many bytes are free where the data folder is; fewer than `limit` are too few."""
        if free >= limit:
            self.disk = None
        else:
            since = self.disk.since if self.disk is not None else now
            self.disk = Trouble(
                "disk_low", since, "The server's disk is nearly full",
                f"{free / 1e9:.1f} GB are free",
                "Free space on the server. Once it is full, nothing that machines send can be kept.",
            )  # fmt: skip

    def now(self, database: Database) -> list[Trouble]:
        """What is wrong at present, worst first."""
        writing = database.trouble
        found = [self.reading, None if writing is None else _writing(writing.since, writing.text), self.disk]
        return [trouble for trouble in found if trouble is not None]

    def changed(self, database: Database) -> bool:
        """Whether a trouble began or ended since the last call."""
        keys = frozenset(trouble.key for trouble in self.now(database))
        known, self._told = self._told, keys
        return known != keys


def said(problem: BaseException) -> str:
    """What the database says, without the statement and what it was given."""
    return str(getattr(problem, "orig", None) or type(problem).__name__).strip().partition("\n")[0]


def _writing(since: float, text: str) -> Trouble:
    return Trouble(
        "writing", round(since * SECOND), "Nothing can be written to the database", text,
        "What agents send waits on their machines and comes later; what a GOLIAT without an agent sends is lost "
        "meanwhile. Look at the database and at its disk. The server goes on by itself once it can write.",
    )  # fmt: skip

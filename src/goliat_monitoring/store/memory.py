"""What the last rounds of messages left behind of the bare clients that spoke: their workers and runs, as stored.

The next round, milliseconds later, mostly hears the same machines, and reading their rows again costs as much as all
else that is done with a message before it is written. SQLite itself proves that nothing else wrote meanwhile: it counts
the rows that this connection changed (`total_changes`) and says whether another one committed (`data_version`); and a
rollback empties the memory. On PostgreSQL several servers may write, so that there is none: rows are read and locked.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Engine, event

KEY = "heard"
# Machines that are remembered.
MOST = 1_000


class Known(NamedTuple):
    """A machine's only worker, as `store.ingest.bare.Sender`, and its newest run, as `store.ingest.round.RunRow`."""

    sender: Any
    run: Any


class Memory:
    """Of one connection. What it holds is true until the next statement that is not its owner's."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._mark: tuple[int, int] | None = None
        self._machines: dict[str, Known] = {}
        self._machine_of: dict[str, str] = {}

    @classmethod
    def of(cls, connection: Connection) -> Self | None:
        """The memory as far as it is true; None where there can be none. In a transaction."""
        if connection.dialect.name != "sqlite":
            return None
        memory: Self | None = connection.info.get(KEY)
        if memory is None:
            memory = connection.info[KEY] = cls(connection.connection.driver_connection)
        elif memory._mark != memory._now():
            memory.clear()
        return memory

    def get(self, machine_id: str) -> Known | None:
        """What is known of a machine."""
        return self._machines.get(machine_id)

    def keep(self, machines: Mapping[str, Known], written: Iterable[str]) -> None:
        """A round was written: remember these machines, and all others but those of whom a run in `written` is."""
        for run_id in written:
            machine_id = self._machine_of.get(run_id)
            if machine_id is not None:
                self.forget(machine_id)
        for machine_id, known in machines.items():
            self._machines[machine_id] = known
            self._machine_of[known.run.id] = machine_id
        while len(self._machines) > MOST:
            self.forget(next(iter(self._machines)))
        self._mark = self._now()

    def clear(self) -> None:
        """Nothing is known."""
        self._machines.clear()
        self._machine_of.clear()

    def forget(self, machine_id: str) -> None:
        """What is known of this machine is true no more."""
        gone = self._machines.pop(machine_id, None)
        if gone is not None:
            self._machine_of.pop(gone.run.id, None)

    def update(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Of runs, whose ids come first in `rows`, these columns were written, and nothing else was."""
        for run_id, *values in rows:
            machine_id = self._machine_of.get(run_id)
            if machine_id is not None:
                run = self._machines[machine_id].run
                for name, value in zip(columns, values, strict=True):
                    setattr(run, name, value)
        self._mark = self._now()

    def _now(self) -> tuple[int, int]:
        (version,) = self._raw.execute("PRAGMA data_version").fetchone()
        return self._raw.total_changes, version


def forget_at_rollback(engine: Engine) -> None:
    """What was changed in memory for a transaction that is rolled back is forgotten."""

    @event.listens_for(engine, "rollback")
    def _rollback(connection: Connection) -> None:
        _forget(connection)

    @event.listens_for(engine, "rollback_savepoint")
    def _savepoint(connection: Connection, _name: str, _context: None) -> None:
        _forget(connection)


def _forget(connection: Connection) -> None:
    if not connection.invalidated:  # else it is gone, and all that was known of it
        connection.info.pop(KEY, None)

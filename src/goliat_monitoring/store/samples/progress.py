"""Samples of a run's progress: what one holds, and the last of them, which is taken when the run ends."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, Row

from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import upsert_rows
from goliat_monitoring.store.samples.age import AS_IT_CAME, COLUMNS

# What a run's columns give to a sample of its progress, and when each of them was said, by the sender's clock.
VALUES = ("percent", "stage", "stage_percent", "sim_index", "sim_total", "eta_seconds", "solver_percent",
          "mcells_per_s")  # fmt: skip
_CLOCKS = ("percent_sender_at", "stage_sender_at", "sim_sender_at", "eta_sender_at", "solver_sender_at")


def body_of(get: Callable[[str], Any]) -> str:
    """A sample as JSON. `get`: the value of a column of the run."""
    return msgspec.json.encode({name: get(name) for name in VALUES if get(name) is not None}).decode()


def keep(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """Write samples of any kind. May stand in a journey of `store.driver`."""
    upsert_rows(connection, tables.samples, COLUMNS, rows, {"body": "excluded.body"})


def keep_last(connection: Connection, run: Row[Any]) -> None:
    """Sample a run that ends once more, or what it said since its last sample would be in no plot. `run`: its row."""
    said = [at for at in (getattr(run, clock) for clock in _CLOCKS) if at is not None]
    if said:
        # Where all of it is in the last sample already, this one has the same time and values, and changes nothing.
        at, body = max(said), body_of(lambda name: getattr(run, name))
        keep(connection, [(run.id, "progress", AS_IT_CAME, at, run.last_sign_at or at, body)])

"""What ended runs of a super study took, by worker: kept up as they end, so that lists need not look at runs."""

from typing import Any

from sqlalchemy import Connection, Row

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import upsert_rows
from goliat_monitoring.wire.clock import SECOND

# Of these nobody knows when the machine stopped, only when it was last heard.
UNHEARD = (RunState.UNREACHABLE, RunState.LOST)


def worked_until(run: Row[Any], now: int) -> int:
    """Until when a run used its worker, UTC microseconds; `now` for one that still does."""
    if run.state in UNHEARD:
        return int(run.last_sign_at or run.claimed_at)
    return int(now if run.ended_at is None else run.ended_at)


def add(connection: Connection, study_id: str, run: Row[Any], state: RunState, ended_at: int) -> None:
    """A run of the study ends now, as `state`; `run` is its row before that."""
    until = (run.last_sign_at or run.claimed_at) if state in UNHEARD else ended_at
    upsert_rows(
        connection, tables.study_hours, ("super_study_id", "worker_id", "seconds"),
        [(study_id, run.worker_id, max(until - run.claimed_at, 0) / SECOND)],
        {"seconds": "study_hours.seconds + excluded.seconds"},
    )  # fmt: skip

"""Who may speak: an agent through the session it lives in, and for a run with its fence."""

import hmac
from typing import Any

from sqlalchemy import Connection, Row, select

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import runs, tables
from goliat_monitoring.store.grants import secret_hash
from goliat_monitoring.wire.errors import Refused

sessions = tables.sessions


def admit(connection: Connection, worker_id: str, run_id: str, fence: str | None) -> Row[tuple[Any, ...]]:
    """The run, if this worker may speak for it. Raises `Refused` 404 (no fence!) or 409 with `fenced`."""
    run = runs.get(connection, run_id)
    admit_run(run, worker_id, fence)
    return run


def admit_run(run: Any, worker_id: str, fence: str | None) -> None:
    """Let only the run's own worker speak for it; `run`: its row. Raises `Refused` 409 with `fenced`."""
    if (
        run.worker_id != worker_id
        or run.fence_hash is None
        or not hmac.compare_digest(run.fence_hash, secret_hash(fence or ""))
    ):
        raise _fenced(run)


def require_live(run: Any) -> None:
    """Tell an agent that its run, of which this is the row, is over. Raises `Refused` 409 with `fenced`."""
    if RunState(run.state).terminal:
        raise _fenced(run)


def require_session(connection: Connection, worker_id: str, session_id: str) -> None:
    """Refuse with 409 `sessionEnded` what comes from an agent whose place another life has taken."""
    row = connection.execute(select(sessions).where(sessions.c.id == session_id)).one_or_none()
    if row is None or row.worker_id != worker_id or row.ended_at is not None:
        raise session_over()


def session_over() -> Refused:
    """The refusal of what comes from a life of an agent that is over, or is another's."""
    return Refused(409, "this session has ended", "open a session again", {"sessionEnded": True})


def _fenced(run: Any) -> Refused:
    return Refused(
        409,
        "this run is no longer yours",
        f"it is {run.state}: {run.reason}" if run.reason else f"it is {run.state}",
        {"fenced": True},
    )

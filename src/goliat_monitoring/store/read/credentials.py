"""Tokens and the credentials of agents, without their secrets."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import worker_name

table, workers = tables.credentials, tables.workers
SHOWN = 200


class CredentialView(msgspec.Struct, frozen=True, kw_only=True):
    """A secret as people see it. Times in UTC microseconds.

    `kind`: api, enrolment or agent. `state`: valid, used, expired or revoked. `used_at`: an agent's is when its worker
    was last heard; None where it is not known. `worker_name`: of an agent's.
    """

    id: str
    kind: str
    role: str
    label: str
    state: str
    created_by: str
    created_at: int
    used_at: int | None
    expires_at: int | None
    worker_id: str | None
    worker_name: str


def list_tokens(connection: Connection, now: int) -> list[CredentialView]:
    """API and enrolment tokens, the newest 200; valid ones first, then newest first."""
    query = _QUERY.where(table.c.kind != "agent").order_by(table.c.created_at.desc(), table.c.id.desc()).limit(SHOWN)
    found = [_view(row._mapping, now) for row in connection.execute(query)]  # noqa: SLF001 - its documented name
    return sorted(found, key=lambda it: it.state != "valid")


def list_agents(connection: Connection, now: int) -> tuple[list[CredentialView], int]:
    """Valid credentials of agents, those heard last first, at most 200; and how many there are."""
    valid = (table.c.kind == "agent", table.c.revoked_at.is_(None))
    query = _QUERY.where(*valid).order_by(workers.c.last_seen.desc(), table.c.id.desc()).limit(SHOWN)
    found = [_view(row._mapping, now) for row in connection.execute(query)]  # noqa: SLF001
    return found, connection.execute(select(func.count()).select_from(table).where(*valid)).scalar() or 0


_QUERY = select(
    table.c.id, table.c.kind, table.c.role, table.c.label, table.c.created_by, table.c.created_at, table.c.used_at,
    table.c.expires_at, table.c.revoked_at, table.c.worker_id, workers.c.last_seen, workers.c.label.label("named"),
    workers.c.hostname, workers.c.machine_id,
).outerjoin(workers, workers.c.id == table.c.worker_id)  # fmt: skip


def _view(row: Mapping[Any, Any], now: int) -> CredentialView:
    agent = row["kind"] == "agent"
    if row["revoked_at"] is not None:
        # An enrolment token is spent by its use; both are noted then.
        state = "used" if row["kind"] == "enrolment" and row["used_at"] is not None else "revoked"
    else:
        state = "expired" if row["expires_at"] is not None and row["expires_at"] <= now else "valid"
    named = worker_name(row["named"] or "", row["hostname"] or "", row["machine_id"], row["worker_id"] or "")
    return CredentialView(
        **{name: row[name] for name in ("id", "kind", "role", "label", "created_by", "created_at", "expires_at")},
        state=state,
        used_at=row["last_seen"] if agent else row["used_at"],
        worker_id=row["worker_id"],
        worker_name=named if agent else "",
    )

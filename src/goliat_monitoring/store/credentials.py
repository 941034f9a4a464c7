"""Secrets that machines and scripts carry. Stored hashed; a secret is shown once, when it is made."""

import hmac

import msgspec
from sqlalchemy import Connection, insert, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.events import record
from goliat_monitoring.store.grants import secret_hash
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id, new_secret

table = tables.credentials


class Credential(msgspec.Struct, frozen=True):
    """Whom a secret speaks for. `kind`: `agent` (then `worker_id` says which) or `enrolment` (once, to enrol)."""

    id: str
    kind: str
    worker_id: str | None


def find(connection: Connection, now: int, secret: str) -> Credential | None:
    """The valid credential of `secret`; None for an unknown, revoked or expired one. `now`: UTC microseconds."""
    wanted = secret_hash(secret)
    row = connection.execute(select(table).where(table.c.secret_hash == wanted)).one_or_none()
    # The index compares bytewise and stops early; what it could leak is the hash of a random secret.
    if row is None or not hmac.compare_digest(row.secret_hash, wanted):
        return None
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return Credential(row.id, row.kind, row.worker_id)


def make_enrolment(connection: Connection, moment: Moment, lifetime: int, actor: str) -> tuple[str, int]:
    """A token with which one machine may enrol once. `lifetime` in microseconds. Returns (token, expiry)."""
    secret, expires_at = new_secret(), moment.now + lifetime
    credential_id = new_id()
    connection.execute(
        insert(table).values(
            id=credential_id,
            secret_hash=secret_hash(secret),
            kind="enrolment",
            created_at=moment.now,
            expires_at=expires_at,
        )
    )
    record(connection, moment.now, "enrolment_token_made", actor=actor, credentialId=credential_id)
    return secret, expires_at


def use_enrolment(connection: Connection, moment: Moment, credential_id: str) -> None:
    """Spend an enrolment token. Raises `Refused` 401 when another machine was faster."""
    spent = connection.execute(
        update(table)
        .where(table.c.id == credential_id, table.c.kind == "enrolment", table.c.revoked_at.is_(None))
        .values(revoked_at=moment.now)
    )
    if spent.rowcount != 1:
        raise Refused(401, "this enrolment token was used", "make another one; each enrols one machine")

"""Secrets that machines and scripts carry. Stored hashed; a secret is shown once, when it is made."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, insert, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import fetch, rows_of
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.grants import secret_hash
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id, new_secret

table = tables.credentials
# A viewer reads, an operator runs studies and workers, an admin also changes tokens and settings.
ROLES = ("viewer", "operator", "admin")
LONGEST_LABEL = 80
_FIND = """
    SELECT c.secret_hash, c.revoked_at, c.expires_at, c.id, c.kind, c.worker_id, c.role, c.label, c.used_at
    FROM {rows} JOIN credentials AS c ON c.secret_hash = v.c0
"""


class Credential(msgspec.Struct, frozen=True):
    """Whom a secret speaks for. `kind`: `api`, `agent` (then `worker_id` says which) or `enrolment` (once, to enrol).
    `role`: of an API token. `used_at`: when it was last seen in use, UTC microseconds, to a few minutes.
    """

    id: str
    kind: str
    worker_id: str | None
    role: str = ""
    label: str = ""
    used_at: int | None = None


def find(connection: Connection, now: int, hashes: Sequence[str]) -> dict[str, Credential]:
    """The valid credentials with these hashes of secrets, by hash; an unknown, revoked or expired one is missing.
    `now`: UTC microseconds.
    """
    # The index compares bytewise and stops early; what it could leak is the hash of a random secret.
    source = rows_of(connection, table, ("secret_hash",))
    rows = fetch(connection, _FIND, source, [(one,) for one in hashes])
    return {
        found: Credential(*rest)
        for found, revoked_at, expires_at, *rest in rows
        if revoked_at is None and (expires_at is None or expires_at > now)
    }


def make_api(
    connection: Connection, moment: Moment, label: str, role: str, lifetime: int | None, actor: str
) -> tuple[str, str]:
    """A token for a person's or a script's calls. `lifetime` in microseconds, None for ever. Returns (id, token).

    Raises `Refused` 400 for a role that there is not, or a label that says nothing.
    """
    label = " ".join(label.split())
    if role not in ROLES:
        raise Refused(400, "unknown role", f"{role!r:.40}: use one of {', '.join(ROLES)}")
    if not label or len(label) > LONGEST_LABEL:
        raise Refused(400, "the token needs a name", f"1 to {LONGEST_LABEL} letters that say who or what uses it")
    secret, credential_id = new_secret(), new_id()
    connection.execute(
        insert(table).values(
            id=credential_id,
            secret_hash=secret_hash(secret),
            kind="api",
            role=role,
            label=label,
            created_by=actor,
            created_at=moment.now,
            expires_at=None if lifetime is None else moment.now + lifetime,
        )
    )
    record(connection, moment.now, "token_made", actor=actor, credentialId=credential_id, label=label, role=role)
    touch(connection, "settings")
    return credential_id, secret


def revoke(connection: Connection, moment: Moment, credential_id: str, actor: str) -> None:
    """Make a secret worthless. Raises `Refused` 404, or 409 for one that is spent or revoked."""
    row = connection.execute(select(table).where(table.c.id == credential_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such token", credential_id)
    if row.revoked_at is not None:
        raise Refused(409, "this token is not valid any more", "it was used up or revoked")
    connection.execute(update(table).where(table.c.id == credential_id).values(revoked_at=moment.now))
    record(
        connection, moment.now, "token_revoked", actor=actor, worker_id=row.worker_id, credentialId=credential_id,
        credentialKind=row.kind, label=row.label,
    )  # fmt: skip
    touch(connection, "settings")


def note_use(connection: Connection, credential_id: str, now: int) -> None:
    """Keep that a token was used at `now`, UTC microseconds."""
    connection.execute(update(table).where(table.c.id == credential_id).values(used_at=now))
    touch(connection, "settings")


def make_enrolment(connection: Connection, moment: Moment, lifetime: int, actor: str) -> tuple[str, int]:
    """A token with which one machine may enrol once. `lifetime` in microseconds. Returns (token, expiry)."""
    secret, expires_at = new_secret(), moment.now + lifetime
    credential_id = new_id()
    connection.execute(
        insert(table).values(
            id=credential_id,
            secret_hash=secret_hash(secret),
            kind="enrolment",
            created_by=actor,
            created_at=moment.now,
            expires_at=expires_at,
        )
    )
    record(connection, moment.now, "enrolment_token_made", actor=actor, credentialId=credential_id)
    touch(connection, "settings")
    return secret, expires_at


def use_enrolment(connection: Connection, moment: Moment, credential_id: str) -> None:
    """Spend an enrolment token. Raises `Refused` 401 when another machine was faster."""
    spent = connection.execute(
        update(table)
        .where(table.c.id == credential_id, table.c.kind == "enrolment", table.c.revoked_at.is_(None))
        .values(revoked_at=moment.now, used_at=moment.now)
    )
    touch(connection, "settings")
    if spent.rowcount != 1:
        raise Refused(401, "this enrolment token was used", "make another one; each enrols one machine")

"""Identifiers: UUIDv7 text, so that ids sort by the time they were made."""

import secrets

from uuid_utils import uuid7


def new_id() -> str:
    """A fresh id, sortable by creation time."""
    return str(uuid7())


def new_secret() -> str:
    """A credential of 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)

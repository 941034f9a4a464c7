"""What the config library holds."""

from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.store import tables
from goliat_monitoring.study.extends import parent_file_name, places
from goliat_monitoring.wire.errors import Refused

table = tables.library_configs
_HEAD = (
    table.c.name, table.c.version, table.c.size, table.c.sha256, table.c.extends, table.c.stored_by,
    table.c.created_at, table.c.updated_at,
)  # fmt: skip


class LibraryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A config of the library. Times in UTC microseconds; `size` in bytes; `extends`: its parent, as it names it.

    `body`: the file as it came; None where only its head was read.
    """

    name: str
    version: int
    size: int
    sha256: str
    extends: str
    stored_by: str
    created_at: int
    updated_at: int
    body: str | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A file that a study's config was resolved from. `origin`: `library` or `upload`; `version`: in the library.

    `sha256`: of the library's file, or of the uploaded JSON as this server writes it.
    """

    file: str
    origin: str
    version: int | None
    sha256: str


def heads(connection: Connection, name: str | None = None) -> list[LibraryConfig]:
    """All configs by name, or the one so called, without their text."""
    query = select(*_HEAD).order_by(table.c.name)
    if name is not None:
        query = query.where(table.c.name == name)
    return [LibraryConfig(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - its documented name


def get_config(connection: Connection, name: str) -> LibraryConfig:
    """One config with its text, by its name or as `extends` would write it. Raises `Refused` 404."""
    found = _find(connection, parent_file_name(name))
    if found is None:
        raise Refused(404, "no such config in the library", name)
    return found


def finder(connection: Connection, used: Callable[[LibraryConfig], None]) -> Callable[[str], dict[str, Any] | None]:
    """A lookup for `study.extends.resolve`; `used` is told of every config that is taken."""

    def find(name: str) -> dict[str, Any] | None:
        found = next((it for place in places(name) if (it := _find(connection, place)) is not None), None)
        if found is None:
            return None
        used(found)
        content: dict[str, Any] = msgspec.json.decode(found.body or "{}")
        return content

    return find


def _find(connection: Connection, name: str) -> LibraryConfig | None:
    row = connection.execute(select(*_HEAD, table.c.body).where(table.c.name == name)).one_or_none()
    return None if row is None else LibraryConfig(**row._mapping)  # noqa: SLF001

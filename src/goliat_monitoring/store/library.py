"""The config library: files that study configs extend, by the name under which GOLIAT looks them up.

A config is replaced as a whole and gets another version number. Studies hold what they were resolved to, so a change
here touches none of them.
"""

import hashlib

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.library import LibraryConfig, get_config, heads
from goliat_monitoring.study.config_names import ConfigNameProblem, check_config_name
from goliat_monitoring.wire.errors import Refused

table = tables.library_configs
# Real configs have 20 to 100 kB.
MAX_BYTES = 1_000_000
MAX_CONFIGS = 1000


def put(connection: Connection, moment: Moment, name: str, body: bytes, actor: str) -> LibraryConfig:
    """Store or replace a config; the same bytes again change nothing.

    Raises `Refused`: 400 for a name or a file that cannot be used, 413 for a large file, 409 for a name that another
    config has in other letters, or when the library is full.
    """
    name, text = config_name(name), config_text(name, body)
    extends = msgspec.json.decode(body).get("extends")
    sha256 = hashlib.sha256(body).hexdigest()
    old = connection.execute(
        select(table.c.name, table.c.version, table.c.sha256).where(table.c.name_key == name.casefold())
    ).one_or_none()
    if old is not None and old.name != name:
        raise Refused(409, f"a config named {old.name!r} exists", "use its spelling: Windows does not tell case apart")
    if old is not None and old.sha256 == sha256:
        return heads(connection, name)[0]
    values = {
        "version": 1 if old is None else old.version + 1,
        "body": text,
        "size": len(body),
        "sha256": sha256,
        "extends": extends if isinstance(extends, str) else "",
        "stored_by": actor,
        "updated_at": moment.now,
    }
    if old is None:
        if (connection.execute(select(func.count()).select_from(table)).scalar() or 0) >= MAX_CONFIGS:
            raise Refused(409, "the config library is full", f"it holds {MAX_CONFIGS} configs; remove some first")
        connection.execute(
            insert(table).values(name=name, name_key=name.casefold(), created_at=moment.now, **values)
        )  # fmt: skip
    else:
        connection.execute(update(table).where(table.c.name == name).values(**values))
    record(
        connection, moment.now, "config_stored", actor=actor, name=name, version=values["version"], sha256=sha256,
        replaced=None if old is None else old.sha256,
    )  # fmt: skip
    touch(connection, "settings")
    return heads(connection, name)[0]


def remove(connection: Connection, moment: Moment, name: str, actor: str) -> LibraryConfig:
    """Take a config out of the library; studies made with it stay as they are. Raises `Refused` 404."""
    known = get_config(connection, name)
    connection.execute(delete(table).where(table.c.name == known.name))
    record(
        connection, moment.now, "config_removed", actor=actor, name=known.name, version=known.version,
        sha256=known.sha256,
    )  # fmt: skip
    touch(connection, "settings")
    return known


def config_name(name: str) -> str:
    """The name as it is stored. Raises `Refused` 400."""
    try:
        return check_config_name(name)
    except ConfigNameProblem as problem:
        raise Refused(400, "the config's name cannot be used", str(problem)) from None


def config_text(name: str, body: bytes) -> str:
    """The text of a file that is a JSON object of bounded size. Raises `Refused` 400 or 413."""
    if len(body) > MAX_BYTES:
        raise Refused(413, f"{name} is too large", f"a config has at most {MAX_BYTES:,} bytes, this one {len(body):,}")
    try:
        content = msgspec.json.decode(body)
        text = body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise Refused(400, f"{name} is no JSON", str(problem)) from None
    except RecursionError:
        raise Refused(400, f"{name} is no JSON", "it is nested too deeply") from None
    if not isinstance(content, dict):
        raise Refused(400, f"{name} is no config", "a config is a JSON object: { ... }")
    return text

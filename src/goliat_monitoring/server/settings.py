"""Every option of the server, from arguments and from the environment. One value each, checked once at start."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from goliat_monitoring.fleet.timing import LEASE, OFFER_AFTER_LEASE
from goliat_monitoring.store.database import sqlite_url
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused

PREFIX = "GOLIAT_MONITORING_"
# A token that protects rented machines is not guessed by trying.
SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """What the server was told. Spans in seconds, or as the name says: `_h` hours, `_d` days. `_mb`: 1,000,000 bytes.

    `admin_token`: needed on every call once the server listens beyond this machine; optional on loopback.
    `cors_origins`: origins whose pages may read the API; none by default.
    `trusted_hosts`: names, beside those of loopback, under which the server may be called; `*` is any.
    `reorder_window_s`: how long a line of a bare client waits for its neighbours before it gets its number.
    `judge_delay_s`: how long after `finished` a bare run is judged. `sweep_interval_s`: pause between two sweeps.
    `quiet_s`: nothing expires that long after a start or a jump of the clock. `end_stalled_s`: a run whose machine was
    seen to do nothing is ended when it has been stalled for so long; 0: a person decides.
    `lease_s`: how long an agent's run is its worker's after a heartbeat. `offer_after_s`: so long after that another
    worker may have it.
    `keep_...`: how long something old is kept as it is, 0 for ever; see docs/settings.md.
    `retention_interval_s`: pause between two passes over what is old; `watch_interval_s`: between two looks at the
    health of database and disk. `wal_limit_mb`: size of SQLite's write-ahead log at which it is emptied.
    `writer_process`: the database's writer is a process of its own; else a thread of the server.
    `disk_low_mb`: free space of the data folder's disk below which people are warned.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = field(default_factory=lambda: Path("goliat-monitoring-data"))
    database_url: str = ""
    storage_url: str = ""
    admin_token: str = field(default="", repr=False)
    cors_origins: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    reorder_window_s: float = 15.0
    judge_delay_s: float = 30.0
    sweep_interval_s: float = 1.0
    quiet_s: float = 300.0
    end_stalled_s: float = 0.0
    lease_s: float = LEASE / SECOND
    offer_after_s: float = OFFER_AFTER_LEASE / SECOND
    keep_raw_samples_h: float = 24.0
    keep_minute_samples_d: float = 30.0
    keep_samples_d: float = 365.0
    keep_logs_d: float = 30.0
    keep_screenshots_d: float = 2.0
    keep_messages_d: float = 90.0
    keep_events_d: float = 365.0
    retention_interval_s: float = 300.0
    watch_interval_s: float = 5.0
    wal_limit_mb: float = 64.0
    disk_low_mb: float = 2000.0
    writer_process: bool = True
    log_level: str = "info"

    def __post_init__(self) -> None:
        data_dir = Path(self.data_dir).expanduser().absolute()
        object.__setattr__(self, "data_dir", data_dir)
        object.__setattr__(self, "database_url", self.database_url or sqlite_url(data_dir))
        object.__setattr__(self, "storage_url", self.storage_url or (data_dir / "files").as_uri())
        if not 0 <= self.port <= 65535:
            raise Refused(400, "bad option", f"port {self.port}: a number from 0 to 65535 is needed (0: any free port)")
        for name in ("reorder_window_s", "judge_delay_s", "quiet_s", "end_stalled_s", "offer_after_s"):
            if not 0 <= getattr(self, name) < 1e6:
                raise Refused(400, "bad option", f"{name} {getattr(self, name)}: seconds, not negative, are needed")
        for name in ("lease_s", "sweep_interval_s", "retention_interval_s", "watch_interval_s"):
            if not 0 < getattr(self, name) < 1e6:
                raise Refused(400, "bad option", f"{name} {getattr(self, name)}: seconds above 0 are needed")
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name.endswith(("_h", "_d", "_mb")) and not 0 <= value < 1e9:
                raise Refused(400, "bad option", f"{option.name} {value}: a number, not negative, is needed")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise Refused(400, "bad option", f"log_level {self.log_level!r}: one of debug, info, warning, error")
        if self.admin_token and len(self.admin_token) < SHORTEST_TOKEN:
            raise Refused(400, "admin token too short", f"at least {SHORTEST_TOKEN} characters. {HOW_TO_MAKE_ONE}")
        if not self.admin_token.isascii() or any(character.isspace() for character in self.admin_token):
            raise Refused(400, "bad admin token", f"ASCII without spaces fits into a header. {HOW_TO_MAKE_ONE}")
        if not self.open_to_this_machine and not self.admin_token:
            raise Refused(
                400,
                "no admin token",
                f"{self.host} can be reached from other machines, so every call must carry a token. "
                f"Set {PREFIX}ADMIN_TOKEN, or listen on 127.0.0.1. {HOW_TO_MAKE_ONE}",
            )

    @property
    def open_to_this_machine(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **overrides: object) -> "Settings":
        """Settings from `GOLIAT_MONITORING_*` variables; an override that is not None wins.

        Raises `Refused` 400 with a text that names the variable and says what is wrong with it.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {}
        for option in fields(cls):
            text = environ.get(PREFIX + option.name.upper(), "").strip()
            if text:
                values[option.name] = _parsed(option.name, text)
        values.update({name: value for name, value in overrides.items() if value is not None})
        return cls(**values)  # type: ignore[arg-type]


HOW_TO_MAKE_ONE = 'One way to make it: python -c "import secrets; print(secrets.token_urlsafe(32))"'


def is_loopback(host: str) -> bool:
    """Whether `host` is an address of this machine alone. Names other than localhost are not trusted to be."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _parsed(name: str, text: str) -> object:
    try:
        if name == "port":
            return int(text)
        if name.endswith(("_s", "_h", "_d", "_mb")):
            return float(text)
    except ValueError:
        raise Refused(400, "bad option", f"{PREFIX}{name.upper()}={text!r} is no number") from None
    if name == "writer_process":
        if text.lower() not in ("true", "false"):
            raise Refused(400, "bad option", f"{PREFIX}{name.upper()}={text!r}: true or false is needed")
        return text.lower() == "true"
    if name in ("cors_origins", "trusted_hosts"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return Path(text) if name == "data_dir" else text

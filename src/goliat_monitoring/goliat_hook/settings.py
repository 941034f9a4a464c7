"""The environment variables by which the agent, or a person, steers the hook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

TOKEN_VARIABLE = "GOLIAT_MONITORING_RELAY_TOKEN"  # noqa: S105  # a variable's name, no secret


class Settings(NamedTuple):
    """What the hook was told.

    Attributes:
        relay: base URL without a trailing slash that gets all of GOLIAT's dashboard traffic; may have a path.
        token: bearer token for that base only, or None.
        machine_id: the id that GOLIAT reports as this machine's, or None to let it ask the internet.
        spool: folder for requests that the relay did not take, or None to let GOLIAT see the error.
        control: folder through which the window is watched and steered, or None.
        close_after_s: seconds after the study's end at which the window is closed, or None to leave it open.
    """

    relay: str
    token: str | None
    machine_id: str | None
    spool: Path | None
    control: Path | None
    close_after_s: float | None

    @property
    def base(self) -> SplitResult:
        """The relay's URL in parts."""
        return urlsplit(self.relay)

    @property
    def is_loopback(self) -> bool:
        """Whether the relay is on this machine, where a connection is made at once or not at all."""
        host = self.base.hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")


def from_environment() -> Settings | None:
    """The settings, or None where no relay is named and the hook has to stay inert."""
    relay = _text("GOLIAT_MONITORING_RELAY")
    if not relay:
        return None
    return Settings(
        relay=relay.rstrip("/"),
        token=_text(TOKEN_VARIABLE),
        machine_id=_text("GOLIAT_MACHINE_ID"),
        spool=_folder("GOLIAT_MONITORING_SPOOL"),
        control=_folder("GOLIAT_MONITORING_CONTROL"),
        close_after_s=_seconds("GOLIAT_MONITORING_CLOSE_AFTER_S"),
    )


def _text(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _folder(name: str) -> Path | None:
    text = _text(name)
    return Path(text) if text else None


def _seconds(name: str) -> float | None:
    try:
        return float(_text(name) or "")
    except ValueError:
        return None

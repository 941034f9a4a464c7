"""How long things are kept: what people stored at run time, else what the environment says."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Connection

from goliat_monitoring.server.settings import PREFIX, Settings
from goliat_monitoring.store.read.stored import stored_settings


class Span(NamedTuple):
    """A setting of `Settings`. `unit`: hours or days. `what`: is kept so long. `then`: what becomes of it."""

    name: str
    unit: str
    what: str
    then: str

    @property
    def variable(self) -> str:
        """The environment variable that says it."""
        return PREFIX + self.name.upper()


SPANS = (
    Span("keep_raw_samples_h", "hours", "Progress and vitals as they came", "one row a minute"),
    Span("keep_minute_samples_d", "days", "Progress and vitals by the minute", "one row each ten minutes"),
    Span("keep_samples_d", "days", "Progress and vitals at all", "deleted"),
    Span("keep_logs_d", "days", "Logs in the database, after the run", "moved to the file storage, read as before"),
    Span("keep_screenshots_d", "days", "Screenshots, one a minute of each tab", "deleted but for the newest"),
    Span("keep_messages_d", "days", "Messages of unknown kinds, after the run", "deleted"),
    Span("keep_events_d", "days", "The record of claims, states and actions", "deleted"),
)
NAMES = {span.name for span in SPANS}


def in_force(connection: Connection, settings: Settings) -> Settings:
    """The settings with what was stored over them."""
    return over(settings, stored_settings(connection))


def over(settings: Settings, stored: Mapping[str, Any]) -> Settings:
    """`settings` with the stored spans among `stored`. Raises `Refused` 400 for values that cannot be."""
    return replace(settings, **{name: value for name, value in stored.items() if name in NAMES})


def environment(settings: Settings) -> dict[str, float]:
    """By name, what counts where nothing is stored."""
    return {name: getattr(settings, name) for name in NAMES}

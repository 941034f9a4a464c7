"""The day it is where the server stands: what is counted for today begins with it."""

from datetime import datetime, tzinfo
from typing import NamedTuple

from goliat_monitoring.wire.clock import SECOND


class Day(NamedTuple):
    """`began`: its first moment, UTC microseconds. `clock`: what the clocks showed then, with the zone: `00:00 CET`."""

    began: int
    clock: str


def day_of(now: int, zone: tzinfo | None = None) -> Day:
    """The day of `now`, UTC microseconds, in `zone`; None is the zone of this machine."""
    midnight = datetime.fromtimestamp(now / SECOND, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    began = midnight.timestamp()
    # Where clocks leap over midnight, the day begins with what they leap to.
    first = datetime.fromtimestamp(began, zone).astimezone(zone)
    return Day(round(began * SECOND), f"{first:%H:%M %Z}")

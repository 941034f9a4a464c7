"""Time on the wire: UTC microseconds inside, ISO 8601 with `Z` outside, float seconds from GOLIAT."""

import math
from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = EPOCH.replace(tzinfo=None)
SECOND = 1_000_000
# 9999-12-31T23:59:59Z, the last second datetime can show. A hostile clock may claim more.
LATEST = 253_402_300_799 * SECOND


def iso(micros: int) -> str:
    """ISO 8601 text with millisecond digits and `Z` for UTC microseconds."""
    if not 0 <= micros <= LATEST:
        micros = min(max(micros, 0), LATEST)
    minute, rest = divmod(micros // 1000, 60_000)
    # Lists hold thousands of times, and nearly all of a few minutes. (An f-string would take twice as long.)
    return "%s%02d.%03dZ" % (_until_minute(minute), rest // 1000, rest % 1000)  # noqa: UP031


@lru_cache(1024)
def _until_minute(minute: int) -> str:
    return f"{(_NAIVE_EPOCH + timedelta(minutes=minute)).isoformat(timespec='minutes')}:"


def iso_or_none(micros: int | None) -> str | None:
    """`iso`, letting an absent time stay absent."""
    return None if micros is None else iso(micros)


def sender_micros(value: object) -> int | None:
    """UTC microseconds of a sender's unix seconds; None where it is no usable number.

    Some senders use milliseconds by mistake: values past the year 5138 as seconds are read as milliseconds.
    """
    if type(value) is float and 0 <= value < 1e11:  # nearly always
        return round(value * SECOND)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except ValueError:
        return None
    if not math.isfinite(seconds) or seconds < 0:
        return None
    if seconds > 1e11:
        seconds /= 1000
    return round(seconds * SECOND) if seconds <= LATEST / SECOND else None

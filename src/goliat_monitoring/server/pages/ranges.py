"""When something will be done, as a range: `Thu 18:00-23:00`. Rounded outwards to what is known of it."""

from datetime import UTC, datetime

from markupsafe import Markup

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.wire.clock import SECOND, iso

MINUTE, HOUR = 60 * SECOND, 3600 * SECOND
# Days ahead that are called by their name.
NAMED = 6
# From this width on, times are told in these steps.
_STEPS = ((6 * HOUR, HOUR), (HOUR, 15 * MINUTE), (10 * MINUTE, 5 * MINUTE), (0, MINUTE))


def rounded(begin: int, end: int) -> tuple[int, int]:
    """The range in full steps, its begin no later and its end no earlier. UTC microseconds."""
    step = next(step for width, step in _STEPS if end - begin >= width)
    return begin // step * step, -(-end // step) * step


def words(begin: int, end: int, now: int) -> str:
    """The range in UTC, for those without a script."""
    first, last, today = (datetime.fromtimestamp(it / SECOND, UTC) for it in (begin, end, now))
    far = (last - today).days >= NAMED
    day = "%-d %b" if far else "%a"
    if first.date() == last.date():
        return f"{first:{day} %H:%M}\N{EN DASH}{last:%H:%M} UTC"
    return f"{first:{day} %H:%M} \N{EN DASH} {last:{day} %H:%M} UTC"


def finish(spread: Spread | None, now: int) -> str | Markup:
    """When that is, `spread` in seconds from `now`; the page's script tells it in the viewer's zone."""
    if spread is None:
        return ""
    begin, end = rounded(now + round(spread.p10 * SECOND), now + round(spread.p90 * SECOND))
    return Markup('<span class="nowrap" data-from="{}" data-to="{}">{}</span>').format(
        iso(begin), iso(end), words(begin, end, now)
    )


def left(spread: Spread | None) -> str:
    """How long it takes: `3-5 h`."""
    if spread is None:
        return ""
    unit, name = (1.0, "s") if spread.p90 < 60 else (60.0, "min") if spread.p90 < 2 * 3600 else (3600.0, "h")
    if spread.p10 >= 48 * 3600:
        unit, name = 86400.0, "d"
    low, high = int(spread.p10 // unit), int(-(-spread.p90 // unit))
    return f"{low}\N{EN DASH}{high} {name}" if low != high else f"{high} {name}"

"""The day of the server, as its clock steps on: over midnight, and over both changes of summer time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from goliat_monitoring.server.pages.overview import work_numbers
from goliat_monitoring.server.pages.today import day_of
from goliat_monitoring.store.read.overview import Work
from goliat_monitoring.wire.clock import SECOND

HOUR = timedelta(hours=1)


class Zone(tzinfo):
    """An hour ahead of UTC, and in summer, which is from `begin` to `end` in UTC, two."""

    def __init__(self, begin: str, end: str) -> None:
        self._begin, self._end = datetime.fromisoformat(begin), datetime.fromisoformat(end)

    def fromutc(self, dt: datetime) -> datetime:
        at = dt.replace(tzinfo=None)
        ahead = 2 * HOUR if self._begin <= at < self._end else HOUR
        return (dt + ahead).replace(fold=int(self._end <= at < self._end + HOUR))

    def utcoffset(self, dt: datetime | None) -> timedelta:
        assert dt is not None
        wall = dt.replace(tzinfo=None, fold=0)
        # What the clocks leap over counts as before the leap, what they show twice as the first time.
        summer = self._begin + (HOUR if dt.fold else 2 * HOUR) <= wall < self._end + (HOUR if dt.fold else 2 * HOUR)
        return 2 * HOUR if summer else HOUR

    def dst(self, dt: datetime | None) -> timedelta:
        return self.utcoffset(dt) - HOUR

    def tzname(self, dt: datetime | None) -> str:
        return "CEST" if self.dst(dt) else "CET"


BERLIN = Zone("2027-03-28 01:00", "2027-10-31 01:00")
# Where clocks go from 23:59:59 to 01:00 and, in autumn, from 00:59:59 to 00:00.
LEAPS_OVER_MIDNIGHT = Zone("2027-03-27 23:00", "2027-10-30 23:00")


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("zone", "now", "began", "clock"),
    [
        (UTC, "2027-01-05 00:00:00", "2027-01-05 00:00:00", "00:00 UTC"),
        (UTC, "2027-01-05 23:59:59", "2027-01-05 00:00:00", "00:00 UTC"),
        (BERLIN, "2027-01-05 22:59:59", "2027-01-04 23:00:00", "00:00 CET"),
        (BERLIN, "2027-01-05 23:00:00", "2027-01-05 23:00:00", "00:00 CET"),
        # The day on which summer time begins has 23 hours, and began in winter time.
        (BERLIN, "2027-03-28 00:59:59", "2027-03-27 23:00:00", "00:00 CET"),
        (BERLIN, "2027-03-28 01:00:00", "2027-03-27 23:00:00", "00:00 CET"),
        (BERLIN, "2027-03-28 21:59:59", "2027-03-27 23:00:00", "00:00 CET"),
        (BERLIN, "2027-03-28 22:00:00", "2027-03-28 22:00:00", "00:00 CEST"),
        # The one on which it ends has 25.
        (BERLIN, "2027-10-30 22:00:00", "2027-10-30 22:00:00", "00:00 CEST"),
        (BERLIN, "2027-10-31 01:30:00", "2027-10-30 22:00:00", "00:00 CEST"),
        (BERLIN, "2027-10-31 22:59:59", "2027-10-30 22:00:00", "00:00 CEST"),
        (BERLIN, "2027-10-31 23:00:00", "2027-10-31 23:00:00", "00:00 CET"),
        # A day without midnight, and one with two.
        (LEAPS_OVER_MIDNIGHT, "2027-03-27 22:59:59", "2027-03-26 23:00:00", "00:00 CET"),
        (LEAPS_OVER_MIDNIGHT, "2027-03-27 23:00:00", "2027-03-27 23:00:00", "01:00 CEST"),
        (LEAPS_OVER_MIDNIGHT, "2027-10-30 22:30:00", "2027-10-30 22:00:00", "00:00 CEST"),
        (LEAPS_OVER_MIDNIGHT, "2027-10-30 23:30:00", "2027-10-30 22:00:00", "00:00 CEST"),
    ],
)
def test_a_day_begins_when_the_clocks_on_the_wall_say_so(zone: tzinfo, now: str, began: str, clock: str) -> None:
    assert day_of(utc(now), zone) == (utc(began), clock)


def test_at_every_step_of_a_year_today_is_the_date_on_the_wall() -> None:
    now, last = utc("2027-01-01 00:00:00"), 0
    lengths = []
    while now < utc("2028-01-01 00:00:00"):
        began = day_of(now, BERLIN).began
        assert began <= now
        here, first = (datetime.fromtimestamp(at / SECOND, BERLIN) for at in (now, began))
        assert (here.date(), first.hour, first.minute) == (first.date(), 0, 0)
        if began != last:
            lengths.append((began - last) // (3600 * SECOND))
            last = began
        now += 30 * 60 * SECOND
    assert sorted(lengths[1:]) == [23, *[24] * 363, 25]


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's zone, by its rule: no database of zones is needed."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_without_a_zone_it_is_that_of_this_machine() -> None:
    assert day_of(utc("2027-03-28 21:59:59")) == (utc("2027-03-27 23:00:00"), "00:00 CET")
    assert day_of(utc("2027-03-28 22:00:00")) == (utc("2027-03-28 22:00:00"), "00:00 CEST")


def test_the_number_of_today_says_since_when() -> None:
    (done,) = [it for it in work_numbers(Work(), 57, day_of(utc("2027-07-01 12:00:00"), BERLIN)) if it.key == "done"]
    assert (done.many, done.word, done.hint) == (57, "completed today", "since 00:00 CEST on the server")

"""Times as text."""

from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from goliat_monitoring.wire.clock import LATEST, SECOND, iso

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(0, LATEST))
@example(0)
@example(999)
@example(59_999_999)
@example(60 * SECOND)
@example(86_400 * SECOND - 1)
@example(LATEST)
def test_a_time_is_cut_to_milliseconds(micros: int) -> None:
    text = iso(micros)
    assert (len(text), text[-1]) == (24, "Z")
    assert datetime.fromisoformat(text) == EPOCH + timedelta(milliseconds=micros // 1000)


@given(st.integers())
def test_a_time_that_no_calendar_has_is_the_nearest_that_one_has(micros: int) -> None:
    assert iso(micros) == iso(min(max(micros, 0), LATEST))

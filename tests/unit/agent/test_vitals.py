"""What a machine tells of itself: rates from counters, and means of several samples."""

import psutil
import pytest

from goliat_monitoring.agent.vitals import Rates, counters, mean, page_faults


def test_a_first_reading_tells_no_rate() -> None:
    rates = Rates()
    assert rates.since_last({"disk_read": 500.0}, 1000.0) == {}
    assert rates.since_last({"disk_read": 530.0}, 1002.0) == {"disk_read": 15.0}
    assert rates.since_last({"disk_read": 530.0}, 1012.0) == {"disk_read": 0.0}


@pytest.mark.parametrize(
    ("before", "after", "seconds", "told"),
    [
        ({"a": 5.0}, {"a": 4.0}, 2.0, {}),  # a disk was taken away
        ({}, {"a": 4.0}, 2.0, {}),  # a disk is new
        ({"a": 4.0, "b": 1.0}, {"a": 6.0}, 2.0, {"a": 1.0}),
        ({"a": 4.0}, {"a": 6.0}, 0.0, {}),
    ],
)
def test_a_counter_that_is_new_or_began_anew_is_left_out(
    before: dict[str, float], after: dict[str, float], seconds: float, told: dict[str, float]
) -> None:
    rates = Rates()
    rates.since_last(before, 10.0)
    assert rates.since_last(after, 10.0 + seconds) == told


def test_page_faults_are_read_from_the_kernels_counts() -> None:
    text = "pgfault 99999\npgmajfault 1234\npgrefill 7\n"
    assert page_faults(text) == {"page_faults": 1234.0}
    assert page_faults("pgfault 1\npgmajfault x\n") == {}
    assert page_faults("") == {}


def test_this_machine_tells_what_it_has() -> None:
    told = counters()
    assert all(value >= 0 for value in told.values())
    assert ("disk_read" in told) == (psutil.disk_io_counters() is not None)


def test_the_mean_is_over_the_samples_that_have_a_value() -> None:
    samples = [
        {"cpu": 10.0, "disk_write": 1.0, "disk_free": 100.0},
        {"cpu": 20.0, "gpu_temp": 70.0, "disk_free": 90.0},
        {"cpu": 20.0, "disk_write": 2.0, "disk_free": 80.0},
    ]
    assert mean(samples) == {"cpu": 16.7, "gpu_temp": 70.0, "disk_write": 1.5, "disk_free": 80.0}
    assert mean([]) == {}

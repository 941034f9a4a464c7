"""Runs that live and get nowhere."""

from collections.abc import Sequence

import pytest

from goliat_monitoring.fleet.stalls import Life, Retries, Stall, Vitals, stall_of
from goliat_monitoring.fleet.timing import MINUTE, SECOND

NOW = 1_800_000_000 * SECOND


def ago(minutes: float) -> int:
    return NOW - round(minutes * MINUTE)


def watched(minutes: float, gpu: float | None, cores: float | None, every: float = 1.0) -> Sequence[Vitals]:
    return [Vitals(ago(i * every), gpu, cores) for i in range(round(minutes / every))]


LONG = ago(300)


@pytest.mark.parametrize(
    ("life", "flag", "sure", "says"),
    [
        # A run that does well.
        (Life(LONG, life_at=ago(1)), "", False, ""),
        (Life(ago(1)), "", False, ""),
        (Life(LONG, life_at=ago(30)), "", False, ""),
        # The solver fails again and again.
        (Life(LONG, ago(0), ago(10), Retries(40, ago(0.1))), "waiting_for_licence", False, "failed 40 times"),
        (Life(LONG, ago(0), ago(10), Retries(2, ago(0.1))), "", False, ""),
        (Life(LONG, ago(0), ago(0.2), Retries(40, ago(0.1))), "", False, ""),
        (Life(LONG, ago(0), ago(10), Retries(40, ago(11))), "", False, ""),
        (Life(LONG, ago(0), None, Retries(5, ago(60))), "", False, ""),
        (Life(ago(4), ago(0), None, Retries(40, ago(0.1))), "", False, ""),
        # A line names a licence.
        (Life(LONG, ago(6), ago(20), licence="No license for iSolve", licence_at=ago(6)), "waiting_for_licence",
         False, "No license"),
        (Life(LONG, ago(0), ago(1), licence="No license for iSolve", licence_at=ago(6)), "", False, ""),
        # Silent.
        (Life(LONG, ago(31)), "stalled", False, "not known"),
        (Life(LONG, ago(31), ago(20)), "", False, ""),
        (Life(LONG, ago(40), vitals=watched(40, 0, 0.1)), "stalled", True, "for 40 min"),
        (Life(LONG, ago(40), vitals=watched(10, 0, 0.1)), "stalled", False, "no use of the GPU"),
        (Life(LONG, ago(40), vitals=watched(40, 0, None)), "stalled", False, "no use of the GPU"),
        # Any doubt speaks for the run.
        (Life(LONG, ago(40), vitals=[*watched(40, 0, 0.1), Vitals(ago(5), 97.0, 0.1)]), "", False, ""),
        (Life(LONG, ago(40), vitals=watched(40, 9, 0.1)), "", False, ""),
        (Life(LONG, ago(40), vitals=watched(40, 0, 1.0)), "", False, ""),
        # A window that is moved now and then does not.
        (Life(LONG, ago(40), vitals=[*watched(40, 2, 0.1), Vitals(ago(5), 38.0, 0.1), Vitals(ago(9), 12.0, 0.1)]),
         "stalled", True, ""),
        (Life(LONG, ago(40), vitals=[*watched(40, 0, 0.1), Vitals(ago(5), 0.0, 8.0)]), "stalled", True, ""),
        # What the GPU did before the silence proves nothing.
        (Life(LONG, ago(40), vitals=[*watched(40, 0, 0.1), Vitals(ago(41), 99.0, 8.0)]), "stalled", True, ""),
    ],
)  # fmt: skip
def test_stalls(life: Life, flag: str, sure: bool, says: str) -> None:
    found = stall_of(life, NOW)
    assert (found.flag, found.sure) == (flag, sure)
    assert says in found.reason
    assert bool(found.reason) == bool(flag)


def test_a_run_that_is_heard_again_is_not_stalled_any_more() -> None:
    life = Life(LONG, ago(60))
    assert stall_of(life, NOW).flag == "stalled"
    assert stall_of(Life(LONG, NOW), NOW) == Stall()

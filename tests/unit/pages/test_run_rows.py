"""What the pages of a run make of times, phases and cases; no browser."""

import pytest

from goliat_monitoring.server.pages.evidence import Case, most_telling
from goliat_monitoring.server.pages.numbers import span_range
from goliat_monitoring.server.pages.run_parts import phase_rows
from goliat_monitoring.store.read.phase_times import PhaseTime


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (10_800, 18_000, "3-5 h"),
        (10_900, 17_000, "3-5 h"),
        (4000, 4100, "66-69 min"),
        (130, 150, "2-3 min"),
        (30, 90, "up to 2 min"),
        (7200, 7200, "2 h"),
        (5, 40, "under 1 min"),
        (100_000, 200_000, "1-3 d"),
        (-5, 9000, "up to 3 h"),
    ],
)
def test_a_range_is_told_in_one_unit_and_holds_both_ends(low: float, high: float, text: str) -> None:
    assert span_range(low, high).replace("\N{EN DASH}", "-") == text


def time(phase: str, subtask: str, *seconds: float) -> PhaseTime:
    total = sum(seconds)
    return PhaseTime(
        phase=phase, subtask=subtask, count=len(seconds), total=total, mean=total / len(seconds), smallest=min(seconds),
        largest=max(seconds), p10=0, p25=0, p50=0, p75=0, p90=0,
    )  # fmt: skip


def test_a_phase_is_a_share_of_all_and_a_subtask_of_its_phase() -> None:
    rows = phase_rows(
        [
            time("setup", "", 100.0),
            time("setup", "setup_load_phantom", 25.0),
            time("run", "", 200.0, 100.0),
            time("run", "run_isolve_execution", 150.0, 90.0),
            time("extract", "extract_sar_statistics", 30.0),
            time("extract", "extract_input_power", 10.0),
        ]
    )
    assert [(row.name, row.share) for row in rows] == [
        ("Setup", 25),
        ("Load phantom", 25),
        ("Run", 75),
        ("iSolve execution", 80),
        # The first extraction is not over: its subtasks are shares of what they took together.
        ("SAR statistics", 75),
        ("Input power", 25),
    ]


def test_of_many_cases_the_troubled_ones_stay() -> None:
    states = ["failed", *["done"] * 199, "running", *["pending"] * 231]
    cases = [Case(i + 1, f"case {i + 1}", state, "", None) for i, state in enumerate(states)]
    kept = most_telling(cases, 50)
    assert [case.ordinal for case in kept] == [1, *range(153, 202)]
    assert most_telling(cases[:50], 50) == cases[:50]

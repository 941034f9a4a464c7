"""Progress lines of the solver, in every dress."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.store.log.solver import SolverProgress, solver_milestone, solver_progress
from goliat_monitoring.wire.lines import lines_of_message

TRACES = Path(__file__).parents[3] / "data" / "traces"
LINE = "[PROGRESS]: {}% [1000/50000] Time Update, estimated remaining time {} @ {} MCells/s"


@pytest.mark.parametrize(
    ("remaining", "seconds"),
    [
        ("9 seconds", 9),
        ("1 second", 1),
        ("1 minutes 3 seconds", 63),
        ("2 hours 5 minutes 1 seconds", 7501),
        ("2 hours, 5 minutes and 1 seconds", 7501),
        ("1 days 2 hours", 93600),
        ("0:00:09", 9),
        ("1 day, 2:03:04", 93784),
        ("1.5 h", 5400),
        ("unknown", None),
        ("3 fortnights", None),
        ("2 months", None),
    ],
)
def test_remaining_time(remaining: str, seconds: float | None) -> None:
    expected = SolverProgress(34, 1234.5, seconds)
    bare = LINE.format(34, remaining, "1234.5")
    dressed = f"\x1b[37m{bare}\x1b[0m \x1b[30m\x1b[2m[ISolveProcessManager._read]\x1b[0m"
    assert solver_progress(bare) == solver_progress(dressed) == solver_progress("\r" + bare) == expected
    assert solver_milestone(bare) is None
    milestone = f"      - FDTD: 34% ({remaining} remaining @ 1234.5 MCells/s)"
    assert solver_milestone(milestone) == expected
    assert solver_progress(milestone) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "throughput 12 MCells/s",
        "[PROGRESS]: Creating extractors",
        "[PROGRESS]: x% [1/2] Time Update, estimated remaining time 1 seconds @ 2 MCells/s",
        "[PROGRESS]: 5% [1/2] Time Update, estimated remaining time 1 seconds @ fast MCells/s",
        "[PROGRESS]: 5% [" + "1" * 2000 + "] remaining time 1 seconds @ 2 MCells/s",
    ],
)
def test_other_lines_are_none(text: str) -> None:
    assert solver_progress(text) is None
    assert solver_milestone(text) is None


@given(st.floats(0, 100), st.integers(0, 10**6), st.floats(0, 10**6))
def test_any_values(percent: float, remaining: int, speed: float) -> None:
    found = solver_progress(LINE.format(f"{percent:.3f}", f"{remaining} seconds", f"{speed:.2f}"))
    assert found is not None
    assert found == SolverProgress(float(f"{percent:.3f}"), float(f"{speed:.2f}"), remaining)


@given(st.text(alphabet="[PROGRESS]: 0123456789%@ MCells/s,.\x1b\r\n", max_size=1200))
def test_never_raises(text: str) -> None:
    solver_progress(text + "MCells/s")
    solver_milestone("- FDTD: " + text + "MCells/s)")


def test_the_recorded_client() -> None:
    found = {"progress": 0, "milestone": 0}
    for row in (TRACES / "study_success.jsonl").read_text().splitlines():
        message = json.loads(row).get("json", {}).get("message")
        for line in lines_of_message(message if isinstance(message, dict) else {}, 1):
            found["progress"] += solver_progress(line.text) is not None
            found["milestone"] += solver_milestone(line.text) is not None
            assert ("MCells/s" in line.text) == bool(solver_progress(line.text) or solver_milestone(line.text))
    assert found["progress"] > 50
    assert found["milestone"] >= 3

"""What GOLIAT's own lines say about the time its phases took."""

import json
from pathlib import Path

import pytest

from goliat_monitoring.store.log.phases import Took, took
from goliat_monitoring.wire.lines import plain

TRACES = Path(__file__).parents[3] / "data" / "traces"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("      - Subtask 'setup_load_phantom' done in 0.30s", Took("setup", "setup_load_phantom", 0.3)),
        ("    - Subtask 'run_simulation_total' done in 1203.56s", Took("run", "run_simulation_total", 1203.56)),
        ("--- Finished: extract (took 1.46s) ---", Took("extract", "", 1.46)),
        ("      - Done in 0.30s", None),
        ("--- Finished: extract (took long) ---", None),
        ("- Subtask '<script>' done in 1.00s", None),
        ("- Subtask 'x' done in 1.00s" + " " * 400, None),
        ("- Subtask 'x' done in 99999999999999s", None),
    ],
)
def test_a_line_tells_what_took_how_long_or_nothing(text: str, found: Took | None) -> None:
    assert took(text) == found


def test_a_recorded_study_tells_every_phase_of_its_four_simulations() -> None:
    heard: list[Took] = []
    for line in (TRACES / "study_success.jsonl").read_text().splitlines():
        body = json.loads(line).get("json")
        message = body.get("message") if isinstance(body, dict) else None
        if isinstance(message, dict) and message.get("type") == "terminal_only":
            found = took(plain(message["message"]).strip())
            heard += [found] if found else []
    assert [it.seconds for it in heard if it.phase == "run" and not it.subtask] == [8.57, 8.43, 8.29, 8.35]
    assert sum(it.subtask == "setup_voxelize" for it in heard) == 4
    assert {it.phase for it in heard} == {"setup", "run", "extract"}

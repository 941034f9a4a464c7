"""A real server and a real agent judge what the simulator calls a success."""

import sys
from pathlib import Path
from typing import Any

import pytest

from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.demo.fleet import Fleet
from tests.demo.conftest import wait_for

CONFIG = {
    "study_type": "far_field",
    "phantoms": ["duke"],
    "frequencies_mhz": [700],
    "far_field_setup": {"environmental": {"incident_directions": ["x_pos", "z_neg"], "polarizations": ["theta"]}},
}


@pytest.mark.parametrize(
    ("mishap", "state", "reason", "exit_code", "assignment"),
    [
        ("NONE", "succeeded", "every simulation has its result", 0, "COMPLETED"),
        ("FAIL", "finished_with_errors", "ERROR during simulation: simulated failure", 0, "FAILED"),
        ("MEMORY", "memory_error", "bad allocation", 42, "PENDING"),
        ("FATAL", "failed", "FATAL ERROR in study: simulated fatal error", 0, "FAILED"),
    ],
)
def test_no_mishap_passes_for_a_success(
    server: str, fleet: Fleet, tmp_path: Path, mishap: str, state: str, reason: str, exit_code: int, assignment: str
) -> None:
    with Client(server) as api:
        body = {"name": "trial", "baseConfig": CONFIG, "assignments": [{"splitConfig": CONFIG, "status": "PENDING"}]}
        study = api.post("/api/super-studies", body)
        fleet.start(
            "agent",
            *("agent", "--once", "--server", server, "--state-dir", str(tmp_path / "state")),
            *("--workdir", str(tmp_path), "--goliat-command", f'"{sys.executable}" -m goliat_monitoring.simulator'),
            **{"GOLIAT_SIMULATOR_SPEED": "20", f"GOLIAT_SIMULATOR_{mishap}": "z_neg"},
        )

        def ended() -> list[dict[str, Any]]:
            runs: list[dict[str, Any]] = api.get("/api/runs", assignmentId=study["assignments"][0]["id"])
            return [run for run in runs if not run["live"]]

        wait_for(lambda: bool(ended()), 90)
        (run,) = ended()
        assert (run["state"], run["exitCode"]) == (state, exit_code)
        assert reason in run["reason"]
        assert run["doneCases"] == (2 if mishap == "NONE" else 1)
        assert api.get(f"/api/super-studies/{study['id']}")["assignments"][0]["status"] == assignment

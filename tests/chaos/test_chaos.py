"""The short form of `make chaos`: 30 agents, 200 assignments, 40 seconds of kills. And that its verdict can be bad."""

import json
from pathlib import Path

import pytest

from tests.chaos.storm import SHORT, Storm
from tests.chaos.verdict import judge


@pytest.mark.timeout(400)
def test_everything_completes_and_nothing_is_lost_or_done_twice(tmp_path: Path) -> None:
    storm = Storm(SHORT, tmp_path, print)
    server = storm.run()
    try:
        agents = tmp_path / "agents"
        with server.client() as http:
            verdict = judge(http, agents, SHORT.assignments)
            assert verdict.faults == []
            assert verdict.seen["assignments COMPLETED"] == SHORT.assignments
            happened = storm.done
            assert happened["kills of agents"] >= 20
            assert happened["kills of the server"] >= 1
            assert happened["connections cut"] >= 10
            # What an agent knows and the server does not, is found.
            wrong = {"run": "no-such-run", "path": "far_field", "name": "sar_results.json", "sha256": "0" * 64}
            with (agents / "chaos-000" / "notes.jsonl").open("a") as file:
                file.write(json.dumps(["file", wrong]) + "\n")
            faults = judge(http, agents, SHORT.assignments + 1).faults
            assert len(faults) == 2
            assert "not every assignment is completed" in faults[0]
            assert "no-such-run" in faults[1]
    finally:
        server.close()

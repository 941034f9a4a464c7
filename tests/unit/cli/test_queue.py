"""The commands of the queue: what they ask the server for and what they print."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.unit.cli.test_commands import STUDY_ID, Server, call, server

__all__ = ["server"]  # the fixture

STUDY: dict[str, Any] = {"id": STUDY_ID, "name": "trial", "assignments": [{"id": "part/0", "index": 0}]}
PARTS = [{"index": 1, "label": "duke", "simulations": 12}, {"index": 2, "label": "ella", "simulations": 11}]
WHY = {
    "answer": "No worker may have it, gpu-1 for example: It has 8 GB of VRAM, 24 GB are needed.",
    "rules": [{"rule": "study_paused", "ok": True, "text": "Its study is not paused."}],
    "workers": [
        {
            "workerId": "w", "name": "gpu-1", "ok": False,
            "verdicts": [
                {"rule": "busy", "ok": True, "text": "It is free."},
                {"rule": "requirements", "ok": False, "text": "It has 8 GB of VRAM, 24 GB are needed."},
            ],
        }
    ],
}  # fmt: skip
PATH = f"/api/super-studies/{STUDY_ID}"
PART = f"/api/assignments/{quote('part/0')}"


@pytest.mark.parametrize(
    ("arguments", "method", "path", "sent", "answer", "says"),
    [
        (["study", "pause", STUDY_ID], "POST", f"{PATH}/pause", None, STUDY, "trial is paused."),
        (["study", "resume", STUDY_ID], "POST", f"{PATH}/resume", None, STUDY, "trial goes on."),
        (["study", "cancel", STUDY_ID], "POST", f"{PATH}/cancel", None, STUDY, "trial is cancelled."),
        (["study", "retry", STUDY_ID], "POST", f"{PATH}/retry", None, STUDY, "waits again"),
        (["study", "cancel", STUDY_ID, "--assignment", "0"], "POST", f"{PART}/cancel", None, {}, "is cancelled"),
        (["study", "retry", STUDY_ID, "--assignment", "0"], "POST", f"{PART}/retry", None, {}, "waits again"),
        (["study", "retry", STUDY_ID], "POST", f"{PATH}/retry", None,
         {**STUDY, "cut": {"replaced": [0], "assignments": PARTS}}, "In the place of 0"),
        (["study", "retry", STUDY_ID, "--assignment", "0"], "POST", f"{PART}/retry", None,
         {"cut": {"replaced": [0], "assignments": PARTS}}, "What is missing of assignment 0"),
        (["study", "priority", STUDY_ID, "5"], "PATCH", PATH, {"priority": 5}, STUDY, "has priority 5"),
        (["study", "priority", STUDY_ID, "-1"], "PATCH", PATH, {"priority": -1}, STUDY, "has priority -1"),
        (["study", "split-again", STUDY_ID, "--num-splits", "2"], "POST", f"{PATH}/split-again",
         {"numSplits": 2, "workers": None, "preview": False}, {"replaced": [0], "assignments": PARTS}, "duke"),
        (["study", "missing", STUDY_ID, "--name", "rest", "--workers", "3", "--preview"], "POST", f"{PATH}/missing",
         {"name": "rest", "numSplits": None, "workers": 3, "preview": True},
         {"replaced": [0], "assignments": PARTS, "study": None}, "rest would have"),
        (["study", "why", STUDY_ID, "0"], "GET", f"{PART}/why", None, WHY, "24 GB are needed"),
        (["run", "cancel", "r1"], "POST", "/api/runs/r1/cancel", None, {}, "r1 is cancelled"),
        (["worker", "pause", "w"], "PATCH", "/api/workers/w", {"wish": "paused"}, {}, "nothing new"),
        (["worker", "resume", "w"], "PATCH", "/api/workers/w", {"wish": "active"}, {}, "takes work again"),
        (["worker", "drain", "w"], "PATCH", "/api/workers/w", {"wish": "draining"}, {}, "finishes"),
        (["worker", "stop-after-this-one", "w"], "PATCH", "/api/workers/w", {"wish": "stopping"}, {}, "after the run"),
        (["worker", "take-back", "w", STUDY_ID], "POST", "/api/workers/w/take-back", {"studyId": STUDY_ID}, {},
         "gets work of"),
    ],
)  # fmt: skip
def test_commands(
    server: Server,
    arguments: list[str],
    method: str,
    path: str,
    sent: dict[str, Any] | None,
    answer: dict[str, Any],
    says: str,
) -> None:
    server.say("GET", PATH, STUDY)
    server.say(method, path, answer)
    result = call(server, *arguments)
    assert result.exit_code == 0, result.stderr
    assert says in result.stdout
    assert server.asked[-1][:3] == (method, path, sent)
    assert json.loads(call(server, *arguments, "--json").stdout) == answer


def test_what_a_cut_warns_of_is_said(server: Server) -> None:
    server.say("GET", PATH, STUDY)
    answer = {"replaced": [0], "assignments": PARTS, "warnings": ["It makes 2, not \x1b[31m3."]}
    server.say("POST", f"{PATH}/split-again", answer)
    result = call(server, "study", "split-again", STUDY_ID, "--num-splits", "3")
    assert "Note: It makes 2, not" in result.stderr
    assert "\x1b" not in result.stderr


def test_an_unknown_assignment_is_one_line(server: Server) -> None:
    server.say("GET", PATH, STUDY)
    result = call(server, "study", "why", STUDY_ID, "7")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "has no assignment 7" in result.stderr

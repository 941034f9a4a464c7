"""Recorded runs of the real client, read and judged."""

import json
from functools import cache
from pathlib import Path
from random import Random

import pytest

from goliat_monitoring.fleet.evidence import judge
from goliat_monitoring.fleet.signs import Sign, SignKind, sign_of_line, signs_of_message
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.study.cases import Phases, enumerate_cases
from goliat_monitoring.wire.clock import sender_micros
from goliat_monitoring.wire.lines import lines_of_message

TRACES = Path(__file__).parents[2] / "data" / "traces"
CASES = enumerate_cases(
    {
        "study_type": "far_field",
        "phantoms": ["thelonious"],
        "frequencies_mhz": [700],
        "far_field_setup": {
            "environmental": {"incident_directions": ["x_pos", "z_neg"], "polarizations": ["theta", "phi"]}
        },
    }
)


@cache
def signs(name: str, relayed: bool = False) -> tuple[Sign, ...]:
    """`relayed`: as an agent hands them on, log lines apart from other messages and without `print`."""
    found: list[Sign] = []
    for row in (TRACES / f"study_{name}.jsonl").read_text().splitlines():
        request = json.loads(row)
        if request.get("path") != "/api/gui-update":
            continue
        message, sent_at = request["json"]["message"], sender_micros(request["json"]["timestamp"])
        assert sent_at is not None
        lines = list(lines_of_message(message, sent_at))
        if relayed and lines:
            read = (sign_of_line(each.level, each.text, each.time) for each in lines if each.source != "print")
            found += [sign for sign in read if sign is not None]
        else:
            found += signs_of_message(message, sent_at)
    return tuple(found)


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("name", "outcome", "states", "reason"),
    [
        ("success", RunState.SUCCEEDED, ["done"] * 4, "every simulation has its result"),
        ("v14", RunState.SUCCEEDED, ["done"] * 4, "every simulation has its result"),
        ("fatal_error", RunState.FAILED, ["unproven", *["missing"] * 3], "Process exited with code 1"),
        ("memory_error", RunState.MEMORY_ERROR, ["failed", *["missing"] * 3], "bad allocation"),
        ("setup_exception", RunState.FINISHED_WITH_ERRORS, ["failed"] * 4, "fake setup explosion"),
        ("stop_button", RunState.CANCELLED, ["failed", *["missing"] * 3], "stopped by a person"),
    ],
)
def test_recorded_run(name: str, outcome: RunState, states: list[str], reason: str, known: bool, relayed: bool) -> None:
    judged = judge(CASES if known else [], None, signs(name, relayed), Phases(), None, "finished")
    assert judged.outcome is outcome
    assert [case.state for case in judged.cases.values()] == states
    assert reason in judged.reason
    if known:
        assert list(judged.cases) == [case.key for case in CASES]


def test_without_its_proofs_the_good_run_is_no_success() -> None:
    """Every single proof is needed: each one taken away leaves exactly one simulation unproven."""
    everything = signs("success")
    proofs = [sign for sign in everything if sign.kind is SignKind.EXTRACTED]
    assert len(proofs) == 4
    for proof in proofs:
        judged = judge(CASES, None, [sign for sign in everything if sign is not proof], Phases(), 0, "finished")
        assert judged.outcome is RunState.FINISHED_WITH_ERRORS
        assert judged.reason.startswith("unproven: 1 of 4")


def test_a_bare_run_without_verbose_lines_is_no_success() -> None:
    """GOLIAT 1.3 sends no `terminal_only`: the failed setups then show as silence."""
    heard = [sign for sign in signs("setup_exception") if sign.kind is not SignKind.ERROR]
    judged = judge(CASES, None, heard, Phases(), 0, "finished")
    assert judged.outcome is RunState.FINISHED_WITH_ERRORS
    assert judged.reason.startswith("unproven: 4 of 4")


def test_twins_are_the_same_sign() -> None:
    announced = [sign for sign in signs("success") if sign.kind is SignKind.SIM_STARTED and not sign.line]
    assert len(announced) == 8
    assert {(sign.ordinal, sign.total, sign.text) for sign in announced} == {
        (case.ordinal, 4, case.details) for case in CASES
    }


def test_losing_messages_never_makes_a_failure_a_success() -> None:
    """The second simulation fails in an otherwise good run, of which a bare client's network loses a part."""
    random = Random(1)
    good = signs("success")
    second_end = [sign for sign in good if sign.kind is SignKind.EXTRACTED][1]
    second_start = next(sign for sign in good if sign.line and sign.ordinal == 1)
    failed = Sign(SignKind.ERROR, second_start.at + 9_000_000, "ERROR during simulation: x", line=True)
    bad = [failed, *(sign for sign in good if sign is not second_end)]
    for loss in (0.05, 0.2, 0.5):
        for known in (CASES, []):
            for _ in range(40):
                heard = [sign for sign in bad if random.random() >= loss]
                judged = judge(known, None, heard, Phases(), 0, "finished")
                assert judged.outcome is not RunState.SUCCEEDED

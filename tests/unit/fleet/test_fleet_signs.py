"""Reading signs from raw messages and lines, hostile ones included."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.signs import MAX_TEXT, Sign, SignKind, sign_of_line, signs_of_message

AT = 1_700_000_000_000_000


@pytest.mark.parametrize(
    ("level", "text", "kind"),
    [
        ("success", "Project already done, skipping.", SignKind.CACHED),
        ("success", "  Project already done, skipping.  [ProjectManager._log_status_summary]", SignKind.CACHED),
        ("info", "\x1b[36mSkipping run phase, deliverables found.\x1b[0m \x1b[2m[A.b]\x1b[0m", SignKind.RUN_DONE),
        ("fatal", "--- FATAL ERROR in study: x ---", SignKind.FATAL),
        ("default", "--- FATAL ERROR in study: x ---", SignKind.FATAL),
        ("default", "FATAL ERROR in study process: x", SignKind.PROCESS_FAILED),
        ("default", "--- Process exited with code 1 ---", SignKind.PROCESS_FAILED),
        ("default", "--- Process exited with code 42 ---", SignKind.MEMORY_ERROR),
        ("default", "--- Memory/allocation error detected (exit code 42) ---", SignKind.MEMORY_ERROR),
        ("warning", "--- Study execution cancelled by user. ---", SignKind.CANCELLED),
        ("default", "Study stopped by user.", SignKind.CANCELLED),
        ("error", "Study cancelled by user.", SignKind.CANCELLED),
        ("error", "An error occurred during simulation run: Study cancelled by user.", SignKind.CANCELLED),
        ("error", "iSolve: Memory/allocation error detected after 2 attempts: x", SignKind.MEMORY_ERROR),
        ("warning", "iSolve: Memory/allocation error detected (attempt 1): x", None),
        ("error", "iSolve: iSolve: Error: bad allocation", SignKind.ERROR),
        ("error", "anything", SignKind.ERROR),
        ("fatal", "anything", SignKind.FATAL),
        ("warning", "anything", None),
        ("info", "I read: Project already done, skipping.", None),
        ("info", "the text Study cancelled by user.", None),
        ("progress", "--- FarFieldStudy Finished ---", None),
        ("default", "", None),
    ],
)
def test_lines(level: str, text: str, kind: SignKind | None) -> None:
    sign = sign_of_line(level, text, AT)
    assert (sign and sign.kind) == kind
    assert sign is None or (sign.at == AT and sign.line)


def test_the_header_of_a_simulation() -> None:
    sign = sign_of_line("header", "--- Processing Simulation 2/4: duke, 700MHz, x_pos, phi ---", AT)
    assert sign == Sign(SignKind.SIM_STARTED, AT, "duke, 700MHz, x_pos, phi", ordinal=1, total=4, line=True)


def test_text_is_clipped_and_loses_its_origin() -> None:
    sign = sign_of_line("error", "x" * 100_000, AT)
    assert sign is not None
    assert len(sign.text) == MAX_TEXT
    sign = sign_of_line("error", "\x1b[31mERROR: boom\x1b[0m [Study.run]", AT)
    assert sign is not None
    assert sign.text == "ERROR: boom"


def test_a_batch_gives_the_signs_of_its_items_at_their_own_times() -> None:
    message = {
        "type": "log_batch",
        "sequence": 3,
        "logs": [
            {"type": "status", "message": "\n--- Processing Simulation 1/1: a, 1MHz, b ---", "timestamp": 5.0},
            {"type": "status", "message": "bad", "log_type": "error", "timestamp": "6"},
            {"type": "status", "message": "Study stopped by user."},
            "odd",
        ],
    }
    assert [(sign.kind, sign.at) for sign in signs_of_message(message, AT)] == [
        (SignKind.SIM_STARTED, 5_000_000),
        (SignKind.ERROR, 6_000_000),
        (SignKind.CANCELLED, AT),
    ]


@pytest.mark.parametrize(
    ("message", "kinds"),
    [
        ({"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1}, [SignKind.EXTRACTED]),
        ({"type": "stage_progress", "name": "Running Simulation", "current": 1.0, "total": "1"}, [SignKind.RUN_DONE]),
        ({"type": "stage_progress", "name": "Extracting Results", "current": 0, "total": 1}, []),
        ({"type": "stage_progress", "name": "Extracting Results", "current": 100, "total": 100}, []),
        ({"type": "stage_progress", "name": "Extracting Results", "current": True, "total": True}, []),
        ({"type": "stage_progress", "name": ["Extracting Results"], "current": 1, "total": 1}, []),
        ({"type": "stage_progress", "name": "Finished", "current": 1, "total": 1}, []),
        ({"type": "overall_progress", "current": 100, "total": 100}, []),
        ({"type": "memory_error", "message": None, "exit_code": 42}, [SignKind.MEMORY_ERROR]),
        ({"type": "fatal_error", "message": "x"}, [SignKind.PROCESS_FAILED]),
        ({"type": "finished"}, [SignKind.FINISHED]),
        ({"type": "terminal_only", "message": "boom", "log_type": "error", "timestamp": 1.0}, [SignKind.ERROR]),
        ({"type": "status", "message": "boom", "log_type": "error"}, [SignKind.ERROR]),
        ({"type": "print", "message": "Project already done, skipping.", "stream": "stdout"}, []),
        ({"type": "sim_details", "count": None, "total": 1}, []),
        ({"type": "sim_details", "count": 1e300, "total": 10**400, "details": 3}, []),
        ({"type": "sim_details", "count": "2", "total": "4", "details": "a"}, [SignKind.SIM_STARTED]),
        ({"type": "log_batch", "logs": "x"}, []),
        ({"type": "unknown"}, []),
        ({"type": ["finished"]}, []),
        ({}, []),
    ],
)
def test_messages(message: dict[str, Any], kinds: list[SignKind]) -> None:
    assert [sign.kind for sign in signs_of_message(message, AT)] == kinds


_odd = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip
_types = st.sampled_from(
    ["log_batch", "terminal_only", "status", "print", "stage_progress", "sim_details", "simulation_details", "finished"]
)
_names = st.sampled_from(
    ["message", "log_type", "timestamp", "logs", "sequence", "name", "current", "total", "count", "details", "type"]
)


@given(_types, st.dictionaries(_names, _odd, max_size=6))
def test_nothing_hostile_raises(kind: str, fields: dict[str, Any]) -> None:
    item = {**fields, "type": kind}
    for message in (item, {"type": "log_batch", "logs": [item, fields]}, fields):
        for sign in signs_of_message(message, AT):
            assert len(sign.text) <= MAX_TEXT

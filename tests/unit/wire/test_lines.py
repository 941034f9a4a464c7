"""How texts become lines: line breaks, progress bars, escapes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.wire.client import LogUpdate
from goliat_monitoring.wire.lines import is_plain, lines_of_batch, lines_of_message, overdrawn, plain

PIECES = st.lists(st.sampled_from(["\r", "\n", "\r\n", " ", "a", "bc", "\x1b[0m", "\x1b[31m", "9%", ""]), max_size=12)


def texts(message: str, kind: str = "print") -> list[str]:
    return [line.text for line in lines_of_message({"type": kind, "message": message}, 1)]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("done\n", ["done"]),
        ("done\r\n", ["done"]),
        ("done\r\r\n", ["done"]),
        ("a\r\n\r\nb", ["a", "", "b"]),
        ("\n", [""]),
        ("", [""]),
        ("\r 10%|#         |", ["\r 10%|#         |"]),
        (" 10%\r 20%\r 30%", ["\r 30%"]),
        (" 10%\r 20%\r\n", ["\r 20%"]),
        ("10%\r", ["10%"]),
        ("\r10%\r", ["\r10%"]),
        ("\r", []),
        ("\r      \r", []),
        ("\r10%\r\x1b[K", ["\r10%"]),
        ("log line\n\r10%", ["log line", "\r10%"]),
        ("\r100%\nlog line\n", ["\r100%", "log line"]),
        ("\x1b[31mred\x1b[0m", ["\x1b[31mred\x1b[0m"]),
    ],
)
def test_what_a_printed_text_becomes(message: str, expected: list[str]) -> None:
    assert texts(message) == expected


def test_other_kinds_keep_their_blank_lines_at_the_end() -> None:
    assert texts("a\r\n", "status") == ["a", ""]
    assert texts("\n--- Run ---", "status") == ["", "--- Run ---"]
    assert texts("\x1b[37m 1%\r 2%\x1b[0m", "terminal_only") == ["\r 2%\x1b[0m"]


@given(PIECES.map("".join), st.sampled_from(["print", "status", "terminal_only"]))
def test_the_mark_stands_first_or_nowhere(message: str, kind: str) -> None:
    for text in texts(message, kind):
        assert text.rfind("\r") <= 0
        assert "\n" not in text
        assert overdrawn(text) == text
        assert "\r" not in plain(text)
        if "\r" in text:
            assert plain(text).strip()


@given(PIECES.map("".join))
def test_what_the_last_state_shows_is_kept(message: str) -> None:
    last = [state for state in message.replace("\n", "\r").split("\r") if plain(state).strip()][-1:]
    assert [text.removeprefix("\r") for text in texts(message) if plain(text).strip()][-1:] == last


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**60), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["info", "print", "error", "a", "\x1b[31mred", "two\nlines", "9%\r10%", "\x00", "1800000000.5"]),
)  # fmt: skip
ENTRIES = st.fixed_dictionaries(
    {"message": st.one_of(st.text(max_size=9), VALUES), "log_type": st.one_of(st.just("info"), VALUES)},
    optional={"timestamp": st.one_of(st.floats(0, 2e9), VALUES), "type": VALUES},
)
BATCHES = st.fixed_dictionaries(
    {"type": st.just("log_batch"), "logs": st.lists(ENTRIES, max_size=4)}, optional={"sequence": VALUES}
)


@given(BATCHES)
def test_the_quick_look_at_a_batch_finds_the_same_lines(message: dict[str, object]) -> None:
    body = msgspec.json.encode({"machineId": "m", "message": message, "timestamp": 1.5})
    try:
        batch = msgspec.json.decode(body, type=LogUpdate).message
    except msgspec.MsgspecError:
        return  # read with more care
    if is_plain("".join(entry.message for entry in batch.logs)):
        assert lines_of_batch(batch) == lines_of_message(msgspec.json.decode(body)["message"], 1)

"""The quick reading of a batch finds what a look at each of its lines finds."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.store.ingest.reading import read_batch, read_lines
from goliat_monitoring.store.log.held import LONGEST_MESSAGE, lines_of
from goliat_monitoring.wire.client import LogUpdate
from goliat_monitoring.wire.lines import LEVELS, is_plain, lines_of_message

TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from([
        "", "   ", "\x1b[31m", "--- Processing Simulation 1/4: duke ---", " --- Finished: run (took 3.5s) ---",
        "Project already done, skipping.", "      Project already done, skipping.",
        " " * 30 + "Project already done, skipping.",
        "- Subtask 'run_isolve_execution' done in 3.25s",
        "[PROGRESS]: 34% [1/3] Time, remaining time 9 seconds @ 12 MCells/s",
        "\x1b[31m--- Study execution cancelled by user. ---\x1b[0m", "FATAL ERROR in study process", "FATAL ERRO",
        "      - Done in 3.1 s", "two\nlines", "9%\r10%", "\x00",
    ]),
)  # fmt: skip
ENTRIES = st.fixed_dictionaries({
    "message": TEXTS, "log_type": st.sampled_from(sorted(LEVELS)), "timestamp": st.sampled_from([1.5, 2.0, 2.25, 1e9]),
})  # fmt: skip


def message_of(logs: object, **more: object) -> bytes:
    message = {"type": "log_batch", "logs": logs, "sequence": 3}
    return msgspec.json.encode({"machineId": "m", "message": message, "timestamp": 5.5, **more})


@given(st.lists(ENTRIES, max_size=6))
def test_a_batch_is_read_as_its_lines_are(logs: list[dict[str, object]]) -> None:
    body = message_of(logs)
    quick = read_batch(msgspec.json.decode(body, type=LogUpdate).message, body)
    lines = lines_of_message(msgspec.json.decode(body)["message"], 1)
    if not logs or not is_plain("".join(str(entry["message"]) for entry in logs)):
        assert quick is None
        return
    assert quick is not None
    assert quick.body is not None
    assert quick.body.lines == len(lines)
    assert lines_of(quick.body.body) == lines
    assert quick._replace(body=None, lines=lines) == read_lines(lines)


def test_a_message_of_much_else_is_not_kept_for_its_lines() -> None:
    body = message_of([{"message": "a", "log_type": "info", "timestamp": 1.5}], more="x" * LONGEST_MESSAGE)
    assert read_batch(msgspec.json.decode(body, type=LogUpdate).message, body) is None

"""Log lines: how a GUI message becomes lines, and the order of lines that race.

GOLIAT sends through three threads, so lines arrive out of order. Each line carries its sender's time; the sort key
is that time, then the batch `sequence`, then the position inside the batch, then the arrival.
"""

import re
from collections.abc import Iterator, Mapping

import msgspec

from goliat_monitoring.wire.clock import sender_micros

LEVELS = frozenset(
    {"default", "progress", "info", "verbose", "warning", "error", "fatal", "success", "header", "highlight", "caller"}
)
# ECMA-48 control sequences, OSC strings and lone two-byte escapes.
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


class Line(msgspec.Struct, array_like=True, frozen=True):
    """One log line as its sender wrote it; `time` is the sender's clock in UTC microseconds."""

    time: int
    level: str
    source: str
    text: str
    # Fields of the sort key; 0 where the sender is already in order.
    sequence: int = 0
    position: int = 0


def plain(text: str) -> str:
    """`text` without terminal escapes."""
    return ANSI.sub("", text) if "\x1b" in text else text


def lines_of_message(message: Mapping[str, object], sent_at: int) -> Iterator[Line]:
    """The log lines that one GUI message holds; none for progress messages. Never raises on hostile types."""
    kind = message.get("type")
    if kind == "log_batch":
        logs = message.get("logs")
        sequence = message.get("sequence")
        number = sequence if isinstance(sequence, int) and 0 <= sequence < 2**53 else 0
        if isinstance(logs, list):
            for position, item in enumerate(logs):
                if isinstance(item, dict):
                    yield from _lines(item, "status", sent_at, number, position)
    elif kind in ("status", "terminal_only", "print"):
        yield from _lines(message, str(kind), sent_at, 0, 0)


def _lines(item: Mapping[str, object], source: str, sent_at: int, sequence: int, position: int) -> Iterator[Line]:
    text = item.get("message")
    if text is None:
        return
    if not isinstance(text, str):
        text = msgspec.json.encode(text).decode()
    time = sender_micros(item.get("timestamp"))
    level = item.get("log_type")
    if source == "print":
        level = "default"
        text = text.rstrip("\r\n")
    for part in text.replace("\r\n", "\n").split("\n"):
        yield Line(
            time=sent_at if time is None else time,
            level=level if isinstance(level, str) and level in LEVELS else "default",
            source=source,
            text=part.replace("\x00", "\N{REPLACEMENT CHARACTER}"),
            sequence=sequence,
            position=position,
        )

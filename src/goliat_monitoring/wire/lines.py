"""Log lines: how a GUI message becomes lines, and the order of lines that race.

GOLIAT sends through three threads, so lines arrive out of order. Each line carries its sender's time; the sort key
is that time, then the batch `sequence`, then the position inside the batch, then the arrival.

A carriage return draws over what stands on the line: a progress bar. Of such a line only the last state is kept, with
one "\\r" before it as the mark that it overwrites. The mark tells the log to fold; it is never stored nor shown.
"""

import re
from collections.abc import Mapping
from typing import get_args

import msgspec

from goliat_monitoring.wire.client import Level, LogBatch
from goliat_monitoring.wire.clock import SECOND, sender_micros

LEVELS = frozenset(get_args(Level))
# What a line came with: the kind of GOLIAT's message, or the server itself.
SOURCES = frozenset({"status", "terminal_only", "print", "server"})
# Messages that hold log lines.
LOGGED = frozenset({"log_batch", "status", "terminal_only", "print"})
# ECMA-48 control sequences, OSC strings and lone two-byte escapes.
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
LINE_BREAK = re.compile(r"\r+\n")
OVERWRITES = "\r"


class Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One log line as its sender wrote it; `time` is the sender's clock in UTC microseconds.

    `text` may begin with the mark `OVERWRITES`, and has no other carriage return.
    """

    time: int
    level: str
    source: str
    text: str
    # Fields of the sort key; 0 where the sender is already in order.
    sequence: int = 0
    position: int = 0


def plain(text: str) -> str:
    """`text` without terminal escapes and without the mark of a line that overwrites."""
    return ANSI.sub("", text.removeprefix(OVERWRITES)) if "\x1b" in text else text.removeprefix(OVERWRITES)


def overdrawn(text: str) -> str:
    """One line as a terminal shows it in the end: of what carriage returns part, the last that shows something.

    It begins with the one mark `OVERWRITES` if it drew over something or began with a carriage return. Returns at the
    end alone draw over nothing: they are dropped, as programs on Windows leave them behind. Where nothing shows, the
    mark is all there is.
    """
    if "\r" not in text:
        return text
    states = text.rstrip("\r").split("\r")
    shown = next((state for state in reversed(states) if plain(state).strip()), "")
    return shown if shown and len(states) == 1 else OVERWRITES + shown


def lines_of_message(message: Mapping[str, object], sent_at: int) -> list[Line]:
    """The log lines that one GUI message holds; none for progress messages. Never raises on hostile types."""
    kind = message.get("type")
    lines: list[Line] = []
    if kind == "log_batch":
        logs = message.get("logs")
        sequence = message.get("sequence")
        number = sequence if isinstance(sequence, int) and 0 <= sequence < 2**53 else 0
        if isinstance(logs, list):
            for position, item in enumerate(logs):
                if isinstance(item, dict):
                    _add_lines(lines, item, "status", sent_at, number, position)
    elif kind in ("status", "terminal_only", "print"):
        _add_lines(lines, message, str(kind), sent_at, 0, 0)
    return lines


def is_plain(whole: str) -> bool:
    """Whether each of the texts that `whole` consists of is one line as it stands."""
    return "\n" not in whole and "\r" not in whole and "\x00" not in whole


def lines_of_batch(batch: LogBatch) -> list[Line]:
    """What `lines_of_message` makes of a batch whose texts are plain."""
    sequence = batch.sequence
    return [
        Line(round(entry.timestamp * SECOND), entry.log_type, "status", entry.message, sequence, position)
        for position, entry in enumerate(batch.logs)
    ]


def _add_lines(
    lines: list[Line], item: Mapping[str, object], source: str, sent_at: int, sequence: int, position: int
) -> None:
    text = item.get("message")
    if text is None:
        return
    if not isinstance(text, str):
        text = msgspec.json.encode(text).decode()
    time = sender_micros(item.get("timestamp"))
    if time is None:
        time = sent_at
    level = item.get("log_type")
    if not isinstance(level, str) or level not in LEVELS or source == "print":
        level = "default"
    if "\x00" in text:
        text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if "\n" not in text and "\r" not in text:
        lines.append(Line(time, level, source, text, sequence, position))
        return
    text = LINE_BREAK.sub("\n", text)
    if source == "print":
        text = text.rstrip("\n")
    for part in text.split("\n"):
        drawn = overdrawn(part)
        # The mark alone only moves the cursor or clears the line.
        if drawn != OVERWRITES:
            lines.append(Line(time, level, source, drawn, sequence, position))

"""What the outbox is given: an encoded item, where it belongs in time, and whether it may be folded in need."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from goliat_monitoring.wire.agent import CasesItem, GapItem, Item, LineItem, MessageItem, SampleItem
from goliat_monitoring.wire.lines import Line, lines_of_message

LOG_MESSAGES = ("log_batch", "status", "terminal_only", "print")
# Levels that carry evidence or catch a person's eye; they are never folded.
KEPT_LEVELS = frozenset({"warning", "error", "fatal", "success", "header", "highlight"})
# GOLIAT says this of a cached simulation, and nothing else proves that one.
KEPT_TEXT = "already done"


class Draft(NamedTuple):
    """`body` is the item as it will be sent. `foldable`: may become part of a gap when the disk is full."""

    time: int
    sequence: int
    position: int
    body: bytes
    foldable: bool = False


def of_message(message: Mapping[str, Any], sent_at: int) -> Iterator[Draft]:
    """A GUI message as its log lines, or as one item if it is none. Raises ValueError for what JSON cannot hold."""
    if message.get("type") in LOG_MESSAGES:
        for line in lines_of_message(message, sent_at):
            yield _of_line(line)
    else:
        yield Draft(sent_at, 0, 0, encode(MessageItem(sent_at, dict(message))))


def of_agent(text: str, level: str, at: int) -> Iterator[Draft]:
    """What the agent itself has to say about a run."""
    for part in text.splitlines():
        yield Draft(at, 0, 0, encode(LineItem(at, level, "agent", part)))


def of_output(text: str, stream: str, at: int) -> Draft:
    """A line that GOLIAT's process wrote to `stdout` or `stderr`."""
    return Draft(at, 0, 0, encode(LineItem(at, "default", stream, text)))


def of_item(item: SampleItem | CasesItem | GapItem, at: int) -> Draft:
    """An item of the agent's own."""
    return Draft(at, 0, 0, encode(item))


def encode(item: Item) -> bytes:
    """The item as it goes on the wire. Raises ValueError for what JSON cannot hold."""
    try:
        return msgspec.json.encode(item)
    except (TypeError, OverflowError, RecursionError, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def _of_line(line: Line) -> Draft:
    talkative = line.level == "verbose" or line.source in ("terminal_only", "print")
    foldable = talkative and line.level not in KEPT_LEVELS and KEPT_TEXT not in line.text
    body = encode(LineItem(line.time, line.level, line.source, line.text))
    return Draft(line.time, line.sequence, line.position, body, foldable)

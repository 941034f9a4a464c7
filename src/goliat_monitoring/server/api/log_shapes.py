"""JSON of logs: lines, stretches of lines."""

import msgspec

from goliat_monitoring.store.read.logs import LogLine, LogPage
from goliat_monitoring.wire.clock import iso


class LineJson(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A log line. `n` is null while it waits for lines that raced with it. `time`: the sender's clock.

    Of a line that came several times in a row: `count`, when it came last, its text then if that differs, and where
    several lines repeat together how many (`period`) and which of them this is (`position`, from 0).
    """

    n: int | None
    time: str
    received_at: str
    level: str
    source: str
    text: str
    late: bool = False
    count: int = 1
    last_time: str | None = None
    last_text: str | None = None
    period: int = 1
    position: int = 0


class LogAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`total`: all lines of the log. `more`: the answer ended early; ask on from its last line, or before its first."""

    lines: list[LineJson]
    total: int
    more: bool


def log_answer(page: LogPage) -> LogAnswer:
    """A stretch of a log."""
    return LogAnswer(lines=[line_json(line) for line in page.lines], total=page.total, more=page.more)


def line_json(line: LogLine) -> LineJson:
    """One line."""
    found = LineJson(
        n=line.n,
        time=iso(line.time),
        received_at=iso(line.received_at),
        level=line.level,
        source=line.source,
        text=line.text,
        late=line.late,
    )
    repeat = line.repeat
    if repeat is not None and (repeat.count > 1 or repeat.period > 1):
        found.count, found.period, found.position = repeat.count, repeat.period, repeat.position
        if repeat.count > 1:
            found.last_time, found.last_text = iso(repeat.last_time), repeat.last_text
    return found

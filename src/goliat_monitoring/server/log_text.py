"""A log as plain text, line by line as GOLIAT writes its own: `2026-11-24 00:22:15,026 - INFO - text`, in UTC.

It is made while it is sent: no more than a piece of the log is in memory.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing, suppress

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.server.live.hub import Crowded
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.database import Unit
from goliat_monitoring.store.log.fold import Record
from goliat_monitoring.store.log.unfold import unfold
from goliat_monitoring.store.read.logs import (
    LogLine,
    line_counts,
    numbered_lines,
    read_log,
    rest_of_piece,
    waiting_lines,
)
from goliat_monitoring.store.read.runs import run_summary
from goliat_monitoring.wire.clock import iso

# Bytes of text that are sent together.
TOGETHER = 64 * 1024
# As long as a written time.
NO_TIME = "-".ljust(len("2026-11-24 00:22:15,026"))
# Lines whose counts may still grow: as many as the folding of repeats looks back on.
OPEN_LINES = 8
# What would steer the terminal of who reads it. Tabs stay.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class _Part(msgspec.Struct, frozen=True):
    """A bit of a log. `next_after`: the number after which the next begins; None at the end."""

    lines: list[LogLine]
    next_after: int | None


class _News(msgspec.Struct, frozen=True):
    """`known`: the last lines that were told, as they are now; `fresh`: those after them, and `more` of them follow.
    `over`: nothing is to be expected any more.
    """

    known: list[LogLine]
    fresh: list[LogLine]
    more: bool
    over: bool


async def log_text(services: Services, run_id: str, *, raw: bool = False, expand: bool = False) -> AsyncIterator[bytes]:
    """All lines that are there now, in pieces. A repeated line says how often it came; with `expand` each time is a
    line again. `raw` keeps terminal escapes. Raises `Refused` 404 before the first piece.
    """
    last, _ = await services.db.read(lambda c: line_counts(c, run_id))
    after: int | None = 0
    yield b""  # there is such a run: the answer can begin
    while after is not None:
        part = await services.db.read(_reading(services, run_id, after, last, raw=raw))
        texts = _every_time(part.lines, raw=raw) if expand else (line_text(line, raw=raw) for line in part.lines)
        while data := await asyncio.to_thread(_some, texts):
            yield data
        after = part.next_after


async def zipped(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """`pieces` as a gzip file."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    async for piece in pieces:
        # Nothing yet is passed on all the same: it tells that the answer can begin.
        yield await asyncio.to_thread(packer.compress, piece) if piece else b""
    yield packer.flush()


async def following(
    services: Services, run_id: str, *, after: int = 0, newest: int | None = None, raw: bool = False
) -> AsyncGenerator[bytes, None]:
    """Lines after number `after`, or the `newest` ones, and then each as it gets its number, until the run is over or
    the server ends. A line that goes on repeating is told once more when another follows. Raises `Refused` 404.
    """
    since = services.hub.stamp()
    count, _ = await services.db.read(lambda c: line_counts(c, run_id))
    at = after if newest is None else max(count - newest, 0)
    told: dict[int, int] = {}
    yield b""
    topics = {f"log:{run_id}", f"run:{run_id}"}
    # Crowded or closing: what was told stands, and the answer ends.
    with suppress(Crowded):
        async with aclosing(services.hub.subscribe(topics, since)) as changes:
            while True:
                news = await services.db.read(_reading_news(services, run_id, at, list(told), raw=raw))
                ends = news.over and not news.more
                texts = [
                    _again(line) for line in news.known if (news.fresh or ends) and _count(line) > told[line.n or 0]
                ]
                texts += [line_text(line, raw=raw) for line in news.fresh]
                if texts:
                    yield "".join(texts).encode("utf-8", "replace")
                if news.fresh:
                    at = news.fresh[-1].n or at
                    told = {line.n or 0: _count(line) for line in [*news.known, *news.fresh][-OPEN_LINES:]}
                if ends:
                    return
                if not news.more and await anext(changes, None) is None:
                    return


def line_text(line: LogLine, *, raw: bool = False) -> str:
    """One line with its end, and what is known of its repetitions."""
    repeat = line.repeat
    more = ""
    if repeat is not None and repeat.count > 1:
        turn = f" in turn with {repeat.period - 1} more" if repeat.period > 1 else ""
        text = f": {repeat.last_text}" if repeat.last_text is not None else ""
        more = f" (repeated {repeat.count:,} times{turn}, last at {_time(repeat.last_time)}{text})"
    return _written(line.time, line.level, line.text + more, raw=raw)


def _reading(services: Services, run_id: str, after: int, last: int, *, raw: bool) -> Unit[_Part]:
    load = services.storage.read_part

    def unit(connection: Connection) -> _Part:
        lines = rest_of_piece(connection, run_id, load, after, last, raw=raw)
        reached = (lines[-1].n if lines else None) or last
        if reached < last:
            return _Part(lines, reached)
        return _Part(lines + waiting_lines(connection, run_id, raw=raw), None)

    return unit


def _reading_news(services: Services, run_id: str, after: int, known: list[int], *, raw: bool) -> Unit[_News]:
    load = services.storage.read_part

    def unit(connection: Connection) -> _News:
        live = run_summary(connection, run_id).live
        page = read_log(connection, run_id, load, after=after, raw=raw)
        fresh = [line for line in page.lines if line.n is not None]
        return _News(
            known=numbered_lines(connection, run_id, load, known, raw=raw),
            fresh=fresh,
            more=bool(fresh) and fresh[-1].n != page.numbered,
            over=not live and page.total == page.numbered,
        )

    return unit


def _count(line: LogLine) -> int:
    return 1 if line.repeat is None else line.repeat.count


def _again(line: LogLine) -> str:
    assert line.repeat is not None  # noqa: S101 - it grew
    return _written(line.repeat.last_time, line.level, f"(line {line.n} repeated {line.repeat.count:,} times so far)")


def _every_time(lines: Iterable[LogLine], *, raw: bool) -> Iterator[str]:
    """The lines behind `lines`, each time one came."""
    records = [(Record(it.time, it.level, it.source, it.text), it.repeat) for it in lines]
    unknown = 0
    for it in unfold(records):
        if it.text is None:
            unknown += 1
            continue
        if unknown:
            yield _written(None, it.level, f"({unknown:,} more states, which were not kept)")
            unknown = 0
        yield _written(it.time, it.level, it.text, raw=raw)


def _written(time: int | None, level: str, text: str, *, raw: bool = False) -> str:
    shown = text if raw else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
    return f"{NO_TIME if time is None else _time(time)} - {level.upper()} - {shown}\n"


def _time(micros: int) -> str:
    text = iso(micros)
    return f"{text[:10]} {text[11:19]},{text[20:23]}"


def _some(texts: Iterator[str]) -> bytes:
    """The next texts, about `TOGETHER` bytes; empty at the end."""
    found: list[str] = []
    size = 0
    for text in texts:
        found.append(text)
        size += len(text)
        if size >= TOGETHER:
            break
    return "".join(found).encode("utf-8", "replace")

"""Sealed chunks of a log: many lines as two zstd frames.

The frame `text` holds the lines as they are shown, joined by line breaks, so that a search reads nothing else. The
frame `meta` holds all else in columns, and what was taken out of the texts (terminal escapes), so that the texts come
back exactly. A chunk is never changed.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

import msgspec
import zstandard

from goliat_monitoring.store.log.columns import Column, pack, pack_steps, unpack, unpack_steps
from goliat_monitoring.store.log.kinds import counted
from goliat_monitoring.wire.lines import ANSI

# Bytes of plain text at which a chunk is full, and how hard it is squeezed: docs/decisions/0006-log-chunks.md.
SEAL_BYTES = 256 * 1024
ZSTD_LEVEL = 6

# A line break inside a line would part it; it is kept like an escape.
_TAKEN_OUT = re.compile(f"({ANSI.pattern}|\n)")


class StoredLine(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One numbered line. `time`: the sender's clock; `received_at`: the server's; both UTC microseconds, in 64 bits.

    `late`: it came when lines after it already had their numbers. `text` holds terminal escapes.
    """

    time: int
    level: str
    source: str
    text: str
    received_at: int
    late: bool = False


class Sealed(msgspec.Struct, frozen=True):
    """A chunk. `counts`: how many lines of each kind, see `kinds`; `first_time`, `last_time`: earliest and latest by
    the sender's clock; `raw_size`: bytes of the plain text.
    """

    first_line: int
    count: int
    text: bytes
    meta: bytes
    counts: dict[str, int]
    first_time: int
    last_time: int
    raw_size: int


class _Meta(msgspec.Struct, array_like=True, frozen=True):
    """Columns, one value a line. `forms`: which escapes a line has, in order; the line names its form by its index.

    `gaps`: for each line with n escapes, n of the n + 1 lengths between them, in characters. The second is left out:
    the length of the line tells it, and it varies most, as the message stands there.
    """

    levels: list[str]
    sources: list[str]
    forms: list[list[bytes]]
    time: Column
    received_at: Column
    level: Column
    source: Column
    late: Column
    form: Column
    gaps: Column


def seal(lines: Sequence[StoredLine], first_line: int) -> Sealed:
    """`lines` as a chunk whose first line has the number `first_line`. Raises ValueError if there are none."""
    if not lines:
        raise ValueError("a chunk holds at least one line")
    levels: dict[str, int] = {}
    sources: dict[str, int] = {}
    forms: dict[tuple[str, ...], int] = {(): 0}
    form: list[int] = []
    gaps: list[int] = []
    texts: list[str] = []
    for line in lines:
        text = line.text
        if "\x1b" not in text and "\n" not in text:
            form.append(0)
            texts.append(text)
            continue
        parts = _TAKEN_OUT.split(text)
        between = parts[::2]
        texts.append("".join(between))
        form.append(forms.setdefault(tuple(parts[1::2]), len(forms)))
        if len(between) > 1:
            gaps.append(len(between[0]))
            gaps += map(len, between[2:])
    times = [line.time for line in lines]
    meta = _Meta(
        level=pack([levels.setdefault(line.level, len(levels)) for line in lines]),
        source=pack([sources.setdefault(line.source, len(sources)) for line in lines]),
        levels=list(levels),
        sources=list(sources),
        forms=[[_encoded(escape) for escape in escapes] for escapes in forms],
        time=pack_steps(times),
        received_at=pack_steps([line.received_at for line in lines]),
        late=pack([line.late for line in lines]),
        form=pack(form),
        gaps=pack(gaps),
    )
    plain = _encoded("\n".join(texts))
    squeeze = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
    return Sealed(
        first_line=first_line,
        count=len(lines),
        text=squeeze(plain),
        meta=squeeze(msgspec.msgpack.encode(meta)),
        counts=counted(lines),
        first_time=min(times),
        last_time=max(times),
        raw_size=len(plain),
    )


def plain_blob(text: bytes) -> bytes:
    """The plain lines of a frame `text`, in UTF-8, joined by line breaks."""
    return zstandard.ZstdDecompressor().decompress(text)


def plain_line(text: str) -> str:
    """`text` as a chunk keeps it to be searched."""
    return _TAKEN_OUT.sub("", text) if "\x1b" in text or "\n" in text else text


def open_lines(
    meta: bytes, text: bytes, first_line: int, *, first: int | None = None, last: int | None = None
) -> list[tuple[int, StoredLine]]:
    """The chunk's lines with their numbers, from number `first` to number `last`, both included; all without them."""
    columns = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(meta), type=_Meta)
    texts = _decoded(plain_blob(text)).split("\n")
    forms = [[_decoded(escape) for escape in escapes] for escapes in columns.forms]
    start = 0 if first is None else max(first - first_line, 0)
    stop = len(texts) if last is None else max(min(last - first_line + 1, len(texts)), start)
    form = unpack(columns.form)
    gaps = unpack(columns.gaps)
    sizes = [len(escapes) for escapes in forms]
    ends = list(accumulate((sizes[i] for i in form[:stop]), initial=0))
    level, source = unpack(columns.level), unpack(columns.source)
    time, received_at = unpack_steps(columns.time), unpack_steps(columns.received_at)
    late = unpack(columns.late)
    lines = []
    for i in range(start, stop):
        escapes = forms[form[i]]
        whole = _woven(texts[i], escapes, gaps[ends[i] : ends[i + 1]]) if escapes else texts[i]
        line = StoredLine(
            time[i], columns.levels[level[i]], columns.sources[source[i]], whole, received_at[i], bool(late[i])
        )
        lines.append((first_line + i, line))
    return lines


def _encoded(text: str) -> bytes:
    """UTF-8, in which lone surrogates come back too: no text may keep a chunk from being sealed."""
    return text.encode("utf-8", "surrogatepass")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _woven(text: str, escapes: list[str], gaps: list[int]) -> str:
    """`text` with its escapes in their places again."""
    lengths = [gaps[0], len(text) - sum(gaps), *gaps[1:]]
    parts = []
    at = 0
    for length, escape in zip(lengths, [*escapes, ""], strict=True):
        parts += [text[at : at + length], escape]
        at += length
    return "".join(parts)

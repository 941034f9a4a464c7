"""Where in a log the lines of each kind lie. Sealed chunks were counted when they were made: no text is read.

Lines of some kinds have an *index* among themselves, from 0 on: so a list that shows these alone can jump anywhere.
"""

from collections import Counter

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.store.log.kinds import ALL, Kinds, counted
from goliat_monitoring.store.read.log_pieces import Load, pieces
from goliat_monitoring.store.read.logs import LogPage, line_counts, read_log

# Lines of a log that is short enough to be looked at line by line, where chunks would be too coarse.
FINE = 20_000


class Part(msgspec.Struct, frozen=True):
    """`lines` lines from number `first_line` on. `counts`: how many of each kind, see `store.log.kinds`."""

    first_line: int
    lines: int
    counts: dict[str, int]


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a log. `matching`: how many numbered lines of the asked kinds there are; `index`: how many of them
    come before the first of `page`.
    """

    page: LogPage
    matching: int
    index: int


def list_parts(connection: Connection, run_id: str, load: Load, most: int) -> list[Part]:
    """The numbered lines of a run in about `most` parts or fewer, in order. Raises `Refused` 404."""
    numbered, _ = line_counts(connection, run_id)
    step = -(-numbered // most)
    found: list[Part] = []
    first, lines, kinds = 1, 0, Counter[str]()
    for piece in pieces(connection, run_id, load, 1, numbered):
        bits = (
            [(1, counted([line])) for _, line in piece.lines(1, numbered)] if numbered <= FINE
            else [(piece.last_line - piece.first_line + 1, piece.counts())]
        )  # fmt: skip
        for count, counts in bits:
            lines += count
            kinds.update(counts)
            if lines >= step:
                found.append(Part(first, lines, dict(kinds)))
                first, lines, kinds = first + lines, 0, Counter()
    if lines:
        found.append(Part(first, lines, dict(kinds)))
    return found


def read_counted(
    connection: Connection,
    run_id: str,
    load: Load,
    *,
    skip: int | None = None,
    after: int = 0,
    before: int | None = None,
    limit: int,
    newest: bool = False,
    kinds: Kinds = ALL,
    raw: bool = False,
) -> Counted:
    """As `read_log`, with the place of the lines among all of these kinds. `skip`: pass over so many of them, in
    place of `after`. Raises `Refused` 404.
    """
    if skip is not None:
        numbered, _ = line_counts(connection, run_id)
        after = _passed(connection, run_id, load, kinds, numbered, skip)
    page = read_log(
        connection, run_id, load, after=after, before=before, limit=limit, newest=newest, kinds=kinds, raw=raw
    )
    # Lines that wait come after all numbers.
    first = (page.lines[0].n or page.numbered + 1) if page.lines else min(after, page.numbered) + 1
    if not kinds:
        return Counted(page=page, matching=page.numbered, index=first - 1)
    matching = index = 0
    for piece in pieces(connection, run_id, load, 1, page.numbered):
        count = piece.count(kinds)
        matching += count
        if piece.last_line < first:
            index += count
        elif piece.first_line < first:
            index += sum(kinds.holds(line) for _, line in piece.lines(1, first - 1))
    return Counted(page=page, matching=matching, index=index)


def _passed(connection: Connection, run_id: str, load: Load, kinds: Kinds, numbered: int, skip: int) -> int:
    """The number after which the line with index `skip` among those of `kinds` is the first of them."""
    if not kinds:
        return skip
    left = skip
    for piece in pieces(connection, run_id, load, 1, numbered):
        count = piece.count(kinds)
        if left < count:
            numbers = [n for n, line in piece.lines(1, numbered) if kinds.holds(line)]
            return numbers[left] - 1
        left -= count
    return numbered

"""Searching the log of one run, and of all runs of a study. Sealed text is unpacked and searched a chunk at a time.

A line that was repeated is one line; it also matches by the text it had the last time.
"""

import time
from bisect import bisect_right

import msgspec
from sqlalchemy import BindParameter, Connection, bindparam, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.log.search import Query
from goliat_monitoring.store.read.log_pieces import Load, Piece, pieces, plain_text
from goliat_monitoring.store.read.logs import LogLine, line_counts, numbered_lines, waiting_lines
from goliat_monitoring.wire.errors import Refused

# Numbers of matching lines in one answer.
MOST_NUMBERS = 10_000
# Last texts of repeated lines that are searched together.
TOGETHER = 500

repeats, runs, assignments = tables.log_repeats, tables.runs, tables.assignments
_run: BindParameter[str] = bindparam("run")
_LAST_TEXTS = (
    select(repeats.c.line, repeats.c.last_text)
    .where(repeats.c.run_id == _run, repeats.c.last_text.is_not(None))
    .order_by(repeats.c.line)
    .execution_options(yield_per=TOGETHER)
)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search of one run found.

    `total`: all lines that match. `numbers`: those of them that come after the asked number, at most `MOST_NUMBERS`;
    `skipped`: how many come before, so that the first number is match `skipped + 1` of `total`. `lines`: the first of
    `numbers` as lines, then matches that wait for their number. `searched`: the last line looked at, of `of_lines`;
    fewer where the time was over, and then the rest is unknown and `next_line` is the line to go on with.
    """

    total: int
    skipped: int
    numbers: list[int]
    lines: list[LogLine]
    searched: int
    of_lines: int
    next_line: int | None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be looked at."""
        return self.next_line is None


class FoundInRun(msgspec.Struct, frozen=True, kw_only=True):
    """Matches in one run of a study."""

    run_id: str
    index: int
    attempt: int
    state: str
    found: Found


class FoundInStudy(msgspec.Struct, frozen=True, kw_only=True):
    """Runs with matches, newest first. `searched_runs`: how many were searched, of `of_runs` asked for.

    A run that was not searched to its end is among `runs`, and says so. `next_run`: where the time or the room was
    over, the run to go on with; None when all were searched.
    """

    runs: list[FoundInRun]
    searched_runs: int
    searched_lines: int
    of_runs: int
    next_run: str | None


def search_log(
    connection: Connection,
    run_id: str,
    load: Load,
    query: Query,
    deadline: float,
    *,
    first: int = 1,
    after: int = 0,
    limit: int = 100,
    raw: bool = False,
) -> Found:
    """The lines of a run that match, from line `first` on: only these are counted. `deadline`: by `time.monotonic`;
    looked at between chunks. Raises `Refused` 404 for an unknown run.
    """
    numbered, waiting_count = line_counts(connection, run_id)
    by_last_text = _by_last_text(connection, run_id, query)
    total = skipped = 0
    searched = min(first - 1, numbered)
    numbers: list[int] = []
    walk = pieces(connection, run_id, load, first, numbered)
    try:
        for piece in walk:
            if time.monotonic() > deadline:
                break
            hits = [n for n in _hits(piece, query, by_last_text) if n >= first]
            total += len(hits)
            fresh = bisect_right(hits, after)
            skipped += fresh
            if len(numbers) < MOST_NUMBERS:
                numbers += hits[fresh : fresh + MOST_NUMBERS - len(numbers)]
            searched = piece.last_line
    finally:
        walk.close()
    lines = numbered_lines(connection, run_id, load, numbers[:limit], raw=raw)
    next_line = searched + 1 if searched < numbered else None
    if next_line is None and waiting_count:
        waiting = [line for line in waiting_lines(connection, run_id, raw=raw) if query.in_line(line.text)]
        total += len(waiting)
        searched += waiting_count
        if len(numbers) <= limit:
            lines += waiting[: limit - len(lines)]
    return Found(
        total=total,
        skipped=skipped,
        numbers=numbers,
        lines=lines,
        searched=searched,
        of_lines=numbered + waiting_count,
        next_line=next_line,
    )


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """Matching lines before a line: the last of them, in order. `before`: where to go on; None at the beginning."""

    numbers: list[int]
    before: int | None


def search_back(connection: Connection, run_id: str, load: Load, query: Query, deadline: float, before: int) -> Earlier:
    """The last matching lines before line `before`, about `MOST_NUMBERS`. Raises `Refused` 404 for an unknown run."""
    numbered, _ = line_counts(connection, run_id)
    by_last_text = _by_last_text(connection, run_id, query)
    last = min(before - 1, numbered)
    parts: list[list[int]] = []
    reached = last + 1
    walk = pieces(connection, run_id, load, 1, last, backward=True)
    try:
        for piece in walk:
            if sum(map(len, parts)) >= MOST_NUMBERS or time.monotonic() > deadline:
                break
            parts.append([n for n in _hits(piece, query, by_last_text) if n <= last])
            reached = piece.first_line
    finally:
        walk.close()
    return Earlier(numbers=[n for part in reversed(parts) for n in part], before=reached if reached > 1 else None)


def search_study(
    connection: Connection,
    study_id: str,
    load: Load,
    query: Query,
    deadline: float,
    *,
    from_run: str | None = None,
    limit: int = 100,
    lines_a_run: int = 5,
) -> FoundInStudy:
    """The runs of a study with matching lines, at most `limit`, with the first `lines_a_run` lines of each.

    `from_run`: begin with this run, which an earlier search named as the next. Raises `Refused` 404.
    """
    studies = tables.super_studies
    if connection.execute(select(studies.c.id).where(studies.c.id == study_id)).one_or_none() is None:
        raise Refused(404, "no such super study", study_id)
    rows = connection.execute(
        select(runs.c.id, runs.c.attempt, runs.c.state, assignments.c.index.label("part"))
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .where(assignments.c.super_study_id == study_id)
        .order_by(runs.c.claimed_at.desc(), runs.c.id.desc())
    ).all()
    start = 0
    if from_run is not None:
        start = next((i for i, row in enumerate(rows) if row.id == from_run), -1)
        if start < 0:
            raise Refused(404, "no such run in this study", from_run)
    found: list[FoundInRun] = []
    searched_runs = searched_lines = 0
    next_run: str | None = None
    for row in rows[start:]:
        # At least one is searched, if not to its end: who goes on gets on.
        if len(found) >= limit or (searched_runs and time.monotonic() > deadline):
            next_run = row.id
            break
        in_run = search_log(connection, row.id, load, query, deadline, limit=lines_a_run)
        searched_lines += in_run.searched
        searched_runs += 1
        if in_run.total or not in_run.complete:
            found.append(FoundInRun(run_id=row.id, index=row.part, attempt=row.attempt, state=row.state, found=in_run))
    return FoundInStudy(
        runs=found,
        searched_runs=searched_runs,
        searched_lines=searched_lines,
        of_runs=len(rows) - start,
        next_run=next_run,
    )


def _by_last_text(connection: Connection, run_id: str, query: Query) -> list[int]:
    """Numbers of repeated lines whose last text matches, in order."""
    found: list[int] = []
    with connection.execute(_LAST_TEXTS, {"run": run_id}) as rows:
        for part in rows.partitions():
            blob = plain_text(row.last_text for row in part)
            found += [part[i].line for i in query.matches(blob)]
    return found


def _hits(piece: Piece, query: Query, by_last_text: list[int]) -> list[int]:
    """The numbers of a piece's matching lines."""
    hits = [piece.first_line + i for i in query.matches(piece.plain())]
    if by_last_text:
        hits = sorted({*hits, *_within(by_last_text, piece.first_line, piece.last_line)})
    return hits


def _within(numbers: list[int], first: int, last: int) -> list[int]:
    return numbers[bisect_right(numbers, first - 1) : bisect_right(numbers, last)]

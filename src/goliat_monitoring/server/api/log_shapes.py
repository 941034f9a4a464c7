"""JSON of logs: lines, stretches of lines, where the levels lie, what a search found, problems."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from goliat_monitoring.store.log.kinds import by_level, by_source
from goliat_monitoring.store.log.search import Query
from goliat_monitoring.store.read.log_levels import Counted, Part
from goliat_monitoring.store.read.log_search import Earlier, Found, FoundInStudy
from goliat_monitoring.store.read.logs import LogLine, LogPage
from goliat_monitoring.store.read.problems import Problems, Said
from goliat_monitoring.wire.clock import iso
from goliat_monitoring.wire.lines import ANSI, plain

# Characters of one answer in which matches are pointed out: about a second of work for the worst pattern.
MARKED = 256 * 1024
# No terminal escape that means a colour is longer.
LONGEST_ESCAPE = 64


class LineJson(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """A log line. `n` is null while it waits for lines that raced with it. `time`: the sender's clock.

    Of a line that came several times in a row: `count`, when it came last, its text then if that differs, and where
    several lines repeat together how many (`period`) and which of them this is (`position`, from 0). Where asked for:
    `cut`, how many characters of a long text were left out, and `marks`, where the text without its terminal escapes
    matches, as [first, one after the last] in UTF-16 units.
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
    cut: int = 0
    marks: list[tuple[int, int]] = []


class LogAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`total`: all lines of the log. `more`: the answer ended early; ask on from its last line, or before its first.

    With `count`: `matching`, how many numbered lines of the asked kinds there are, and `index`, how many of them come
    before the first of `lines`.
    """

    lines: list[LineJson]
    total: int
    more: bool
    matching: int | msgspec.UnsetType = msgspec.UNSET
    index: int | msgspec.UnsetType = msgspec.UNSET


class PartJson(msgspec.Struct, rename="camel", kw_only=True):
    """`lines` lines from number `firstLine` on; how many of each level."""

    first_line: int
    lines: int
    levels: dict[str, int]


class LevelsAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """All numbered lines, in order, in parts. `levels`, `sources`: how many there are of each level, of each source.

    `warnings`, `errors`: of what was said, repeats included; what the server itself noted is not among them.
    """

    levels: dict[str, int]
    sources: dict[str, int]
    warnings: int
    errors: int
    parts: list[PartJson]


class Wish(NamedTuple):
    """How lines are to be shown: `clip`, the most characters of a text; `query`, what to point out in it."""

    clip: int | None = None
    query: Query | None = None


def log_answer(page: LogPage, wish: Wish = Wish()) -> LogAnswer:  # noqa: B008 - it cannot change
    """A stretch of a log."""
    lines = [line_json(_clipped(line, wish.clip)) for line in page.lines]
    for shown, line in zip(lines, page.lines, strict=True):
        if len(shown.text) < len(line.text):
            shown.cut = len(plain(line.text[len(shown.text) :]))
    if wish.query is not None:
        left = MARKED
        for shown in lines:
            left -= len(shown.text)
            if left > 0:
                shown.marks = wish.query.spans(plain(shown.text))
    return LogAnswer(lines=lines, total=page.total, more=page.more)


def counted_answer(found: Counted, wish: Wish) -> LogAnswer:
    """A stretch of a log and its place."""
    answer = log_answer(found.page, wish)
    answer.matching, answer.index = found.matching, found.index
    return answer


def levels_answer(parts: Iterable[Part], said: Said) -> LevelsAnswer:
    """Where the levels lie, and how much trouble was said."""
    found, counts = list[PartJson](), Counter[str]()
    for it in parts:
        found.append(PartJson(first_line=it.first_line, lines=it.lines, levels=by_level(it.counts)))
        counts.update(it.counts)
    levels, sources = (dict(sorted(of_kind.items())) for of_kind in (by_level(counts), by_source(counts)))
    return LevelsAnswer(levels=levels, sources=sources, warnings=said.warnings, errors=said.errors, parts=found)


def _clipped(line: LogLine, most: int | None) -> LogLine:
    if most is None:
        return line
    repeat = line.repeat
    if repeat is not None and repeat.last_text is not None and len(repeat.last_text) > most:
        repeat = msgspec.structs.replace(repeat, last_text=_head(repeat.last_text, most))
    elif len(line.text) <= most:
        return line
    return msgspec.structs.replace(line, text=_head(line.text, most), repeat=repeat)


def _head(text: str, most: int) -> str:
    """The first `most` characters, fewer where they would end inside a terminal escape."""
    start = text.rfind("\x1b", max(most - LONGEST_ESCAPE, 0), most)
    if start >= 0:
        escape = ANSI.match(text, start, start + LONGEST_ESCAPE)
        if escape is not None and escape.end() > most:
            return text[:start]
    return text[:most]


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


class FoundAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`total`: matching lines of the log, or from line `from` on. `numbers`: those after the asked number, at most
    10,000, of which the first is match `skipped + 1` of `total`; `lines`: the first of them. `searched`: the last line
    looked at, of `ofLines`. `complete`: nothing is left. If not, the time was over, and `next` is the line to go on
    with, as `from`.
    """

    total: int
    skipped: int
    numbers: list[int]
    lines: list[LineJson]
    searched: int
    of_lines: int
    complete: bool
    next: int | None


class EarlierAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """The last matching lines before a line, in order. `before`: what to go on with; null at the beginning."""

    numbers: list[int]
    before: int | None


class FoundRunJson(msgspec.Struct, rename="camel", kw_only=True):
    """A run with matches; its first matching lines."""

    run_id: str
    index: int
    attempt: int
    state: str
    total: int
    lines: list[LineJson]
    complete: bool


class FoundStudyAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """Runs with matches, newest first. `searchedRuns` of `ofRuns` were searched until the time or the room was over;
    `nextRun` is the one to go on with, as `fromRun`; null when all were searched.
    """

    runs: list[FoundRunJson]
    searched_runs: int
    searched_lines: int
    of_runs: int
    next_run: str | None
    complete: bool


class ProblemJson(msgspec.Struct, rename="camel", kw_only=True):
    """Warnings or errors whose texts differ in their numbers at most. `text`: the first of them."""

    level: str
    text: str
    count: int
    first_line: int
    last_line: int
    first_time: str
    last_time: str


class ProblemsAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """The worst and most frequent first. `groups`: how many there are in all."""

    problems: list[ProblemJson]
    groups: int
    first_error: int | None


def found_answer(found: Found) -> FoundAnswer:
    """What a search of one run found."""
    return FoundAnswer(
        total=found.total,
        skipped=found.skipped,
        numbers=found.numbers,
        lines=[line_json(line) for line in found.lines],
        searched=found.searched,
        of_lines=found.of_lines,
        complete=found.complete,
        next=found.next_line,
    )


def earlier_answer(found: Earlier) -> EarlierAnswer:
    """What a search backwards found."""
    return EarlierAnswer(numbers=found.numbers, before=found.before)


def found_study_answer(found: FoundInStudy) -> FoundStudyAnswer:
    """What a search of a study found."""
    return FoundStudyAnswer(
        runs=[
            FoundRunJson(
                run_id=it.run_id,
                index=it.index,
                attempt=it.attempt,
                state=it.state,
                total=it.found.total,
                lines=[line_json(line) for line in it.found.lines],
                complete=it.found.complete,
            )
            for it in found.runs
        ],
        searched_runs=found.searched_runs,
        searched_lines=found.searched_lines,
        of_runs=found.of_runs,
        next_run=found.next_run,
        complete=found.next_run is None and all(it.found.complete for it in found.runs),
    )


def problems_answer(found: Problems, first_error: int | None) -> ProblemsAnswer:
    """The problems of a run."""
    return ProblemsAnswer(
        problems=[
            ProblemJson(
                level=it.level,
                text=it.text,
                count=it.count,
                first_line=it.first_line,
                last_line=it.last_line,
                first_time=iso(it.first_sender_at),
                last_time=iso(it.last_sender_at),
            )
            for it in found.problems
        ],
        groups=found.groups,
        first_error=first_error,
    )

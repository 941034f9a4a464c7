"""JSON of logs: lines, stretches of lines, what a search found, problems."""

import msgspec

from goliat_monitoring.store.read.log_search import Found, FoundInStudy
from goliat_monitoring.store.read.logs import LogLine, LogPage
from goliat_monitoring.store.read.problems import Problems
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


class FoundAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`total`: matching lines of the whole log. `numbers`: those after the asked number, at most 10,000, of which the
    first is match `skipped + 1` of `total`; `lines`: the first of them. `searched`: lines looked at, of `ofLines`.
    `complete`: all of them. If not, the time was over and there may be more matches than `total`.
    """

    total: int
    skipped: int
    numbers: list[int]
    lines: list[LineJson]
    searched: int
    of_lines: int
    complete: bool


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
    )


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

"""What log lines say by themselves, whatever run they belong to."""

from collections.abc import Sequence
from typing import NamedTuple

from goliat_monitoring.fleet.signs import HEAD, Sign, may_begin, may_prove, sign_of_line
from goliat_monitoring.store.log.held import LONGEST_MESSAGE, Body
from goliat_monitoring.store.log.phases import MARKS, Took, took
from goliat_monitoring.store.log.solver import SolverProgress, solver_progress
from goliat_monitoring.wire.client import LogBatch
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.lines import Line, is_plain, lines_of_batch, plain


class Reading(NamedTuple):
    """Lines and what is in them. `newest`: time and text of the last one that shows something; `solver`: the newest
    progress of the solver and its time; `times`: what phases and subtasks took, and when they were over. Times by the
    sender's clock, UTC microseconds.

    `lines` is empty where the message that holds them can wait for its number as it came: as `body`.
    """

    lines: Sequence[Line]
    body: Body | None
    first_at: int
    last_at: int
    newest: tuple[int, str] | None
    warnings: int
    errors: int
    signs: list[Sign]
    solver: tuple[int, SolverProgress] | None
    times: list[tuple[int, Took]]


def read_lines(lines: Sequence[Line]) -> Reading:
    """Read at least one line."""
    whole = "".join([line.text for line in lines])
    times, levels = [line.time for line in lines], [line.level for line in lines]
    return _reading(lines, None, (min(times), max(times)), _newest(lines), levels, _telling(lines, whole), whole)


def read_batch(batch: LogBatch, body: bytes) -> Reading | None:
    """What `read_lines` finds in the lines of a message `body` that holds this batch, without making lines of it.

    None where there is no line, or a text that has to be looked at more closely.
    """
    logs = batch.logs
    texts = [entry.message for entry in logs]
    whole = "".join(texts)
    if not texts or len(body) > LONGEST_MESSAGE or not is_plain(whole):
        return None
    times = [entry.timestamp for entry in logs]
    levels = [entry.log_type for entry in logs]
    last = logs[-1]
    shown = plain(last.message).strip()
    latest = max(times)
    telling: Sequence[Line] = ()
    newest: tuple[int, str] | None = (round(last.timestamp * SECOND), shown)
    if (
        not shown or latest > last.timestamp or "error" in levels or "fatal" in levels or _may_tell(whole)
        or may_begin([text[:HEAD] for text in texts])
    ):  # fmt: skip
        lines = lines_of_batch(batch)
        newest, telling = _newest(lines), _telling(lines, whole)
    span = round(min(times) * SECOND), round(latest * SECOND)
    return _reading((), Body(len(texts), body), span, newest, levels, telling, whole)


def _telling(lines: Sequence[Line], whole: str) -> Sequence[Line]:
    """Those of `lines` that may say more than that they are there. `whole`: all of them, as most hold none of it."""
    return lines if _may_tell(whole) else [line for line in lines if may_prove(line.level, line.text)]


def _may_tell(whole: str) -> bool:
    """Whether there is something in the texts for which each must be looked at."""
    return "\x1b" in whole or "MCells/s" in whole or MARKS[0] in whole or MARKS[1] in whole


def _reading(
    lines: Sequence[Line],
    body: Body | None,
    span: tuple[int, int],
    newest: tuple[int, str] | None,
    levels: Sequence[str],
    telling: Sequence[Line],
    whole: str,
) -> Reading:
    warnings = levels.count("warning")
    errors = levels.count("error") + levels.count("fatal")
    signs: list[Sign] = []
    solver: tuple[int, SolverProgress] | None = None
    times: list[tuple[int, Took]] = []
    progress = telling and "MCells/s" in whole
    marks = telling and (MARKS[0] in whole or MARKS[1] in whole)
    for line in telling:
        at, level, text = line.time, line.level, plain(line.text).strip()
        # What a study prints may quote anything; only its log proves something.
        if line.source != "print" and may_prove(level, text):
            sign = sign_of_line(level, text, at)
            if sign is not None:
                signs.append(sign)
        if progress and "MCells/s" in text:
            found = solver_progress(text)
            if found is not None and (solver is None or at >= solver[0]):
                solver = (at, found)
        elif marks and line.source != "print":
            took_it = took(text)
            if took_it is not None:
                times.append((at, took_it))
    return Reading(lines, body, *span, newest, warnings, errors, signs, solver, times)


def _newest(lines: Sequence[Line]) -> tuple[int, str] | None:
    """Time and text of the last line that shows something, by its sender's clock."""
    newest: tuple[int, str] | None = None
    for line in reversed(lines):
        if newest is None or line.time > newest[0]:
            text = plain(line.text).strip()
            if text:
                newest = line.time, text
    return newest

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

    @property
    def is_calm(self) -> bool:
        """Whether nothing is in the lines but lines."""
        return not self.signs and self.solver is None and not self.times


def read_lines(lines: Sequence[Line]) -> Reading:
    """Read at least one line."""
    texts = [line.text for line in lines]
    times, levels = [line.time for line in lines], [line.level for line in lines]
    return _reading(times, levels, texts, "".join(texts), lines, None)


def read_batch(batch: LogBatch, body: bytes) -> Reading | None:
    """What `read_lines` finds in the lines of a message `body` that holds this batch, without making lines of it.

    None where there is no line, or a text that has to be looked at more closely.
    """
    logs = batch.logs
    texts = [entry.message for entry in logs]
    whole = "".join(texts)
    if not texts or len(body) > LONGEST_MESSAGE or not is_plain(whole):
        return None
    times = [round(entry.timestamp * SECOND) for entry in logs]
    return _reading(times, [entry.log_type for entry in logs], texts, whole, batch, Body(len(texts), body))


def _reading(
    times: list[int],
    levels: Sequence[str],
    texts: list[str],
    whole: str,
    source: Sequence[Line] | LogBatch,
    body: Body | None,
) -> Reading:
    """The lines of `source` by column; `whole`: all texts in one, as most hold nothing of what is looked for."""
    latest, warnings, errors = max(times), levels.count("warning"), levels.count("error") + levels.count("fatal")
    shown = plain(texts[-1]).strip() if times[-1] == latest else ""
    newest = (latest, shown) if shown else _newest(times, texts)
    lines = () if isinstance(source, LogBatch) else source
    signs: list[Sign] = []
    solver: tuple[int, SolverProgress] | None = None
    took_times: list[tuple[int, Took]] = []
    progress, marks = "MCells/s" in whole, MARKS[0] in whole or MARKS[1] in whole
    if errors or progress or marks or "\x1b" in whole or may_begin([text[:HEAD] for text in texts]):
        for line in lines_of_batch(source) if isinstance(source, LogBatch) else source:
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
                    took_times.append((at, took_it))
    return Reading(lines, body, min(times), latest, newest, warnings, errors, signs, solver, took_times)


def _newest(times: list[int], texts: list[str]) -> tuple[int, str] | None:
    """Time and text of the last line that shows something, by its sender's clock."""
    newest: tuple[int, str] | None = None
    for time, text in zip(reversed(times), reversed(texts), strict=True):
        if newest is None or time > newest[0]:
            shown = plain(text).strip()
            if shown:
                newest = time, shown
    return newest

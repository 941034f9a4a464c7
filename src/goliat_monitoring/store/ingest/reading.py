"""What log lines say by themselves, whatever run they belong to. Read before the writer's turn, which all wait for."""

from typing import NamedTuple

from goliat_monitoring.fleet.signs import Sign, may_prove, sign_of_line
from goliat_monitoring.store.log.phases import MARKS, Took, took
from goliat_monitoring.store.log.solver import SolverProgress, solver_progress
from goliat_monitoring.wire.lines import Line, plain

LOUD = frozenset({"warning", "error", "fatal"})


class Reading(NamedTuple):
    """Lines and what is in them. `newest`: time and text of the last one that shows something; `solver`: the newest
    progress of the solver and its time; `times`: what phases and subtasks took, and when they were over. Times by the
    sender's clock, UTC microseconds.
    """

    lines: list[Line]
    first_at: int
    newest: tuple[int, str] | None
    warnings: int
    errors: int
    signs: list[Sign]
    solver: tuple[int, SolverProgress] | None
    times: list[tuple[int, Took]]


def read_lines(lines: list[Line]) -> Reading:
    """Read at least one line."""
    loud = [line.level for line in lines if line.level in LOUD]
    warnings = loud.count("warning")
    signs: list[Sign] = []
    solver: tuple[int, SolverProgress] | None = None
    times: list[tuple[int, Took]] = []
    # Looked for once in all of them: most hold none of it.
    whole = "".join([line.text for line in lines])
    escapes, progress = "\x1b" in whole, "MCells/s" in whole
    marks = MARKS[0] in whole or MARKS[1] in whole
    telling = lines if escapes or progress or marks else [line for line in lines if may_prove(line.level, line.text)]
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
    first_at = min([line.time for line in lines])
    return Reading(lines, first_at, _newest(lines), warnings, len(loud) - warnings, signs, solver, times)


def _newest(lines: list[Line]) -> tuple[int, str] | None:
    """Time and text of the last line that shows something, by its sender's clock."""
    newest: tuple[int, str] | None = None
    for line in reversed(lines):
        if newest is None or line.time > newest[0]:
            text = plain(line.text).strip()
            if text:
                newest = line.time, text
    return newest

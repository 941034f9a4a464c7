"""What the FDTD solver says of itself: how far it is and how fast.

iSolve prints every few seconds `[PROGRESS]: 34% [1000/50000] Time Update, estimated remaining time 9 seconds @ 1234.5
MCells/s`; GOLIAT repeats it at 0, 33 and 66 % as `      - FDTD: 33% (9 seconds remaining @ 1234.5 MCells/s)`.
"""

import math
import re
from collections.abc import Callable

import msgspec

from goliat_monitoring.wire.lines import plain

_UNIT = "MCells/s"
_NUMBER = r"(\d{1,12}(?:\.\d{0,12})?)"
# What may be long holds no second way to match it: a hostile text costs one pass for each place it may begin.
_PROGRESS = re.compile(rf"\[PROGRESS\]:\s*{_NUMBER}\s*%\s*\[[^\]]*\]([^@]*)@\s*{_NUMBER}\s*MCells/s", re.ASCII)
_MILESTONE = re.compile(rf"- FDTD:\s*{_NUMBER}\s*%\s*\(([^@]*)@\s*{_NUMBER}\s*MCells/s\)", re.ASCII)
_PART = re.compile(rf"{_NUMBER}\s*([a-z]+)", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,9}) days?, )?(\d{1,9}):(\d\d):(\d\d(?:\.\d{1,9})?)", re.ASCII)
_SECONDS_OF = {"d": 86400, "h": 3600, "m": 60, "s": 1}
# Longer texts hold no solver line; the search stays short whatever a sender makes up.
_LONGEST = 1000


class SolverProgress(msgspec.Struct, frozen=True):
    """`percent` 0 to 100; `mcells_per_s`: million cells a second; `remaining_s`: the solver's own guess in seconds."""

    percent: float
    mcells_per_s: float
    remaining_s: float | None


def solver_progress(text: str) -> SolverProgress | None:
    """The values of one of iSolve's own progress lines, with or without terminal escapes; None for any other line."""
    return _read(_PROGRESS, text, lambda between: between.partition("remaining time")[2]) if _UNIT in text else None


def solver_milestone(text: str) -> SolverProgress | None:
    """The values of GOLIAT's line at 0, 33 and 66 %. Its percentage is nominal: it says 0 % at 2 %."""
    return _read(_MILESTONE, text, lambda between: between.partition("remaining")[0]) if _UNIT in text else None


def _read(form: re.Pattern[str], text: str, duration: Callable[[str], str]) -> SolverProgress | None:
    """`duration` takes the part that tells the remaining time out of what stands between percentage and speed."""
    if len(text) > _LONGEST:
        return None
    found = form.search(plain(text))
    if found is None:
        return None
    percent, between, speed = found.groups()
    return SolverProgress(min(float(percent), 100.0), float(speed), _seconds(duration(between)))


def _seconds(text: str) -> float | None:
    """Seconds of `1 minutes 3 seconds`, `2 hours`, `0:00:09` or `1 day, 2:03:04`; None for what is no duration."""
    clock = _CLOCK.fullmatch(text.strip())
    if clock is not None:
        days, hours, minutes, seconds = (float(part or 0) for part in clock.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    parts = _PART.findall(text.lower())
    # `ms` begins like minutes, and a unit nobody knows makes the whole a guess.
    if not parts or any(unit[0] not in _SECONDS_OF or unit in ("ms", "months", "month") for _, unit in parts):
        return None
    return math.fsum(float(number) * _SECONDS_OF[unit[0]] for number, unit in parts)

"""What GOLIAT's messages and log lines prove: raw GUI traffic in, signs out. Never raises on hostile input."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from goliat_monitoring.wire.lines import lines_of_message, plain

MAX_TEXT = 500


class SignKind(StrEnum):
    """What a sign says."""

    SIM_STARTED = "sim_started"
    RUN_DONE = "run_done"
    EXTRACTED = "extracted"
    CACHED = "cached"
    RESULT = "result"
    ERROR = "error"
    FATAL = "fatal"
    PROCESS_FAILED = "process_failed"
    MEMORY_ERROR = "memory_error"
    CANCELLED = "cancelled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Sign:
    """One piece of evidence about a run.

    `at`: UTC microseconds of the sender; the time of the event where `line` (a log line), else the time at which
    GOLIAT's queue got round to sending it, up to many seconds later. `case_key`: the case, where known (a result).
    `ordinal`: the simulation, from 0, and `total`: how many there are, as announced; `text`: announcement or reason.
    """

    kind: SignKind
    at: int
    text: str = ""
    case_key: str | None = None
    ordinal: int | None = None
    total: int | None = None
    line: bool = False


# The logger appends where the line came from: " [FarFieldStudy._run_single_simulation]".
_ORIGIN = re.compile(r"\s\[[A-Za-z_]\w*(?:\.\w+)+\]\s*$")
_STARTED = re.compile(r"--- Processing Simulation (\d{1,7})/(\d{1,7}): (.*) ---")
_EXITED = re.compile(r"--- Process exited with code (-?\d{1,12}) ---")
# Exact texts of log lines, whatever their level. In GOLIAT 1.3 to 1.5.
_LINES: Mapping[str, SignKind] = {
    "Project already done, skipping.": SignKind.CACHED,
    "GOLIAT_SKIP_IF_EXISTS: Extract deliverables found, skipping entire simulation.": SignKind.CACHED,
    "Skipping run phase, deliverables found.": SignKind.RUN_DONE,
    "--- Memory/allocation error detected (exit code 42) ---": SignKind.MEMORY_ERROR,
    "--- Study execution cancelled by user. ---": SignKind.CANCELLED,
    "--- Study manually stopped by user ---": SignKind.CANCELLED,
    "Study stopped by user.": SignKind.CANCELLED,
    # Logged as a warning, although the phase that has just ended left nothing behind.
    "Deliverables for 'run' phase not found. Metadata not updated.": SignKind.ERROR,
    "Deliverables for 'extract' phase not found. Metadata not updated.": SignKind.ERROR,
}
# The beginnings of all lines that prove something whatever their level, cut to one length so that a look-up tells.
_BEGINNING = 11
_BEGINNINGS = frozenset(text[:_BEGINNING] for text in (*_LINES, "FATAL ERROR in study process"))
# Characters of a line that are enough to see its beginning, unless it is set in deeper than GOLIAT does.
HEAD = 24
# Such beginnings that were met and prove nothing; a log has few. The set only spares a look at each.
_idle: set[str] = set()
MOST_IDLE = 16_384
_BAD = frozenset({"error", "fatal"})
_STAGES: Mapping[str, SignKind] = {
    "Running Simulation": SignKind.RUN_DONE,
    "Extracting Results": SignKind.EXTRACTED,
}


def signs_of_message(message: Mapping[str, object], sent_at: int) -> list[Sign]:
    """The signs in one GUI message; `sent_at`: when it was sent, on the sender's clock, UTC microseconds.

    `print` messages are no evidence: they hold whatever any library wrote.
    """
    kind = message.get("type")
    if kind in ("log_batch", "terminal_only", "status"):
        found = (sign_of_line(line.level, line.text, line.time) for line in lines_of_message(message, sent_at))
        return [sign for sign in found if sign is not None]
    sign: Sign | None = None
    if kind == "sim_details":
        sign = _started(message.get("count"), message.get("total"), message.get("details"), sent_at)
    elif kind == "simulation_details":
        count, total = message.get("simulation_count"), message.get("total_simulations")
        sign = _started(count, total, message.get("current_case"), sent_at)
    elif kind == "stage_progress":
        # Only the study's own 1/1; the window repeats its bar, as percent, under the last stage's name.
        name = message.get("name")
        if (
            isinstance(name, str)
            and name in _STAGES
            and _number(message.get("current")) == 1 == _number(message.get("total"))
        ):
            sign = Sign(_STAGES[name], sent_at)
    elif kind == "memory_error":
        sign = Sign(SignKind.MEMORY_ERROR, sent_at, _text(message.get("message")))
    elif kind == "fatal_error":
        sign = Sign(SignKind.PROCESS_FAILED, sent_at, _text(message.get("message")))
    elif kind == "finished":
        sign = Sign(SignKind.FINISHED, sent_at, _text(message.get("message")))
    return [] if sign is None else [sign]


def may_prove(level: str, text: str) -> bool:
    """Whether `sign_of_line` is worth asking: False for nearly all lines. `text`: without terminal escapes."""
    head = text[:HEAD]
    return level in _BAD or (head not in _idle and may_begin((head,)))


def may_begin(heads: Sequence[str]) -> bool:
    """Whether any of some lines may prove something whatever its level, by their first `HEAD` characters."""
    if _idle.issuperset(heads):
        return False
    found = [head for head in heads if _may_begin(head)]
    if len(_idle) >= MOST_IDLE:
        _idle.clear()
    _idle.update(head for head in heads if head not in found)
    return bool(found)


def _may_begin(head: str) -> bool:
    beginning = head.lstrip()
    if len(beginning) < _BEGINNING and len(head) == HEAD:
        return True
    return beginning[:_BEGINNING] in _BEGINNINGS or beginning.startswith("--- ")


def sign_of_line(level: str, text: str, at: int) -> Sign | None:
    """The sign in one log line, None in most. `text` may hold terminal escapes and end with " [Class.method]".

    Lines whose source is `print` are no evidence and should not be passed.
    """
    if len(text) > 20_000:
        text = text[:20_000]
    line = _ORIGIN.sub("", plain(text)).strip()
    kind = _kind_of_line(level, line)
    if kind is SignKind.SIM_STARTED:
        started = _STARTED.fullmatch(line)
        return _started(started[1], started[2], started[3], at, line=True) if started else None
    return None if kind is None else Sign(kind, at, line[:MAX_TEXT], line=True)


def _kind_of_line(level: str, line: str) -> SignKind | None:
    bad = level in _BAD
    exited = _EXITED.fullmatch(line)
    kind: SignKind | None = None
    if line in _LINES:
        kind = _LINES[line]
    elif _STARTED.fullmatch(line):
        kind = SignKind.SIM_STARTED
    elif exited:
        kind = SignKind.MEMORY_ERROR if int(exited[1]) == 42 else SignKind.PROCESS_FAILED
    elif line.startswith("FATAL ERROR in study process"):
        kind = SignKind.PROCESS_FAILED
    elif line.startswith("--- FATAL ERROR in study"):
        kind = SignKind.FATAL
    elif bad and line.endswith("Study cancelled by user."):
        kind = SignKind.CANCELLED
    elif bad and line.startswith("iSolve: Memory/allocation error detected"):
        # 1.5 warns at the first one and tries again; at error level the process is about to end.
        kind = SignKind.MEMORY_ERROR
    elif bad:
        kind = SignKind.FATAL if level == "fatal" else SignKind.ERROR
    return kind


def _started(count: object, total: object, details: object, at: int, line: bool = False) -> Sign | None:
    number, number_of = _number(count), _number(total)
    text = _text(details)
    if number is None and not text:
        return None
    ordinal = None if number is None or number < 1 else number - 1
    return Sign(SignKind.SIM_STARTED, at, text, ordinal=ordinal, total=number_of or None, line=line)


def _number(value: object) -> int | None:
    """A whole number from 0 to ten million; text and floats that are one count."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and len(value) > 20:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return int(number) if 0 <= number <= 10_000_000 and number.is_integer() else None


def _text(value: object) -> str:
    return plain(value[:20_000]).strip()[:MAX_TEXT] if isinstance(value, str) else ""

"""Why a run failed, as far as that decides what to do next: the machine, the input, a licence, a person."""

import re
from collections.abc import Iterable
from enum import StrEnum

from goliat_monitoring.fleet.signs import Sign, SignKind
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import MINUTE

# A mistake in the input shows before the first simulation is set up: 19 to 33 % of a simulation's time is its setup.
FAST = 15 * MINUTE
LICENCE = re.compile(r"\blicen[cs](?:e|es|ing)\b", re.IGNORECASE)
KEY_LENGTH = 200

_PATH = re.compile(r"(?:[A-Za-z]:)?[\\/][^\s'\":;,]*[\\/]")
_NUMBER = re.compile(r"0x[0-9a-f]+|\d+(?:\.\d+)?", re.IGNORECASE)
_TROUBLE = (SignKind.FATAL, SignKind.PROCESS_FAILED, SignKind.ERROR)


class Cause(StrEnum):
    """Why a run ended without success; NONE after a success.

    `fast`: it failed early and proved no case, as a mistake in the input does; `input`: a second worker failed the same
    way, so it is one. `error`: any other failure. `licence`: the solver got no licence.
    """

    NONE = ""
    MEMORY = "memory"
    LOST = "lost"
    LICENCE = "licence"
    FAST = "fast"
    INPUT = "input"
    ERROR = "error"
    PERSON = "person"


# What counts against a worker: it had the work and did not do it.
BLAMES_WORKER = frozenset({Cause.MEMORY, Cause.LOST, Cause.FAST, Cause.ERROR})


def cause_of(outcome: RunState, trouble: str, span: int, done_cases: int) -> Cause:
    """The cause of a run's end. `trouble`: see `trouble_of`. `span`: microseconds from its claim to its end.

    Raises:
        ValueError: the run has not ended.
    """
    if not outcome.terminal:
        raise ValueError(f"a run that is {outcome} has not ended")
    plain = {
        RunState.SUCCEEDED: Cause.NONE,
        RunState.CANCELLED: Cause.PERSON,
        RunState.MEMORY_ERROR: Cause.MEMORY,
        RunState.LOST: Cause.LOST,
    }
    if outcome in plain:
        return plain[outcome]
    if LICENCE.search(trouble):
        return Cause.LICENCE
    return Cause.FAST if trouble and not done_cases and span <= FAST else Cause.ERROR


def trouble_of(signs: Iterable[Sign], reason: str) -> str:
    """The text of what went wrong: the first fatal line, else the first failure of the process, else the first error;
    without any, `reason` where it tells of the process's end, else ""."""
    ordered = sorted(signs, key=lambda sign: sign.at)
    for kind in _TROUBLE:
        found = next((sign.text for sign in ordered if sign.kind is kind and sign.text), None)
        if found is not None:
            return found
    return reason if reason.startswith(("the process ended", "GOLIAT could not be started")) else ""


def failure_key(trouble: str) -> str:
    """The same text for the same failure on any machine: without folders, numbers and case. "" for no text."""
    text = _NUMBER.sub("#", _PATH.sub("", trouble.partition("; ")[0]))
    return " ".join(text.casefold().split())[:KEY_LENGTH]

"""How long GOLIAT's phases and their subtasks took, from its own lines.

It says `      - Subtask 'setup_voxelize' done in 12.31s` after each subtask and `--- Finished: setup (took 85.12s) ---`
after each phase. What its window shows as timings is made from the same figures; it sends them nowhere else.
"""

import re

import msgspec

# Both forms hold it; a quick look before the expressions.
MARKS = ("Subtask '", "--- Finished: ")
_SECONDS = r"(\d{1,9}(?:\.\d{1,6})?)s"
_SUBTASK = re.compile(rf"- Subtask '(\w{{1,80}})' done in {_SECONDS}", re.ASCII)
_PHASE = re.compile(rf"--- Finished: (\w{{1,40}}) \(took {_SECONDS}\) ---", re.ASCII)
# Longer texts hold no such line; the search stays short whatever a sender makes up.
_LONGEST = 400


class Took(msgspec.Struct, frozen=True):
    """`subtask`: "" for the whole phase. `phase`: setup, run, extract, or whatever the sender calls it."""

    phase: str
    subtask: str
    seconds: float


def took(text: str) -> Took | None:
    """What a line without terminal escapes says about the time something took; None for any other line."""
    if len(text) > _LONGEST:
        return None
    found = _PHASE.search(text)
    if found is not None:
        return Took(found[1], "", float(found[2]))
    found = _SUBTASK.search(text)
    if found is not None:
        return Took(found[1].partition("_")[0], found[1], float(found[2]))
    return None

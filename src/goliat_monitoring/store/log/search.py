"""Searching the plain lines of a log, many at once.

Patterns come from people. RE2 matches in time that grows with the text alone; Python's own expressions may take longer
than the universe has. Its syntax: https://github.com/google/re2/wiki/Syntax
"""

import re
from collections.abc import Callable
from typing import Any

import re2

from goliat_monitoring.wire.errors import Refused

LONGEST_QUERY = 1000
# Instructions of a compiled pattern. Where RE2 runs out of states it steps through all of them for each byte; this many
# take about a second for the text of a whole chunk.
LARGEST_PROGRAM = 2000
# Matches in one line that are pointed out.
MOST_SPANS = 50
# Finds the next match in the second argument's rest of the first: where it begins and ends; -1 where there is none.
Finder = Callable[[bytes, int], tuple[int, int]]
# What speaks of the ends of the whole text, of single bytes, or takes back that `^` and `$` are the ends of a line.
_NEEDS_SINGLE_LINES = re.compile(r"\\[AzC]|\(\?[a-zA-Z]*-")


class Query:
    """What is searched for: a text or a regular expression. Case is ignored character by character, as Unicode folds.

    Raises `Refused` 400 that says what is wrong with an expression, and where.
    """

    def __init__(self, text: str, *, regex: bool = False, ignore_case: bool = False) -> None:
        if not text or len(text) > LONGEST_QUERY or "\n" in text:
            details = f"needs 1 to {LONGEST_QUERY} characters and no line break, as each line is searched alone"
            raise Refused(400, "bad search text", details)
        self._single = regex and _NEEDS_SINGLE_LINES.search(text) is not None
        wanted = text.encode("utf-8", "surrogatepass")
        self._finder = _matching(wanted, regex, ignore_case) if regex or ignore_case else _containing(wanted)

    def matches(self, blob: bytes) -> list[int]:
        """The lines of `blob` that match, by index from 0, each once. `blob`: UTF-8, joined by line breaks."""
        find = self._finder
        if self._single:
            return [i for i, line in enumerate(blob.split(b"\n")) if find(line, 0)[0] >= 0]
        found: list[int] = []
        index = at = 0
        while (hit := find(blob, at)[0]) >= 0:
            index += blob.count(b"\n", at, hit)
            found.append(index)
            end = blob.find(b"\n", hit)
            if end < 0:
                break
            at = end + 1
            index += 1
        return found

    def in_line(self, text: str) -> bool:
        """Whether one line matches. `text`: without terminal escapes."""
        return self._finder(text.encode("utf-8", "surrogatepass"), 0)[0] >= 0

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where one line matches: first unit and the one after the last, in UTF-16 as browsers count; the first
        `MOST_SPANS` that are not empty.
        """
        blob = text.encode("utf-8", "surrogatepass")
        found: list[tuple[int, int]] = []
        at = 0
        while len(found) < MOST_SPANS and at < len(blob):
            start, end = self._finder(blob, at)
            if start < 0:
                break
            if end > start:
                found.append((_units(blob, start, text), _units(blob, end, text)))
            at = max(end, start + 1)
        return found


def _units(blob: bytes, end: int, text: str) -> int:
    """How many units of UTF-16 the first `end` bytes of `blob`, the UTF-8 of `text`, are."""
    if text.isascii():
        return end
    return len(blob[:end].decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")) // 2


def _containing(wanted: bytes) -> Finder:
    def find(blob: bytes, at: int) -> tuple[int, int]:
        start = blob.find(wanted, at)
        return start, start + len(wanted)

    return find


def _matching(wanted: bytes, regex: bool, ignore_case: bool) -> Finder:
    options = re2.Options()
    options.literal = not regex
    options.case_sensitive = not ignore_case
    options.never_nl = True  # a match ends with its line, whatever the pattern says
    options.never_capture = True
    options.log_errors = False
    compiled = _compile(wanted, options)
    if regex:
        # Only now: a complaint must speak of the pattern as it was written.
        compiled = _compile(b"(?m)" + wanted, options)
        if compiled.programsize > LARGEST_PROGRAM:
            raise Refused(400, "search pattern is too large", "make it shorter, or its {repetitions} smaller")
    # RE2's own cache would keep the states of every pattern that was ever asked for.
    re2.purge()

    def find(blob: bytes, at: int) -> tuple[int, int]:
        found = compiled.search(blob, at)
        return (-1, -1) if found is None else (int(found.start()), int(found.end()))

    return find


def _compile(pattern: bytes, options: re2.Options) -> Any:
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        # RE2 says `what is wrong: the part of the pattern`, in bytes where its own library speaks.
        said = error.args[0]
        problem = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        part = problem.partition(": ")[2].encode()
        before, found, _ = pattern.partition(part) if part else (pattern, b"", b"")
        where = f" at character {len(before.decode('utf-8', 'replace')) + 1}" if found else ""
        raise Refused(400, "bad search pattern", problem + where) from error

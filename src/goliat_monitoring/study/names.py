"""Names of super studies: unique without regard to case, and usable as a file name on every system."""

import unicodedata
from collections.abc import Collection

from goliat_monitoring.study.portable import segment_problem

MAX_NAME = 120
# GOLIAT writes `configs/<name>_assignment_<index>.json`, a file name of at most 255 bytes.
MAX_NAME_BYTES = 200


class NameProblem(ValueError):
    """A name that cannot be used; the text says why and what to do."""


def check_study_name(name: str) -> str:
    """`name` without surrounding white space, in Unicode normal form C.

    Accepted: 1 to 120 characters, letters of any script, that make one portable path segment and do not begin with a
    dot.

    Raises:
        NameProblem: anything else.
    """
    clean = unicodedata.normalize("NFC", name).strip()
    if not clean:
        raise NameProblem("The name is empty. Give the super study a name of 1 to 120 characters.")
    if len(clean) > MAX_NAME or len(clean.encode(errors="replace")) > MAX_NAME_BYTES:
        raise NameProblem(
            f"The name is too long: {len(clean)} characters. Use at most {MAX_NAME} ({MAX_NAME_BYTES} bytes in UTF-8)."
        )
    problem = "it begins with a dot" if clean.startswith(".") else segment_problem(clean)
    if problem:
        raise NameProblem(
            f"The name cannot be used as a file name: {problem}. Use letters, digits, spaces, '-', '_' and dots inside."
        )
    return clean


def next_free_name(name: str, taken: Collection[str]) -> str:
    """`name` if it is free, else the first free of `name-2`, `name-3`, ...; case is ignored in the comparison.

    The result is a valid name if `name` is one: the stem is shortened where the number would make it too long.
    """
    used = {_folded(other) for other in taken}
    if _folded(name) not in used:
        return name
    number = 2
    while True:
        suffix = f"-{number}"
        stem = name
        while len(stem) + len(suffix) > MAX_NAME or len((stem + suffix).encode(errors="replace")) > MAX_NAME_BYTES:
            stem = stem[:-1]
        if _folded(stem + suffix) not in used:
            return stem + suffix
        number += 1


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()

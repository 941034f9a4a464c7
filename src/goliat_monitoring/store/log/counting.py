"""Texts that differ only in numbers which grow by one: `attempt 17`, `attempt 18`.

A *growth* says for each number in a text, in order, whether it grows (1) or stays (0); it is empty where the texts
are equal. The first text, the growth and a count give back every text between, character by character.
"""

import re

Growth = tuple[int, ...]
# ASCII only: other digits have no agreed way to be written one higher.
_NUMBERS = re.compile(r"([0-9]+)")


def growth(first: str, later: str, times: int = 1) -> Growth | None:
    """What grew by one, `times` times over, from `first` to `later`; None where anything else differs."""
    if first == later:
        return ()
    return growth_of_parts(parts_of(first), parts_of(later), times)


def parts_of(text: str) -> list[str]:
    """`text` cut at its numbers: text, number, text, …, text."""
    return _NUMBERS.split(text)


def growth_of_parts(first: list[str], later: list[str], times: int = 1) -> Growth | None:
    """`growth` of two different texts that are cut already."""
    if len(first) != len(later):
        return None
    growing = []
    for i, (was, now) in enumerate(zip(first, later, strict=True)):
        if i % 2:
            growing.append(int(was != now))
        if was != now and (i % 2 == 0 or _higher(was, times) != now):
            return None
    return tuple(growing)


def grown(parts: list[str], growing: Growth, times: int) -> str:
    """The text whose first form is `parts`, `times` steps later."""
    if not growing:
        return "".join(parts)
    later = parts.copy()
    for i, grows in enumerate(growing):
        if grows:
            later[2 * i + 1] = _higher(parts[2 * i + 1], times)
    return "".join(later)


def _higher(number: str, by: int) -> str:
    """`009` and 1 give `010`."""
    return str(int(number) + by).zfill(len(number))

"""Log lines for what is written without HTTP: the texts of `lua/lines.lua`, so that both loads are alike."""

import random
import re
import time
from collections.abc import Sequence
from pathlib import Path

from goliat_monitoring.wire.lines import Line

_SOURCE = (Path(__file__).parent / "lua" / "lines.lua").read_text("utf-8")
TEXTS: Sequence[tuple[str, ...]] = [
    (level, *text.split("#")) for level, text in re.findall(r'^  \{ "(\w+)", "(.*)" \},$', _SOURCE, re.MULTILINE)
]
# A word that no other line holds.
NEEDLE = "zygomaticofrontal"
_random = random.Random(1)  # noqa: S311 - no secret


def lines(run: int, first: int, count: int, at: int | None = None, step: int = 20_000) -> list[Line]:
    """`count` lines of a run from number `first` on; the first at `at` (UTC microseconds), `step` between them."""
    began = time.time_ns() // 1000 if at is None else at
    found = []
    for number in range(first, first + count):
        level, head, middle, tail = TEXTS[number % len(TEXTS)]
        text = f"{head}{_random.randrange(1000)}{middle}{_random.randrange(1000):03d}{tail}  [{run}/{number}]"
        found.append(Line(began + (number - first) * step, level, "status", text))
    return found


def batch_of_lines(run: int, first: int) -> list[tuple[int, str, str, str]]:
    """Ten lines as a row of the log holds them."""
    return [(line.time, line.level, line.source, line.text) for line in lines(run, first, 10)]

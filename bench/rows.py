"""What a measurement hands back: rows of one table. A figure that was not measured is told as such, never made up."""

from collections.abc import Sequence
from enum import StrEnum
from statistics import median

import msgspec


class Verdict(StrEnum):
    """`shown`: a figure without a bar of its own. `not_counted`: the load generator was too slow to prove anything."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    SHOWN = "shown"
    NOT_COUNTED = "not counted"
    NOT_MEASURED = "not measured"


class NoFigure(Exception):
    """Something went wrong that no figure may hide. The text says what."""


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of the table, as text. `ours` and `limit` are absolute, each the median of the rounds."""

    what: str
    verdict: Verdict
    ours: str = ""
    limit: str = ""
    ratio: str = ""
    bar: str = ""
    note: str = ""


def not_measured(what: str, why: str, bar: str = "") -> Row:
    """A row that says why there is no figure."""
    return Row(what=what, verdict=Verdict.NOT_MEASURED, bar=bar, note=f"not measured: {why}")


def at_least(value: float, bar: float) -> Verdict:
    """Whether a ratio reaches its bar."""
    return Verdict.PASS if value >= bar else Verdict.FAIL


def at_most(value: float, bar: float) -> Verdict:
    """Whether a time or a size stays within its bar."""
    return Verdict.PASS if value <= bar else Verdict.FAIL


def ratio_of(ours: Sequence[float], limits: Sequence[float]) -> float:
    """The median of the ratios of neighbours: noise that lasts longer than a round hits both sides of each."""
    return median(one / limit for one, limit in zip(ours, limits, strict=True))


def whole(value: float) -> str:
    """A count with thin spaces: 12 345."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def spread(values: Sequence[float]) -> str:
    """Lowest to highest of the rounds."""
    return f"{whole(min(values))} to {whole(max(values))}"

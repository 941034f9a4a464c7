"""How samples become fewer with age: many in one span of time are told as smallest, mean and largest. Pure.

A sample as it came is {name: value}. A rolled-up row says, of a number, [smallest, mean, largest, how many], and of a
text [the last one, when]: enough that a sample that comes late still finds its exact place.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

# Microseconds.
SECOND = 1_000_000


class Spread(msgspec.Struct, array_like=True, frozen=True):
    """Some numbers as one: `smallest`, `mean`, `largest`, and `count` of them."""

    smallest: float
    mean: float
    largest: float
    count: int


class Last(msgspec.Struct, array_like=True, frozen=True):
    """Of some texts the last: `text`, said `at` (sender's clock, UTC microseconds)."""

    text: str
    at: int


Value = Spread | Last
Values = dict[str, Value]


class Row(NamedTuple):
    """One row of samples of one run and kind. `step`: seconds it stands for, 0 as it came; `at`: its beginning, by the
    sender's clock; `received_at`: the newest receive time in it; both UTC microseconds. `body`: JSON.
    """

    step: int
    at: int
    received_at: int
    body: str


_decode = msgspec.json.Decoder(dict[str, object]).decode
_encode = msgspec.json.Encoder().encode


def start_of(at: int, step: int) -> int:
    """The beginning of the span of `step` seconds that `at` lies in. A span holds its beginning, not its end."""
    return at - at % (step * SECOND)


def gathered(rows: Iterable[Row], step: int) -> dict[int, Values]:
    """What `rows` say together in each span of `step` seconds (their own steps must divide it), or with 0 at each time.

    A value that is neither number nor text is left out. Where a name has numbers and texts in one span, the numbers
    stay; of two texts at the same time always the same one does.
    """
    spans: dict[int, dict[str, _Sum | Last]] = {}
    for row in rows:
        at = start_of(row.at, step) if step else row.at
        span = spans.get(at)
        if span is None:
            span = spans[at] = {}
        for name, it in _decode(row.body).items():
            known = span.get(name)
            value = it if row.step == 0 and type(it) is float else _value(it, row)
            if isinstance(value, float):
                if isinstance(known, _Sum):
                    known.add(value, value, value, 1)
                else:
                    span[name] = _Sum(value, value, value, 1)
            elif isinstance(value, Spread):
                total = value.mean * value.count
                if isinstance(known, _Sum):
                    known.add(value.smallest, total, value.largest, value.count)
                else:
                    span[name] = _Sum(value.smallest, total, value.largest, value.count)
            elif value is not None and not isinstance(known, _Sum):
                span[name] = value if known is None else max(known, value, key=_time_and_text)
    return {
        at: {name: it.spread() if isinstance(it, _Sum) else it for name, it in of.items()} for at, of in spans.items()
    }


def roll_up(rows: Iterable[Row], step: int) -> list[Row]:
    """`rows` as rows of `step` seconds, in order of time. Their own steps must divide `step`."""
    rows = list(rows)
    received: dict[int, int] = {}
    for row in rows:
        at = start_of(row.at, step)
        received[at] = max(row.received_at, received.get(at, row.received_at))
    return [Row(step, at, received[at], _encode(said).decode()) for at, said in sorted(gathered(rows, step).items())]


class _Sum:
    """Numbers as they are gathered."""

    __slots__ = ("count", "largest", "smallest", "total")

    def __init__(self, smallest: float, total: float, largest: float, count: int) -> None:
        self.smallest, self.total, self.largest, self.count = smallest, total, largest, count

    def add(self, smallest: float, total: float, largest: float, count: int) -> None:
        """Some more. Compared by hand, as this happens for each value of each sample."""
        self.smallest = min(self.smallest, smallest)
        self.largest = max(self.largest, largest)
        self.total += total
        self.count += count

    def spread(self) -> Spread:
        """All together. The mean lies between the ends, whatever rounding or an overflow made of the sum."""
        mean = self.total / self.count
        if not math.isfinite(mean):
            mean = self.smallest / 2 + self.largest / 2
        return Spread(self.smallest, min(max(mean, self.smallest), self.largest), self.largest, self.count)


def _time_and_text(last: Last) -> tuple[int, str]:
    return last.at, last.text


def _value(it: object, row: Row) -> float | Value | None:
    if row.step == 0:
        if isinstance(it, str):
            return Last(it, row.at)
        return float(it) if isinstance(it, (int, float)) and not isinstance(it, bool) else None
    match it:
        case [str(text), int(at)]:
            return Last(text, at)
        case [int() | float() as smallest, int() | float() as mean, int() | float() as largest, int(count)]:
            return Spread(smallest, mean, largest, count)
    return None

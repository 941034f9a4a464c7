"""How samples become fewer with age: many in one span of time are told as smallest, mean and largest. Pure.

A sample as it came is {name: value}. A rolled-up row says, of a number, [smallest, mean, largest, how many], and of a
text [the last one, when]: enough that a sample that comes late still finds its exact place.
"""

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
    count: int = 1

    def merged(self, other: "Spread") -> "Spread":
        """Both together."""
        count = self.count + other.count
        smallest, largest = min(self.smallest, other.smallest), max(self.largest, other.largest)
        mean = self.mean + (other.mean - self.mean) * (other.count / count)
        return Spread(smallest, min(max(mean, smallest), largest), largest, count)


class Last(msgspec.Struct, array_like=True, frozen=True):
    """Of some texts the last: `text`, said `at` (sender's clock, UTC microseconds)."""

    text: str
    at: int

    def merged(self, other: "Last") -> "Last":
        """The later of both; of two at the same time always the same one."""
        return max(self, other, key=lambda last: (last.at, last.text))


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


_anything = msgspec.json.Decoder(dict[str, object])
_encoder = msgspec.json.Encoder()


def start_of(at: int, step: int) -> int:
    """The beginning of the span of `step` seconds that `at` lies in. A span holds its beginning, not its end."""
    return at - at % (step * SECOND)


def values_of(row: Row) -> Values:
    """What a row says. A value that is neither number nor text (nothing here writes one) is left out."""
    said = _anything.decode(row.body)
    return {name: value for name, it in said.items() if (value := _value(it, row)) is not None}


def merged(first: Values, second: Values) -> Values:
    """Both together. Where one says a number and the other a text of the same name, the number stays."""
    together = dict(first)
    for name, value in second.items():
        known = together.get(name)
        if isinstance(known, Spread):
            together[name] = known.merged(value) if isinstance(value, Spread) else known
        else:
            together[name] = known.merged(value) if isinstance(known, Last) and isinstance(value, Last) else value
    return together


def roll_up(rows: Iterable[Row], step: int) -> list[Row]:
    """`rows` as rows of `step` seconds, in order of time. Their own steps must divide `step`."""
    spans: dict[int, tuple[int, Values]] = {}
    for row in rows:
        at = start_of(row.at, step)
        received_at, values = spans.get(at, (row.received_at, {}))
        spans[at] = max(received_at, row.received_at), merged(values, values_of(row))
    return [Row(step, at, *_row_end(*spans[at])) for at in sorted(spans)]


def _row_end(received_at: int, values: Values) -> tuple[int, str]:
    return received_at, _encoder.encode(values).decode()


def _value(it: object, row: Row) -> Value | None:
    if row.step == 0:
        if isinstance(it, bool):
            return None
        if isinstance(it, (int, float)):
            number = float(it)
            return Spread(number, number, number)
        return Last(it, row.at) if isinstance(it, str) else None
    match it:
        case [str(text), int(at)]:
            return Last(text, at)
        case [int() | float() as smallest, int() | float() as mean, int() | float() as largest, int(count)]:
            return Spread(smallest, mean, largest, count)
    return None

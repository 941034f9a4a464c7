"""What of a bare client's message waits in the reorder window: the message as it came, or the lines found in it."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from goliat_monitoring.wire.client import LogUpdate
from goliat_monitoring.wire.lines import Line, lines_of_batch

# A message that holds much more than its lines is not worth keeping.
LONGEST_MESSAGE = 2**16

_decode_lines = msgspec.json.Decoder(list[Line]).decode
_decode_message = msgspec.json.Decoder(LogUpdate).decode
_encode = msgspec.json.Encoder().encode


class Body(NamedTuple):
    """`lines`: how many `lines_of` reads from `body`."""

    lines: int
    body: bytes


def body_of(lines: Sequence[Line]) -> Body:
    """For lines that were found by a closer look."""
    return Body(len(lines), _encode(lines))


def lines_of(body: bytes) -> list[Line]:
    """The lines in the order in which the sender wrote them."""
    return _decode_lines(body) if body.startswith(b"[") else lines_of_batch(_decode_message(body).message)

"""JSON that Python senders produce, and JSON that nobody should."""

import msgspec
import pytest

from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.decode import decode


def test_a_lone_surrogate_costs_one_character_and_not_the_message() -> None:
    body = rb'{"machineId": "m", "message": {"type": "print", "message": "a\udcffb", "k\ud800": [1]}}'
    said = decode(body, msgspec.json.Decoder(GuiUpdate))
    assert said.message == {"type": "print", "message": "a\ufffdb", "k\ufffd": [1]}


def test_a_surrogate_pair_is_one_character() -> None:
    assert decode(rb'"\ud83d\ude00"', msgspec.json.Decoder(str)) == "\N{GRINNING FACE}"


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b'{"a": NaN}', b"\xff\xfe", rb'"\ud800', b"[" * 100_000])
def test_malformed_json_stays_an_error(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, RecursionError)):
        decode(body, msgspec.json.Decoder(GuiUpdate))

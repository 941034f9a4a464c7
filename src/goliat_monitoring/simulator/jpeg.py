"""A JPEG writer for pictures of coarse squares: baseline, one flat 8x8 block per square, standard library only."""

from collections.abc import Sequence
from functools import cache

Colour = tuple[int, int, int]
# Luminance and chrominance share the standard table for differences of the block means (ITU T.81, table K.3).
_COUNTS = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
_CODES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110", "1111110")
# The other 63 coefficients of every block are zero: one code, one bit.
_END_OF_BLOCK = "0"


def jpeg(rows: Sequence[Sequence[Colour]]) -> bytes:
    """The picture in which each entry of `rows` is a square of 8 by 8 pixels in that colour (red, green, blue)."""
    height, width = len(rows) * 8, len(rows[0]) * 8
    bits: list[str] = []
    last = [0, 0, 0]
    for row in rows:
        for colour in row:
            for channel, mean in enumerate(_ycc(colour)):
                bits.append(_difference(mean - last[channel]))
                last[channel] = mean
    stream = "".join(bits)
    stream += "1" * (-len(stream) % 8)
    scan = int(stream, 2).to_bytes(len(stream) // 8, "big").replace(b"\xff", b"\xff\x00")
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"),
            # With a step of 8 a block's mean is its first coefficient.
            _segment(0xDB, b"\x00" + bytes([8] * 64)),
            _segment(0xC0, bytes([8, height >> 8, height & 255, width >> 8, width & 255, 3]) + components),
            _segment(0xC4, b"\x00" + _COUNTS + bytes(range(12))),
            _segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00"),
            _segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0])),
            scan,
            b"\xff\xd9",
        )
    )


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


@cache
def _ycc(colour: Colour) -> tuple[int, int, int]:
    """Brightness, blueness and redness, each shifted to lie around zero."""
    red, green, blue = colour
    brightness = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(brightness) - 128, round((blue - brightness) * 0.564), round((red - brightness) * 0.713)


@cache
def _difference(value: int) -> str:
    size = abs(value).bit_length()
    if size == 0:
        return _CODES[0] + _END_OF_BLOCK
    # A negative number is written as its complement.
    magnitude = value if value > 0 else value + (1 << size) - 1
    return _CODES[size] + format(magnitude, f"0{size}b") + _END_OF_BLOCK

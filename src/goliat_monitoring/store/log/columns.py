"""Columns of whole numbers as bytes that compress well."""

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise

# Signed and little-endian, from narrow to wide, with the greatest value that fits.
_WIDTHS = (("b", 2**7 - 1), ("h", 2**15 - 1), ("i", 2**31 - 1), ("q", 2**63 - 1))
Column = tuple[str, bytes]


def pack(values: Sequence[int]) -> Column:
    """`values` in the narrowest width that holds all, all lowest bytes first, then all second bytes, and so on:
    bytes of one rank resemble each other. Raises OverflowError outside 64 bits.
    """
    reach = max(max(values, default=0), -1 - min(values, default=0))
    code = next((code for code, greatest in _WIDTHS if reach <= greatest), "q")
    numbers = array(code, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    width = numbers.itemsize
    return code, b"".join(raw[rank::width] for rank in range(width))


def unpack(column: Column) -> list[int]:
    """What `pack` was given."""
    code, ranks = column
    numbers: array[int] = array(code)
    width = numbers.itemsize
    count = len(ranks) // width
    raw = bytearray(len(ranks))
    for rank in range(width):
        raw[rank::width] = ranks[rank * count : (rank + 1) * count]
    numbers.frombytes(bytes(raw))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def pack_steps(values: Sequence[int]) -> Column:
    """`pack` of the differences from one value to the next, the first from 0."""
    return pack(_wrapped([later - earlier for earlier, later in pairwise(chain((0,), values))]))


def unpack_steps(column: Column) -> list[int]:
    """What `pack_steps` was given."""
    return _wrapped(list(accumulate(unpack(column))))


def _wrapped(values: list[int]) -> list[int]:
    """The difference of two 64-bit numbers may need 65 bits; modulo 2**64 it still leads from one to the other."""
    if max(values, default=0) < 2**63 and min(values, default=0) >= -(2**63):
        return values
    return [(value + 2**63) % 2**64 - 2**63 for value in values]

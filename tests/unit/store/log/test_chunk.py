"""What is sealed comes back exactly, whole or in part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.store.log.chunk import SEAL_BYTES, StoredLine, open_lines, plain_blob, seal
from goliat_monitoring.store.log.columns import pack, pack_steps, unpack, unpack_steps
from goliat_monitoring.wire.lines import ANSI
from tests.support.long_log import long_log

PIECES = st.one_of(
    st.text(max_size=8),
    st.text(alphabet=st.characters(), max_size=4),
    st.sampled_from(
        ["\x1b[0m", "\x1b[31m", "\x1b", "\x1b\x1b[0m[0m", "\x1b]0;title\x07", "\x1b]open", "\n", "\x85", "\ud800", "█"]
    ),
)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
LINES = st.lists(
    st.builds(
        StoredLine,
        st.integers(-(2**63), 2**63 - 1),
        st.sampled_from(["info", "error", "default"]),
        st.text(max_size=3),
        TEXTS,
        st.integers(0, 2**62),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@given(LINES, st.integers(1, 10**9))
def test_every_line_comes_back(lines: list[StoredLine], first_line: int) -> None:
    sealed = seal(lines, first_line)
    assert open_lines(sealed.meta, sealed.text, first_line) == list(enumerate(lines, first_line))
    blob = plain_blob(sealed.text)
    assert blob.split(b"\n") == [
        ANSI.sub("", line.text).replace("\n", "").encode("utf-8", "surrogatepass") for line in lines
    ]
    assert sealed.raw_size == len(blob)
    assert (sealed.first_line, sealed.count) == (first_line, len(lines))
    kinds = [f"{line.level}/{line.source}" for line in lines]
    assert sealed.counts == {kind: kinds.count(kind) for kind in kinds}
    assert sealed.first_time == min(line.time for line in lines)
    assert sealed.last_time == max(line.time for line in lines)


@given(LINES, st.integers(-2, 15), st.integers(-2, 15))
def test_a_part_is_that_part(lines: list[StoredLine], first: int, last: int) -> None:
    sealed = seal(lines, 5)
    expected = [(n, line) for n, line in enumerate(lines, 5) if 5 + first <= n <= 5 + last]
    assert open_lines(sealed.meta, sealed.text, 5, first=5 + first, last=5 + last) == expected


def test_a_realistic_line_costs_less_than_forty_bytes_on_disk() -> None:
    """Even where every line arrives alone. Sealed chunks fill their pages but for the last: no more than 4 KB."""
    lines = long_log(20_000, batch=1)
    size = 0
    start = raw = 0
    for end, line in enumerate(lines, 1):
        raw += len(line.text)
        if raw >= SEAL_BYTES or end == len(lines):
            sealed = seal(lines[start:end], start + 1)
            size += len(sealed.text) + len(sealed.meta) + 4096
            start, raw = end, 0
    assert size / len(lines) < 40


def test_no_chunk_is_empty() -> None:
    with pytest.raises(ValueError, match="at least one"):
        seal([], 1)


INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.one_of(st.integers(-300, 300), INT64)))
def test_columns_come_back(values: list[int]) -> None:
    assert unpack(pack(values)) == values


@given(st.lists(INT64))
def test_steps_come_back(values: list[int]) -> None:
    assert unpack_steps(pack_steps(values)) == values

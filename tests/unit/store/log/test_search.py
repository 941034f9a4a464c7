"""Searching many lines at once finds what searching each line alone finds."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goliat_monitoring.store.log.chunk import plain_blob, seal
from goliat_monitoring.store.log.search import Query
from goliat_monitoring.wire.errors import Refused
from tests.support.long_log import long_log

# Letters whose case has surprises: Kelvin and Ohm sign, long s, sharp s, final sigma, micro sign.
LETTERS = "akKsSzZäÄéÉяЯ\N{KELVIN SIGN}\N{OHM SIGN}ωΩſßẞσΣς\N{MICRO SIGN}μΜ █09.* "
WORDS = st.text(alphabet=LETTERS, min_size=1, max_size=3)
LINES = st.lists(st.text(alphabet=LETTERS, max_size=6), min_size=1, max_size=8)


def blob_of(lines: list[str]) -> bytes:
    return "\n".join(lines).encode()


@given(LINES, WORDS, st.booleans())
@settings(max_examples=300)
def test_a_text_is_found_as_in_each_line_alone(lines: list[str], word: str, ignore_case: bool) -> None:
    query = Query(word, ignore_case=ignore_case)
    naive = re.compile(re.escape(word), re.IGNORECASE if ignore_case else 0)
    expected = [i for i, line in enumerate(lines) if naive.search(line)]
    assert query.matches(blob_of(lines)) == expected
    assert [i for i, line in enumerate(lines) if query.in_line(line)] == expected


# Without `\B`: Python does not find it in an empty line.
PLACES = ["^", "$", r"\b", r"\A", "(?-m:^)"]
CLASSES = [".", r"\s", r"\S", r"\d", r"\D", r"\w", r"\W", "[^a]", "[a-z]", r"[^\d]", r"[\s\S]", "(?s:.)", r"\n"]
ATOMS = st.sampled_from([*"abAB 1", *PLACES, *CLASSES])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "*?"])).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=6,
)
ASCII_LINES = st.lists(st.text(alphabet="abAB 1_\t", max_size=5), min_size=1, max_size=6)


@given(ASCII_LINES, PATTERNS, st.booleans())
@settings(max_examples=500)
def test_an_expression_never_sees_beyond_its_line(lines: list[str], pattern: str, ignore_case: bool) -> None:
    query = Query(pattern, regex=True, ignore_case=ignore_case)
    # Python writes RE2's `(?-m:^)` as `^` where no flag says otherwise.
    same = pattern.replace("(?-m:^)", "^")
    naive = re.compile(same, re.ASCII | (re.IGNORECASE if ignore_case else 0))
    expected = [i for i, line in enumerate(lines) if naive.search(line)]
    assert query.matches(blob_of(lines)) == expected
    assert [i for i, line in enumerate(lines) if query.in_line(line)] == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\Ab", [1, 2]),
        (r"b\z", [1, 2]),
        ("a.c", [0]),
        (r"c\C?b", []),
        ("x*", [0, 1, 2, 3]),
        ("^$", [3]),
        (r"a\.c", []),
    ],
)
def test_ends_are_those_of_a_line(pattern: str, expected: list[int]) -> None:
    assert Query(pattern, regex=True).matches(b"abc\nb\nb\n") == expected


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("é+[a-", "missing ]: [a- at character 3"),
        ("ab(", "missing ): ab( at character 1"),
        ("a**", "bad repetition operator: ** at character 2"),
        ("x(?<=a)b", "invalid perl operator: (?<= at character 2"),
        ("(a)\\1", "invalid escape sequence: \\1 at character 4"),
        ("a{2000}", "invalid repetition size: {2000} at character 2"),
        ("(?:[^a]{40}|b){25}", "make it shorter, or its {repetitions} smaller"),
    ],
)
def test_a_bad_expression_is_refused_and_told_where(pattern: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        Query(pattern, regex=True)
    assert (refused.value.status, refused.value.details) == (400, said)


@pytest.mark.parametrize("text", ["", "a\nb", "a" * 1001])
@pytest.mark.parametrize("regex", [False, True])
def test_no_text_or_too_much_is_refused(text: str, regex: bool) -> None:
    with pytest.raises(Refused):
        Query(text, regex=regex)


def test_an_expression_that_would_hang_others_does_not() -> None:
    blob = b"\n".join([b"a" * 5000 + b"!"] * 50)
    assert Query("(a+)+$", regex=True).matches(blob) == []
    assert Query("(a|aa)*b", regex=True).matches(blob) == []


def test_a_chunk_is_searched_by_its_plain_text() -> None:
    lines = long_log(3000)
    blob = plain_blob(seal(lines, 1).text)
    expected = [i for i, line in enumerate(lines) if "Kidney" in line.text]
    assert len(expected) > 50
    assert Query("Kidney").matches(blob) == expected
    assert Query("kIDNEY", ignore_case=True).matches(blob) == expected
    assert Query("K[i]dney(: mass)?", regex=True).matches(blob) == expected
    assert Query("[34m", regex=False).matches(blob) == []

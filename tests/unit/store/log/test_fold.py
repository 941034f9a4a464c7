"""Repeated neighbours fold, and every line can be told again."""

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goliat_monitoring.store.log.counting import grown, growth, parts_of
from goliat_monitoring.store.log.fold import Fold, Record, Repeat
from goliat_monitoring.store.log.solver import solver_progress
from goliat_monitoring.store.log.unfold import unfold
from goliat_monitoring.wire.lines import Line, overdrawn

SOLVER = "[PROGRESS]: {}% [1000/50000] Time Update, estimated remaining time {} seconds @ {} MCells/s"
Stored = list[tuple[Record, Repeat | None]]


def keep(fold: Fold, stored: Stored) -> None:
    """What a database does with the result: number new records, replace counts."""
    folded = fold.take()
    assert folded.first_n == len(stored) + 1
    stored += [(record, None) for record in folded.new]
    for n, repeat in folded.repeats.items():
        stored[n - 1] = (stored[n - 1][0], repeat)


def folded(lines: Sequence[Line]) -> Stored:
    fold, stored = Fold(), Stored()
    fold.add(lines)
    keep(fold, stored)
    return stored


def said(*texts: str, level: str = "info", source: str = "status") -> list[Line]:
    return [Line(time, level, source, text) for time, text in enumerate(texts, 1)]


def shape(stored: Stored) -> list[tuple[str, int, str | None]]:
    return [(r.text, 1 if x is None else x.count, None if x is None else x.last_text) for r, x in stored]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a", "a", "a"], [("a", 3, None)]),
        (["a", "b", "a"], [("a", 1, None), ("b", 1, None), ("a", 1, None)]),
        (["try 1", "try 2", "try 3"], [("try 1", 1, None), ("try 2", 1, None), ("try 3", 1, None)]),
        (["try 1", "try 1", "try 2"], [("try 1", 2, None), ("try 2", 1, None)]),
        (
            ["x", "try 8", "x", "try 9", "x", "try 10", "x", "try 11"],
            [("x", 1, None), ("try 8", 1, None), ("x", 3, None), ("try 9", 3, "try 11")],
        ),
        (
            ["f099", "x", "f100", "x", "f101", "x", "f103"],
            [("f099", 1, None), ("x", 1, None), ("f100", 2, "f101"), ("x", 2, None), ("f103", 1, None)],
        ),
        (["a1", "b1", "a2", "b3", "a3"], [(text, 1, None) for text in ("a1", "b1", "a2", "b3", "a3")]),
        (["1a2", "12a"], [("1a2", 1, None), ("12a", 1, None)]),
        (["", "", "", ""], [("", 1, None), ("", 3, None)]),
        (["\x1b[0m", " ", " ", " "], [("\x1b[0m", 1, None), (" ", 1, None), (" ", 2, None)]),
        (["a", "b"] * 2, [("a", 1, None), ("b", 1, None)] * 2),
        (["a", "b"] * 3, [("a", 1, None), ("b", 1, None), ("a", 2, None), ("b", 2, None)]),
        (["a", "b", "a", "b", "a"], [("a", 1, None), ("b", 1, None), ("a", 2, None), ("b", 1, None)]),
        (
            ["a", "b", "a", "b", "a", "a"],
            [("a", 1, None), ("b", 1, None), ("a", 2, None), ("b", 1, None), ("a", 1, None)],
        ),
        (["a", "b", "c", "d"] * 9, [(t, 1, None) for t in "abcd"] + [(t, 8, None) for t in "abcd"]),
        (["a", "b", "c", "d", "e"] * 3, [(t, 1, None) for t in "abcde"] * 3),
        (["x", "x", "y"] * 2, [("x", 2, None), ("y", 1, None)] * 2),
        (["\r 1%", "\r 5%", "\r 9%"], [(" 1%", 3, " 9%")]),
        (["\r 1%"], [(" 1%", 1, None)]),
        ([" 1%", "\r 5%"], [(" 1%", 2, " 5%")]),
        (["Saved.", "\r 5%"], [("Saved.", 1, None), (" 5%", 1, None)]),
        (["Saved.", "\rSaved."], [("Saved.", 2, None)]),
        (["\r 5%", "Saved.", "\r 6%"], [(" 5%", 1, None), ("Saved.", 1, None), (" 6%", 1, None)]),
        (["\ra", "\rb", "b"], [("a", 2, "b"), ("b", 1, None)]),
        (["\r1\r2", "\r3"], [("2", 2, "3")]),
    ],
)
def test_what_folds(texts: list[str], expected: list[tuple[str, int, str | None]]) -> None:
    assert shape(folded(said(*texts))) == expected


def test_level_and_source_are_part_of_a_line() -> None:
    lines = [*said("a"), *said("a", level="error"), *said("a", source="print"), *said("a", source="print")]
    assert shape(folded(lines)) == [("a", 1, None), ("a", 1, None), ("a", 2, None)]
    bars = [*said("\r1%", source="print"), *said("\r2%", source="stderr")]
    assert shape(folded(bars)) == [("1%", 1, None), ("2%", 1, None)]


def test_solver_progress_is_one_line_that_keeps_its_last_text() -> None:
    texts = [SOLVER.format(p, 100 - p, 1000 + p * 1.5) for p in range(0, 100, 2)]
    milestone = "      - FDTD: 33% (9 seconds remaining @ 1234.5 MCells/s)"
    stored = folded(said(*texts, milestone, milestone.replace("33", "66"), *texts[:2]))
    assert shape(stored) == [
        (texts[0], 50, texts[-1]),
        (milestone, 1, None),
        (milestone.replace("33", "66"), 1, None),
        (texts[0], 2, texts[1]),
    ]
    assert stored[0][1] == Repeat(50, 1, 0, 50, texts[-1], "progress")


@pytest.mark.parametrize(("pause", "records"), [(1_000_000, 4), (2_100_000, 24)])
def test_rounds_that_count_are_a_storm_only_when_they_come_fast(pause: int, records: int) -> None:
    texts = [text for i in range(12) for text in ("the solver failed", f"attempt {i}")]
    lines = [Line(i // 2 * pause, "error", "status", text) for i, text in enumerate(texts)]
    stored = folded(lines)
    assert len(stored) == records
    told(lines, stored)


def test_texts_too_long_to_look_into_fold_only_when_equal() -> None:
    long = "x" * 3000
    assert shape(folded(said(long + "1", long + "1", long + "2"))) == [(long + "1", 2, None), (long + "2", 1, None)]
    assert shape(folded(said("\r" + long, "\r" + long, "\r" + long + "2"))) == [(long, 3, long + "2")]


def storm(attempts: int, milestones: bool) -> list[Line]:
    """What the client sends while the solver cannot start; every 50th attempt it sums up."""
    lines: list[Line] = []
    for attempt in range(1, attempts + 1):
        lines += said("iSolve: Exception during execution: [WinError 2] no such file", level="error")
        lines += said(f"    - iSolve failed, retry attempt {attempt}", level="warning")
        if milestones and attempt % 50 == 0:
            lines += said(f"iSolve failed {attempt} times", level="error")
    return [Line(time, line.level, line.source, line.text) for time, line in enumerate(lines)]


@pytest.mark.parametrize(("milestones", "at_most"), [(False, 4), (True, 240 * 5)])
def test_a_storm_becomes_few_records_and_loses_nothing(milestones: bool, at_most: int) -> None:
    lines = storm(12_000, milestones)
    stored = folded(lines)
    assert len(lines) >= 24_000
    assert len(stored) <= at_most
    assert sum(1 if repeat is None else repeat.count for _, repeat in stored) == len(lines)
    told(lines, stored)


def told(lines: Sequence[Line], stored: Stored) -> None:
    """What `unfold` gives back is what was said."""
    occurrences = list(unfold(stored))
    assert len(occurrences) == len(lines)
    for line, occurrence in zip(lines, occurrences, strict=True):
        assert (occurrence.level, occurrence.source) == (line.level, line.source)
        assert occurrence.time in (None, line.time)
        shown = overdrawn(line.text).removeprefix("\r")
        if occurrence.text is None:
            assert "\r" in line.text or solver_progress(line.text) is not None
        else:
            assert occurrence.text == shown


TEXTS = st.one_of(
    st.sampled_from(["", " ", "a", "b", "\ra", "\rb", "\r\r", "a\rb", "\x1b[0m", "x" * 2001, "\rx" * 1500]),
    st.builds("try {}".format, st.integers(0, 12)),
    st.builds("\r{}%".format, st.integers(0, 12)),
    st.builds("{} of {:02d}".format, st.integers(8, 11), st.integers(8, 11)),
    st.builds(SOLVER.format, st.integers(0, 9), st.integers(0, 9), st.just(5)),
    st.text(max_size=3),
)
LINE = st.builds(Line, st.just(0), st.sampled_from(["info", "error"]), st.sampled_from(["status", "print"]), TEXTS)


@st.composite
def logs(draw: st.DrawFn) -> list[Line]:
    """Lines with rounds of up to five lines in them, some of which count."""
    lines: list[Line] = []
    for _ in range(draw(st.integers(0, 6))):
        cycle = draw(st.lists(LINE, min_size=1, max_size=5))
        counting = draw(st.sets(st.integers(0, 4)))
        for turn in range(draw(st.integers(1, 6))):
            for i, line in enumerate(cycle):
                text = grown(parts_of(line.text), growing(line.text), turn) if i in counting else line.text
                lines.append(Line(0, line.level, line.source, text))
    cut = draw(st.integers(0, len(lines)))
    lines = lines[:cut] if draw(st.booleans()) else lines
    pauses = draw(st.lists(st.sampled_from([1, 900_000, 3_000_000]), min_size=len(lines), max_size=len(lines)))
    return [
        Line(time, line.level, line.source, line.text) for time, line in zip(accumulate(pauses), lines, strict=True)
    ]


def growing(text: str) -> tuple[int, ...]:
    return (1,) * (len(parts_of(text)) // 2)


@given(logs())
@settings(max_examples=400)
def test_nothing_is_lost(lines: list[Line]) -> None:
    stored = folded(lines)
    assert all("\r" not in record.text for record, _ in stored)
    told(lines, stored)
    for i, (_, repeat) in enumerate(stored):
        if repeat is None:
            continue
        block = [other for _, other in stored[i - repeat.position : i - repeat.position + repeat.period]]
        assert len(block) == repeat.period <= 4
        counts = [other.count for other in block if other is not None]
        assert len(counts) == repeat.period
        assert counts == sorted(counts, reverse=True)
        assert counts[0] - counts[-1] <= 1


@given(logs(), st.sets(st.integers(0, 120)))
@settings(max_examples=400)
def test_resumed_anywhere_it_goes_on_as_if_never_stopped(lines: list[Line], cuts: set[int]) -> None:
    stored = Stored()
    fold = Fold()
    for i, line in enumerate(lines):
        if i in cuts:
            keep(fold, stored)
            fold = Fold.resume(stored[-8:], len(stored) + 1)
        fold.add([line])
    keep(fold, stored)
    assert stored == folded(lines)


class LooksClosely(Fold):
    """A fold that never takes the short way."""

    def add(self, lines: Sequence[Line]) -> list[int]:
        return [self._add(line) for line in lines]

    @staticmethod
    def _is_news(_seen: object, _new: object) -> bool:
        return False


COUNTING = st.builds("{}{} of {:02d} y".format, st.sampled_from(["", "Extracting tissue ", "Setting up antenna "]),
                     st.integers(8, 11), st.integers(8, 10))  # fmt: skip


@given(st.one_of(logs(), st.lists(st.builds(Line, st.just(0), st.just("info"), st.just("status"), COUNTING))))
@settings(max_examples=400)
def test_the_short_way_leads_where_the_long_one_does(lines: list[Line]) -> None:
    closely, stored = LooksClosely(), Stored()
    closely.add(lines)
    keep(closely, stored)
    assert folded(lines) == stored


def test_a_number_of_thousands_of_digits_is_a_line_like_others() -> None:
    texts = ["Extracting tissue 5", "then that", "Extracting tissue 7", "then this", "Extracting tissue " + "9" * 5000]
    lines = [Line(0, "info", "status", text) for text in texts]
    assert Fold().add(lines) == [1, 2, 3, 4, 5]
    # Once more: now the beginnings are known.
    assert Fold().add(lines) == [1, 2, 3, 4, 5]


@given(st.text(alphabet="09a. ", max_size=12), st.data())
def test_a_growth_gives_every_text_back(text: str, data: st.DataObject) -> None:
    cut = parts_of(text)
    steps = tuple(data.draw(st.lists(st.integers(0, 1), min_size=len(cut) // 2, max_size=len(cut) // 2)))
    times = data.draw(st.integers(1, 200))
    later = grown(cut, steps, times)
    found = growth(text, later, times)
    assert found is not None
    assert found == (steps if any(steps) else ())
    assert grown(cut, found, times) == later

"""Where lines of a level lie is what counting each line finds, wherever the lines lie."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goliat_monitoring.store.log.search import MOST_SPANS, Query
from goliat_monitoring.store.read import log_levels, log_search
from goliat_monitoring.store.read.log_levels import Counted, list_parts, read_counted
from goliat_monitoring.store.read.log_search import search_back, search_log
from goliat_monitoring.wire.lines import Line
from tests.store.conftest import House
from tests.store.log_help import Stored, add, loader, move, new_run, seal_all, small_chunks

FOREVER = float("inf")
NAMES = ["info", "verbose", "warning", "error"]


def scattered(house: House, levels: list[list[str]]) -> tuple[str, Stored, list[str]]:
    """A log that lies in the storage, in chunks and in the tail; all levels in order."""
    run_id, stored = new_run(house), Stored()
    with small_chunks():
        for i, batch in enumerate(levels):
            add(house, run_id, [Line(i, name, "status", f"{'x' * k} {'y' * i} {name}")
                                for k, name in enumerate(batch)])  # fmt: skip
            if i % 4 == 3:
                seal_all(house)
            if i == 7:
                move(house, run_id, stored)
    return run_id, stored, [name for batch in levels for name in batch]


@given(
    st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9), max_size=14),
    st.sets(st.sampled_from(NAMES)),
    st.integers(0, 60),
    st.integers(1, 12),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_of_some_levels_are_found_by_their_index(
    house: House, levels: list[list[str]], wanted: set[str], index: int, limit: int
) -> None:
    run_id, stored, names = scattered(house, levels)
    of_levels = [n for n, name in enumerate(names, 1) if not wanted or name in wanted]

    def read(**asked: object) -> Counted:
        return house.database.read_now(
            lambda c: read_counted(c, run_id, loader(stored), limit=limit, levels=frozenset(wanted), **asked)  # type: ignore[arg-type]
        )

    found = read(skip=index)
    assert [line.n for line in found.page.lines] == of_levels[index : index + limit]
    assert found.matching == len(of_levels)
    if found.page.lines:
        assert found.index == index
    newest = read(newest=True)
    assert [line.n for line in newest.page.lines] == of_levels[-limit:]
    assert not of_levels or newest.index == max(len(of_levels) - limit, 0)
    later = read(after=index)
    assert later.index == sum(n <= index for n in of_levels)


@pytest.mark.parametrize("fine", [0, 10_000], ids=["by chunk", "by line"])
def test_parts_hold_every_line_once(house: House, monkeypatch: pytest.MonkeyPatch, fine: int) -> None:
    monkeypatch.setattr(log_levels, "FINE", fine)
    run_id, stored, names = scattered(house, [["info"] * 5 + ["error"] * (i % 3) for i in range(14)])
    for most in (1, 3, 10, 500):
        parts = house.database.read_now(lambda c, most=most: list_parts(c, run_id, loader(stored), most))  # type: ignore[misc]
        assert len(parts) <= most or fine == 0
        at = 1
        for part in parts:
            assert part.first_line == at
            inside = names[at - 1 : at - 1 + part.lines]
            assert part.levels == {name: inside.count(name) for name in set(inside)}
            at += part.lines
        assert at == len(names) + 1


def test_a_search_out_of_time_goes_on_where_it_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, stored, names = scattered(house, [["info", "error"] * 3] * 14)
    whole = house.database.read_now(lambda c: search_log(c, run_id, loader(stored), Query("error"), FOREVER))
    assert whole.complete
    assert whole.total == names.count("error")
    ticks = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    total, parts = 0, 0
    numbers: list[int] = []
    at: int | None = 1
    while at is not None:
        deadline = next(ticks) + 2
        found = house.database.read_now(
            lambda c: search_log(c, run_id, loader(stored), Query("error"), deadline, first=at or 1)  # noqa: B023
        )
        total, numbers, parts = total + found.total, numbers + found.numbers, parts + 1
        assert found.complete == (found.next_line is None)
        at = found.next_line
    assert parts > 2
    assert (total, numbers) == (whole.total, whole.numbers)


def test_a_search_looks_back_from_a_line(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, stored, names = scattered(house, [["info", "error"] * 3] * 14)
    errors = [n for n, name in enumerate(names, 1) if name == "error"]

    def back(before: int) -> log_search.Earlier:
        return house.database.read_now(
            lambda c: search_back(c, run_id, loader(stored), Query("error"), FOREVER, before)
        )

    found = back(50)
    assert (found.numbers, found.before) == ([n for n in errors if n < 50], None)
    assert back(1).numbers == []
    monkeypatch.setattr(log_search, "MOST_NUMBERS", 5)
    gathered: list[int] = []
    at: int | None = len(names) + 1
    while at is not None:
        found = back(at)
        assert found.numbers
        gathered, at = found.numbers + gathered, found.before
    assert gathered == errors


def test_matches_are_pointed_out_as_browsers_count() -> None:
    assert Query("Ü", ignore_case=True).spans("aüb Üb") == [(1, 2), (4, 5)]
    # Two units of UTF-16 each, four bytes of UTF-8.
    assert Query("x+", regex=True).spans("\U0001f600\U0001f600xx\U0001f600x") == [(4, 6), (8, 9)]
    assert Query("^a|a$|b*", regex=True).spans("aaa") == [(0, 1), (2, 3)]
    assert Query("x").spans("x" * 1000) == [(i, i + 1) for i in range(MOST_SPANS)]

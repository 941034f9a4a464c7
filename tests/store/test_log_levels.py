"""Where lines of a kind lie is what counting each line finds, wherever the lines lie."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.log.kinds import Kinds, by_level, by_source
from goliat_monitoring.store.log.search import MOST_SPANS, Query
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read import log_levels, log_search
from goliat_monitoring.store.read.log_levels import Counted, list_parts, read_counted
from goliat_monitoring.store.read.log_search import search_back, search_log
from goliat_monitoring.wire.lines import Line
from tests.store.conftest import House
from tests.store.log_help import Stored, add, loader, move, new_run, seal_all, small_chunks

FOREVER = float("inf")
LEVELS, SOURCES = ["info", "verbose", "warning", "error"], ["status", "print"]
NAMES = [f"{level}/{source}" for level in LEVELS for source in SOURCES]


def scattered(house: House, kinds: list[list[str]]) -> tuple[str, Stored, list[str]]:
    """A log that lies in the storage, in chunks and in the tail; all kinds in order, each a level and a source."""
    run_id, stored = new_run(house), Stored()
    with small_chunks():
        for i, batch in enumerate(kinds):
            add(house, run_id, [Line(i, level, source, f"{'x' * k} {'y' * i} {level}")
                                for k, (level, source) in enumerate(name.split("/") for name in batch)])  # fmt: skip
            if i % 4 == 3:
                seal_all(house)
            if i == 7:
                move(house, run_id, stored)
    return run_id, stored, [name for batch in kinds for name in batch]


def as_of_old(house: House) -> None:
    """Chunks as they were when levels alone were counted."""
    chunks = tables.log_chunks

    def unit(connection: Connection, _: Moment) -> None:
        for row in connection.execute(select(chunks)).all():
            key = chunks.c.run_id == row.run_id, chunks.c.first_line == row.first_line
            old = json.dumps(by_level(json.loads(row.levels)))
            connection.execute(update(chunks).where(*key).values(levels=old))

    house.do(unit)


@given(
    st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9), max_size=14),
    st.sets(st.sampled_from(LEVELS)),
    st.sets(st.sampled_from(SOURCES)),
    st.integers(0, 60),
    st.integers(1, 12),
    st.booleans(),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_of_some_kinds_are_found_by_their_index(
    house: House, kinds: list[list[str]], levels: set[str], sources: set[str], index: int, limit: int, old: bool
) -> None:
    run_id, stored, names = scattered(house, kinds)
    if old:
        as_of_old(house)
    wanted = Kinds(frozenset(levels), frozenset(sources))
    found_in = [name.split("/") for name in names]
    of_kinds = [
        n
        for n, (level, source) in enumerate(found_in, 1)
        if (not levels or level in levels) and (not sources or source in sources)
    ]

    def read(**asked: object) -> Counted:
        return house.database.read_now(
            lambda c: read_counted(c, run_id, loader(stored), limit=limit, kinds=wanted, **asked)  # type: ignore[arg-type]
        )

    found = read(skip=index)
    assert [line.n for line in found.page.lines] == of_kinds[index : index + limit]
    assert found.matching == len(of_kinds)
    if found.page.lines:
        assert found.index == index
    newest = read(newest=True)
    assert [line.n for line in newest.page.lines] == of_kinds[-limit:]
    assert not of_kinds or newest.index == max(len(of_kinds) - limit, 0)
    later = read(after=index)
    assert later.index == sum(n <= index for n in of_kinds)


@pytest.mark.parametrize("fine", [0, 10_000], ids=["by chunk", "by line"])
def test_parts_hold_every_line_once(house: House, monkeypatch: pytest.MonkeyPatch, fine: int) -> None:
    monkeypatch.setattr(log_levels, "FINE", fine)
    run_id, stored, names = scattered(house, [["info/status"] * 5 + ["error/print"] * (i % 3) for i in range(14)])
    for most in (1, 3, 10, 500):
        parts = house.database.read_now(lambda c, most=most: list_parts(c, run_id, loader(stored), most))  # type: ignore[misc]
        assert len(parts) <= most or fine == 0
        at = 1
        for part in parts:
            assert part.first_line == at
            inside = names[at - 1 : at - 1 + part.lines]
            assert part.counts == {name: inside.count(name) for name in set(inside)}
            assert sum(by_source(part.counts).values()) == len(inside)
            at += part.lines
        assert at == len(names) + 1


def test_a_search_out_of_time_goes_on_where_it_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, stored, names = scattered(house, [["info/status", "error/status"] * 3] * 14)
    whole = house.database.read_now(lambda c: search_log(c, run_id, loader(stored), Query("error"), FOREVER))
    assert whole.complete
    assert whole.total == names.count("error/status")
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
    run_id, stored, names = scattered(house, [["info/status", "error/status"] * 3] * 14)
    errors = [n for n, name in enumerate(names, 1) if name == "error/status"]

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

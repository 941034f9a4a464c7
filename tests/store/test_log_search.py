"""A search finds what looking at each line finds, wherever the lines lie."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, update

from goliat_monitoring.store import claims, tables
from goliat_monitoring.store.log.search import Query
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read import log_search
from goliat_monitoring.store.read.log_search import Found, FoundInStudy, search_log, search_study
from goliat_monitoring.store.read.logs import numbered_lines
from goliat_monitoring.store.read.problems import first_error, list_problems
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import Line, plain
from tests.store.conftest import Agent, House
from tests.store.log_help import Stored, add, loader, move, new_run, seal_all, small_chunks

FOREVER = float("inf")
TEXTS = ["needle", "a \x1b[1mnee\x1b[0mdle here", "Needle", "nothing", "try 7", "try 8", "", "x" * 50]


def search(house: House, run_id: str, query: Query, stored: Stored, **asked: object) -> Found:
    asked.setdefault("deadline", FOREVER)
    return house.database.read_now(lambda c: search_log(c, run_id, loader(stored), query, **asked))  # type: ignore[arg-type]


@given(
    st.lists(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=9), max_size=14),
    st.sampled_from([("needle", False), ("ne+d", True), ("^$", True), ("^nee", True), ("7", False)]),
    st.booleans(),
    st.integers(0, 40),
    st.integers(0, 12),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_search_finds_what_naive_search_finds(
    house: House, batches: list[list[str]], asked: tuple[str, bool], ignore_case: bool, after: int, limit: int
) -> None:
    run_id, stored = new_run(house), Stored()
    query = Query(asked[0], regex=asked[1], ignore_case=ignore_case)
    with small_chunks():
        for i, texts in enumerate(batches):
            add(house, run_id, [Line(i, "info", "status", text) for text in texts])
            if i % 4 == 3:
                seal_all(house)
            if i == 7:
                move(house, run_id, stored)
    found = search(house, run_id, query, stored, after=after, limit=limit)
    repeats = {row.line: row.last_text for row in house.rows(tables.log_repeats) if row.run_id == run_id}
    everything = house.database.read_now(lambda c: numbered_lines(
        c, run_id, loader(stored), list(range(1, found.of_lines + 1))
    ))  # fmt: skip
    naive = [
        line.n for line in everything
        if query.in_line(line.text) or (line.n in repeats and repeats[line.n] is not None
                                        and query.in_line(plain(repeats[line.n])))
    ]  # fmt: skip
    assert found.total == len(naive)
    assert found.numbers == [n for n in naive if n is not None and n > after]
    assert found.skipped == len(naive) - len(found.numbers)
    assert [line.n for line in found.lines] == found.numbers[:limit]
    assert found.complete


def test_a_search_out_of_time_says_how_far_it_came(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = new_run(house)
    with small_chunks():
        for i in range(80):
            add(house, run_id, [Line(i, "info", "status", f"needle {'x' * (i % 40)}")])
        assert seal_all(house) > 2
    ticks = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    found = search(house, run_id, Query("needle"), {}, deadline=1)
    assert not found.complete
    assert 0 < found.searched < found.of_lines == 80
    assert found.total == found.searched
    assert search(house, run_id, Query("needle"), {}, deadline=0).searched == 0


def test_numbers_are_bounded_and_the_rest_can_be_asked_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "MOST_NUMBERS", 7)
    run_id = new_run(house)
    add(house, run_id, [Line(i, "info", "status", f"needle {'x' * i}") for i in range(20)])
    first = search(house, run_id, Query("needle"), {}, limit=2)
    assert (first.total, first.skipped, first.numbers, len(first.lines)) == (20, 0, [1, 2, 3, 4, 5, 6, 7], 2)
    second = search(house, run_id, Query("needle"), {}, after=7)
    assert (second.total, second.skipped, second.numbers) == (20, 7, [8, 9, 10, 11, 12, 13, 14])


def test_a_study_is_searched_newest_run_first_and_can_be_gone_on_with(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.study(parts=4)
    (study,) = house.rows(tables.super_studies)
    run_ids = []
    for i in range(4):
        house.now += 1
        agent = Agent(house, f"gpu-{i}")
        job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
        assert job is not None
        run_ids.append(job.run_id)
        add(house, job.run_id, [Line(house.now, "error", "status", "all hay" if i == 1 else f"needle {'x' * i}")])

    def ask(deadline: float = FOREVER, from_run: str | None = None, limit: int = 10) -> FoundInStudy:
        return house.database.read_now(
            lambda c: search_study(
                c, study.id, loader({}), Query("needle"), deadline, from_run=from_run, limit=limit, lines_a_run=1
            )
        )

    everything = ask()
    assert [it.run_id for it in everything.runs] == [run_ids[3], run_ids[2], run_ids[0]]
    assert (everything.searched_runs, everything.of_runs, everything.next_run) == (4, 4, None)
    assert [line.text for it in everything.runs for line in it.found.lines] == ["needle xxx", "needle xx", "needle "]
    part = ask(limit=1)
    assert (part.searched_runs, part.next_run) == (1, run_ids[2])
    rest = ask(from_run=part.next_run)
    assert [it.run_id for it in rest.runs] == [run_ids[2], run_ids[0]]
    # Without any time left it still gets on, and says which run it did not search to its end.
    late = ask(deadline=time.monotonic() - 1)
    assert (late.searched_runs, late.next_run) == (1, run_ids[2])
    assert [(it.run_id, it.found.complete) for it in late.runs] == [(run_ids[3], False)]
    with pytest.raises(Refused, match="no such run in this study"):
        ask(from_run="elsewhere")
    with pytest.raises(Refused, match="no such super study"):
        house.database.read_now(lambda c: search_study(c, "x", loader({}), Query("a"), FOREVER))


def test_problems_are_grouped_by_text_and_the_worst_come_first(house: House) -> None:
    run_id = new_run(house)
    said = [("warning", "slow 1"), ("warning", "slow 2"), ("info", "fine"), ("error", "broke at 7"), ("warning", "odd"),
            ("error", "broke at 9"), ("fatal", "gone")]  # fmt: skip
    add(house, run_id, [Line(i, level, "status", text) for i, (level, text) in enumerate(said)])
    found = house.database.read_now(lambda c: list_problems(c, run_id))
    assert [(it.level, it.text, it.count, it.first_line, it.last_line) for it in found.problems] == [
        ("fatal", "gone", 1, 7, 7), ("error", "broke at 7", 2, 4, 6), ("warning", "slow 1", 2, 1, 2),
        ("warning", "odd", 1, 5, 5),
    ]  # fmt: skip
    assert found.groups == 4
    assert house.database.read_now(lambda c: first_error(c, run_id)) == 4
    assert house.database.read_now(lambda c: first_error(c, new_run(house))) is None

    def count_one_more(connection: Connection, _moment: Moment) -> None:
        connection.execute(update(tables.log_problems).where(tables.log_problems.c.text == "odd").values(count=9))

    house.do(count_one_more)
    assert house.database.read_now(lambda c: list_problems(c, run_id, limit=3)).problems[2].text == "odd"


def test_a_run_has_a_bounded_number_of_kinds_of_problems(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goliat_monitoring.store.log.append.MOST_PROBLEMS", 5)
    agent = Agent(house, "gpu-1")
    house.study()
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    words = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "alpha", "theta"]
    for offset, word in enumerate(words):
        agent.send(job, offset, wire.LineItem(house.now, "warning", "status", f"{word} is odd"))
    found = house.database.read_now(lambda c: list_problems(c, job.run_id))
    counts = {it.text: it.count for it in found.problems}
    assert counts["alpha is odd"] == 2
    assert counts["further texts"] == 3
    assert len(counts) == 6
    assert sum(counts.values()) == len(words)

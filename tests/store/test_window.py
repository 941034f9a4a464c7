"""The reorder window: every line is there once, waiting or numbered, whatever is broken off between two steps."""

import string
from collections import Counter
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete

from goliat_monitoring.store import tables
from goliat_monitoring.store.ingest.posts import GuiPost, hear_posts
from goliat_monitoring.store.log import window
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.logs import line_counts, read_log
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import House

T0 = 1_800_000_000


def message(house: House, machine: str, sequence: int, *items: tuple[float, str]) -> GuiPost:
    """A message as it arrives over HTTP."""
    logs = [{"type": "status", "message": text, "log_type": "info", "timestamp": at} for at, text in items]
    said = {"type": "log_batch", "sequence": sequence, "logs": logs}
    body = msgspec.json.encode({"machineId": machine, "message": said, "timestamp": house.now / SECOND})
    return GuiPost(body, house.now, house.moment, "203.0.113.9")


def word(number: int, place: int) -> str:
    """Another one for each line, without digits: numbers that grow by one in turn are a storm, which is folded."""
    return f"{string.ascii_lowercase[number // 26]}{string.ascii_lowercase[number % 26]}{'xyz'[place]}"


def hear(house: House, *group: GuiPost) -> list[str]:
    """The runs that these messages go to."""
    answers = house.database.submit(lambda connection: hear_posts(connection, group)).result(30)
    return [answer for answer in answers if isinstance(answer, str)]


def post(house: House, machine: str, sequence: int, *items: tuple[float, str]) -> str:
    """Hear one message. Returns its run."""
    (run_id,) = hear(house, message(house, machine, sequence, *items))
    return run_id


def shown(house: House, run_id: str) -> list[tuple[int | None, str]]:
    """Number and text of all lines of the run as a reader sees them."""

    def look(connection: Connection) -> list[tuple[int | None, str]]:
        page = read_log(connection, run_id, lambda *_: b"", limit=100_000)
        assert line_counts(connection, run_id) == (page.numbered, page.total - page.numbered)
        return [(line.n, line.text) for line in page.lines]

    return house.database.read_now(look)


def portions(house: House) -> list[list[window.Due]]:
    """What a reader finds due."""
    return house.database.read_now(lambda connection: window.due(connection, house.moment))


def release(connection: Connection, _moment: Moment, portion: list[window.Due]) -> None:
    window.release(connection, portion)


def waiting_rows(house: House) -> int:
    return len(house.rows(tables.log_window))


STEPS = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(["m-1", "m-2"]), st.lists(st.integers(-40, 40), min_size=1, max_size=3)),
    st.tuples(st.just("time"), st.just(""), st.lists(st.integers(-20, 20), min_size=1, max_size=1)),
    st.tuples(st.sampled_from(["number some", "number again", "forget", "sweep"]), st.just(""), st.just([0])),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=40))
def test_every_line_is_there_once_at_any_moment(house: House, steps: list[tuple[str, str, list[int]]]) -> None:
    house.now += 7200 * SECOND
    names = {machine: f"{machine}-{house.now}" for machine in ("m-1", "m-2")}
    said: dict[str, list[str]] = {}
    old: list[list[window.Due]] = []
    began = house.now // SECOND
    runs = {}
    for machine in names.values():
        runs[machine] = post(house, machine, 0, (began - 100, f"{machine} begins"))
        said[runs[machine]] = [f"{machine} begins"]
    fixed: dict[str, list[tuple[int | None, str]]] = {run_id: [] for run_id in said}
    for number, (what, machine, values) in enumerate(steps, 1):
        if what == "say":
            texts = [f"{machine} says {word(number, i)}" for i in range(len(values))]
            run_id = post(house, names[machine], number, *zip([began + value for value in values], texts, strict=True))
            said[run_id] += texts
        elif what == "time":
            house.now += values[0] * SECOND
        elif what == "number some":
            old = portions(house)
            for portion in old[:1]:
                house.do(release, portion)
        elif what == "number again":
            # What was found earlier: all of it, or some, is done by now.
            for portion in old:
                house.do(release, portion)
        elif what == "forget":
            house.do(window.forget)
        else:
            house.pass_time(0)
        for run_id, texts in said.items():
            lines = shown(house, run_id)
            assert Counter(text for _, text in lines) == Counter(texts)
            numbered = [line for line in lines if line[0] is not None]
            assert numbered[: len(fixed[run_id])] == fixed[run_id]
            fixed[run_id] = numbered
    house.now = max(house.now, began * SECOND) + 100 * SECOND
    house.pass_time(0)
    assert waiting_rows(house) == 0
    assert {run_id: sorted(text for n, text in shown(house, run_id) if n) for run_id in said} == {
        run_id: sorted(texts) for run_id, texts in said.items()
    }


def test_numbered_rows_lie_there_until_they_are_ended_and_are_not_numbered_again(house: House) -> None:
    run_id = post(house, "m", 0, (T0, "first"), (T0, "second"))
    house.now += 16 * SECOND
    found = portions(house)
    for portion in found:
        house.do(release, portion)
    # The server was killed here.
    assert waiting_rows(house) == 1
    assert shown(house, run_id) == [(1, "first"), (2, "second")]
    assert portions(house) == []
    for portion in found:
        house.do(release, portion)
    house.pass_time(1)
    assert waiting_rows(house) == 0
    assert shown(house, run_id) == [(1, "first"), (2, "second")]


def test_a_row_that_comes_after_the_table_was_emptied_is_new(house: House) -> None:
    run_id = post(house, "m", 0, (T0, "first"))
    house.pass_time(16)
    assert waiting_rows(house) == 0
    post(house, "m", 1, (T0 + 16, "second"))
    assert shown(house, run_id) == [(1, "first"), (None, "second")]
    house.pass_time(16)
    assert shown(house, run_id) == [(1, "first"), (2, "second")]


def test_what_arrived_before_a_row_that_is_due_is_due_although_the_clock_was_set_back(house: House) -> None:
    run_id = post(house, "m", 0, (T0, "begins"))
    house.pass_time(16)
    house.now += 3600 * SECOND
    post(house, "m", 1, (T0 + 17, "while the clock was wrong"))
    house.now -= 3600 * SECOND
    post(house, "m", 2, (T0 + 18, "after it was set"))
    house.pass_time(16)
    assert shown(house, run_id) == [(1, "begins"), (2, "while the clock was wrong"), (3, "after it was set")]


def test_a_run_with_more_than_fits_is_numbered_in_parts_in_one_order(house: House) -> None:
    # The last message holds lines that were written before those of every other.
    count = 3 * window.AT_ONCE
    for number in range(count):
        run_id = post(house, "m", number, (T0 + number, f"line {number}"))
    post(house, "m", count, (T0 + 0.5, "early"), (T0 + count, "late"))
    house.now += 15 * SECOND
    (first, *rest) = portions(house)
    house.do(release, first)
    assert [text for n, text in shown(house, run_id) if n][:3] == ["line 0", "early", "line 1"]
    assert len(first[0].ids) == 2 * window.AT_ONCE
    for portion in rest:
        house.do(release, portion)
    texts: list[Any] = [f"line {number}" for number in range(count)]
    assert [text for _, text in shown(house, run_id)] == ["line 0", "early", *texts[1:], "late"]


def test_a_run_that_is_gone_is_passed_over(house: House) -> None:
    post(house, "m-1", 0, (T0, "one"))
    kept = post(house, "m-2", 0, (T0, "two"))
    house.now += 16 * SECOND
    found = portions(house)
    gone = delete(tables.runs).where(tables.runs.c.id != kept)
    house.database.submit(lambda connection: connection.execute(gone) and None).result(30)
    for portion in found:
        house.do(release, portion)
    assert shown(house, kept) == [(1, "two")]


def test_many_rows_are_ended_some_at_a_time(house: House) -> None:
    said = [message(house, "m", number, (T0 + number, f"line {number}")) for number in range(window.FORGOTTEN_AT_ONCE)]
    (run_id, *_) = hear(house, *said)
    house.now += 16 * SECOND
    for portion in portions(house):
        house.do(release, portion)
    post(house, "m", len(said), (T0 + len(said), "not due"))
    assert house.do(window.forget)
    assert not house.do(window.forget)
    assert waiting_rows(house) == 1
    assert shown(house, run_id)[-2:] == [(len(said), f"line {len(said) - 1}"), (None, "not due")]

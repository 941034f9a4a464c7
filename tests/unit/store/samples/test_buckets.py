"""Rolling samples up: nothing lost of smallest, mean and largest, whatever the order and the pieces."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.store.read.samples import WIDTHS, columns_of
from goliat_monitoring.store.samples.age import STEPS
from goliat_monitoring.store.samples.buckets import SECOND, Row, roll_up, start_of

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
bodies = st.dictionaries(st.sampled_from(["cpu", "gpu", "percent"]), numbers) | st.fixed_dictionaries(
    {"stage": st.text(max_size=5), "cpu": numbers}
)
raw_rows = st.lists(
    st.builds(
        lambda at, delay, body: Row(0, at, at + delay, json.dumps(body)),
        st.integers(0, 3 * 3600 * SECOND),
        st.integers(0, 60 * SECOND),
        bodies,
    ),
    max_size=40,
    unique_by=lambda row: row.at,
)


def row(at_s: float, step: int = 0, received_s: float | None = None, **body: object) -> Row:
    received = at_s if received_s is None else received_s
    return Row(step, round(at_s * SECOND), round(received * SECOND), json.dumps(body))


def told(rows: list[Row]) -> dict[float, dict[str, object]]:
    return {it.at / SECOND: json.loads(it.body) for it in rows}


def close(first: list[Row], second: list[Row]) -> bool:
    """Equal but for the last digits of means."""
    if [it[:3] for it in first] != [it[:3] for it in second]:
        return False
    for one, other in zip(first, second, strict=True):
        a, b = json.loads(one.body), json.loads(other.body)
        assert a.keys() == b.keys()
        for name, value in a.items():
            if name == "stage":
                assert value == b[name]
            else:
                size = max(abs(value[0]), abs(value[2]))
                assert (value[0], value[2], value[3]) == (b[name][0], b[name][2], b[name][3])
                assert math.isclose(value[1], b[name][1], rel_tol=1e-9, abs_tol=size * 1e-9)
    return True


@pytest.mark.parametrize(
    ("at", "step", "start"), [(0, 60, 0), (59.999999, 60, 0), (60, 60, 60), (60.000001, 60, 60), (1199, 600, 600)]
)
def test_a_span_holds_its_beginning_and_not_its_end(at: float, step: int, start: float) -> None:
    assert start_of(round(at * SECOND), step) == start * SECOND


def test_a_minute_is_told_as_smallest_mean_largest_and_the_last_text() -> None:
    rows = [row(5, cpu=10, stage="setup"), row(10, cpu=40), row(59.9, cpu=10, stage="run"), row(60, cpu=99)]
    assert told(roll_up(rows, 60)) == {
        0: {"cpu": [10, 20, 40, 3], "stage": ["run", 59_900_000]},
        60: {"cpu": [99, 99, 99, 1]},
    }


def test_a_late_sample_finds_its_place() -> None:
    whole = [row(5, cpu=10, stage="a"), row(20, cpu=40, stage="b"), row(55, cpu=70)]
    late = row(10, received_s=5000, cpu=0, stage="late")
    rolled = roll_up(whole, 60)
    (again,) = roll_up([*rolled, late], 60)
    assert json.loads(again.body) == {"cpu": [0, 30, 70, 4], "stage": ["b", 20_000_000]}
    assert again.received_at == 5000 * SECOND


def test_absurd_numbers_stay_numbers() -> None:
    huge = [row(1, a=1.7e308), row(2, a=1.7e308), row(3, a=-1.7e308), row(4, a=-1.7e308)]
    for rows in (huge, huge[:2], [huge[0], huge[2], huge[1]]):
        (rolled,) = roll_up(roll_up(rows, 60), 600)
        smallest, mean, largest, count = json.loads(rolled.body)["a"]
        assert smallest <= mean <= largest == 1.7e308
        assert count == len(rows)


def test_of_numbers_and_texts_the_numbers_stay() -> None:
    for rows in ([row(1, a=1), row(2, a="x"), row(3, a=3)], [row(1, a="x"), row(2, a=1), row(3, a=3)]):
        assert told(roll_up(rows, 60)) == {0: {"a": [1, 2, 3, 2]}}


def test_what_is_no_number_and_no_text_is_left_out() -> None:
    assert told(roll_up([row(1, a=True, b=None, c=[1], d={}, e=2)], 60)) == {0: {"e": [2, 2, 2, 1]}}


@given(raw_rows, st.data())
def test_pieces_in_any_order_give_the_same(rows: list[Row], data: st.DataObject) -> None:
    whole = roll_up(rows, 60)
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    assert close(roll_up([*roll_up(shuffled[:cut], 60), *shuffled[cut:]], 60), whole)
    assert close(roll_up(whole, 600), roll_up(rows, 600))
    assert roll_up(whole, 60) == whole


@given(raw_rows)
def test_a_row_lies_in_one_span_and_bounds_hold(rows: list[Row]) -> None:
    rolled = roll_up(rows, 600)
    assert all(first.at < second.at for first, second in pairwise(rolled))
    counted = sum(len(json.loads(it.body)) - ("stage" in json.loads(it.body)) for it in rows)
    values = [value for it in rolled for name, value in json.loads(it.body).items() if name != "stage"]
    assert sum(value[3] for value in values) == counted
    assert all(value[0] <= value[1] <= value[2] for value in values)


@given(raw_rows, st.integers(1, 50), st.sampled_from([0, 60, 600]))
def test_a_plot_gets_at_most_as_many_points_as_asked(rows: list[Row], points: int, step: int) -> None:
    half = len(rows) // 2
    mixed = [*roll_up(rows[:half], step), *rows[half:]] if step else rows
    found = columns_of(mixed, points)
    assert len(found.times) <= points
    assert found.times == sorted(set(found.times))
    assert all(len(column) == len(found.times) for column in found.values.values())
    assert found.step >= max((it.step for it in mixed), default=0)
    if found.step == 0:
        assert not found.smallest
    highest = max((v for it in rows for n, v in json.loads(it.body).items() if n == "cpu"), default=None)
    if found.step and highest is not None:
        assert max(v for v in found.largest["cpu"] if v is not None) == highest


def test_each_width_holds_whole_rows_of_every_step() -> None:
    for smaller, larger in pairwise(WIDTHS):
        assert larger % smaller == 0
    assert all(width % step == 0 for step in STEPS[1:] for width in WIDTHS if width >= step)


def test_few_samples_are_shown_as_they_came() -> None:
    found = columns_of([row(1, cpu=1), row(2, gpu=2, stage="x")], 10)
    assert (found.step, found.times) == (0, [SECOND, 2 * SECOND])
    assert found.values == {"cpu": [1, None], "gpu": [None, 2], "stage": [None, "x"]}
    assert found.largest == {}


def test_a_sender_with_a_wild_clock_costs_no_points() -> None:
    found = columns_of([row(0, cpu=1), row(4e9, cpu=3)], 2)
    assert found.values["cpu"] == [1, 3]
    assert columns_of([row(0, cpu=1), row(4e9, cpu=3)], 1).values["cpu"] == [2]

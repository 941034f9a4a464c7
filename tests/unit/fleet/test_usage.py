"""GPU hours and money."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.progress import Phases, learned_phases, phases_of_cost
from goliat_monitoring.fleet.usage import Span, cost, gpu_hours, usage

H = 3600.0


def test_spent_idle_and_to_come() -> None:
    used = usage(
        [Span("a", 0, H), Span("a", 2 * H, 3 * H), Span("b", 0, H)],
        [Span("a", H, 1.5 * H), Span("c", 0, 9 * H)],
        {"a": 4 * H, "b": H, "c": 9 * H},
    )
    assert used.spent == {"a": 2 * H, "b": H}
    # `a` waited half an hour before its second run and an hour after it; `b` left at once.
    assert used.idle == {"a": 1.5 * H, "b": 0}
    assert gpu_hours(used, {"b": 2 * H}) == (3, 5, 1.5)
    money = cost(used, {"b": 2 * H, "d": H}, {"a": 0.5, "b": 2.0})
    assert money is not None
    assert money[0] == (3.0, 7.0, 0.75)
    assert money[1] == 1.0
    assert cost(used, {}, {"elsewhere": 1.0}) is None
    assert cost(usage([], [], {}), {}, {}) is None


spans = st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 1e6), st.floats(0, 1e6)).map(lambda it: Span(*it)))


@given(spans, spans, st.floats(0, 2e6))
def test_no_hour_is_counted_twice(own: list[Span], others: list[Span], until: float) -> None:
    used = usage(own, others, {"a": until, "b": until})
    for worker in used.spent:
        mine = [span for span in own if span.worker == worker]
        length = max(max(it.end, it.start) for it in mine) - min(it.start for it in mine)
        assert 0 <= used.spent[worker] <= length * (1 + 1e-9) + 1e-6
        assert 0 <= used.idle[worker] <= max(length, until) + 1e-6


@pytest.mark.parametrize(
    ("overhead", "solver", "phases"),
    [(100, 100, (0.15, 0.75)), (100, 0, (0.3, 0.5)), (0, 100, (0, 1)), (0, 0, (0.25, 0.75)), (-1, 5, (0.25, 0.75)),
     (float("nan"), 1, (0.25, 0.75))],
)  # fmt: skip
def test_phases_by_the_cost_model(overhead: float, solver: float, phases: tuple[float, float]) -> None:
    assert phases_of_cost(overhead, solver) == pytest.approx(phases)


def test_phases_are_drawn_to_what_was_measured() -> None:
    prior, seen = Phases(0.3, 0.5), Phases(0.2, 0.7)
    assert learned_phases(prior, []) == prior
    assert learned_phases(prior, [seen] * 3) == pytest.approx((0.25, 0.6))
    assert learned_phases(prior, [seen] * 300) == pytest.approx(seen, rel=0.01)

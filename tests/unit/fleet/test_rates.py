"""What finished simulations teach about those to come."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.fleet.rates import Kind, Speed, Timing, learn

LOW, HIGH = Kind("s", "duke", "450"), Kind("s", "duke", "5800")


def timing(seconds: float, kind: Kind = LOW, worker: str = "w", predicted: float = 100.0) -> Timing:
    return Timing(worker, "RTX 4090", kind, predicted, seconds)


def test_the_prior_is_the_cost_model() -> None:
    rates = learn([])
    assert rates.of_kind(LOW).value == 1.0
    assert rates.of_worker("w", "H100").value == 1.0
    assert rates.seen("s") == 0


def test_the_prior_fades_with_evidence() -> None:
    factors = [
        learn([timing(200)] * n).of_kind(LOW).value * learn([timing(200)] * n).of_worker("w", "RTX 4090").value
        for n in (1, 3, 10)
    ]
    assert 1.5 < factors[0] < factors[1] < factors[2] < 2.01
    assert learn([timing(200)] * 10).of_kind(LOW).spread < learn([timing(200)]).of_kind(LOW).spread < 0.7


def test_a_slow_worker_is_told_from_a_slow_kind() -> None:
    slow = [timing(200, kind, "slow") for kind in (LOW, HIGH) for _ in range(4)]
    rates = learn(slow + [timing(100, kind, f"w{n}") for kind in (LOW, HIGH) for n in range(3) for _ in range(4)])
    assert rates.of_worker("slow", "RTX 4090").value > 1.5 * rates.of_worker("w0", "RTX 4090").value
    assert rates.of_kind(LOW).value == pytest.approx(rates.of_kind(HIGH).value, rel=0.02)


def test_frequencies_between_are_interpolated_and_beyond_stay() -> None:
    rates = learn([timing(100, LOW)] * 5 + [timing(300, HIGH)] * 5)
    between = [rates.of_kind(Kind("s", "duke", f)).value for f in ("300", "450", "700", "1600", "3500", "5800", "7000")]
    assert between[1:6] == sorted(between[1:6])
    assert between[0] == pytest.approx(between[1], rel=0.1)
    assert between[6] == pytest.approx(between[5], rel=0.1)
    assert between[3] == pytest.approx(math.sqrt(between[1] * between[5]), rel=0.15)
    far = rates.of_kind(Kind("s", "duke", "26000"))
    assert far.spread > rates.of_kind(Kind("s", "duke", "7000")).spread > rates.of_kind(HIGH).spread
    assert rates.of_kind(Kind("s", "duke", "no number")).value > 0


def test_another_study_keeps_its_own_kinds_but_knows_the_workers() -> None:
    rates = learn([timing(100 if n % 2 else 250, worker=f"w{n % 2}") for n in range(12)])
    assert rates.of_kind(Kind("other", "duke", "450")).value == 1.0
    assert rates.of_worker("w0", "RTX 4090").value > rates.of_worker("w1", "RTX 4090").value


@pytest.mark.parametrize(
    ("seconds", "predicted"),
    [(0, 100), (-5, 100), (math.nan, 100), (math.inf, 100), (100, 0), (100, math.nan)],
)
def test_impossible_times_teach_nothing(seconds: float, predicted: float) -> None:
    assert learn([timing(seconds, predicted=predicted)]).seen("s") == 0


def test_what_flies_by_beside_what_was_computed_teaches_nothing() -> None:
    other = Kind("other", "duke", "450")
    rates = learn([timing(100), timing(7), timing(7), timing(100, other)])
    assert (rates.seen("s"), rates.seen("other")) == (1, 1)
    assert rates.of_kind(LOW).value == pytest.approx(1.0)


@pytest.mark.parametrize("ratio", [1 / 165, 1 / 28, 20])
def test_a_prediction_that_is_wrong_by_far_gives_way(ratio: float) -> None:
    # Coarse grids, tests with small domains, or a simulator: nothing of such a study takes as long as it should.
    seen = [timing(100 * ratio, kind, worker) for kind in (LOW, HIGH) for worker in ("w", "w2")]
    for count, close in ((3, 0.5), (4, 0.2)):
        rates = learn(seen[:count])
        factor = rates.of_kind(LOW).value * rates.of_worker("w", "RTX 4090").value
        assert factor == pytest.approx(ratio, rel=close)


def test_a_study_all_of_which_flies_by_is_that_fast() -> None:
    flying = [timing(3 + 0.1 * n) for n in range(3)]
    assert learn(flying[:2]).seen("s") == 0
    rates = learn(flying)
    assert rates.seen("s") == 3
    assert rates.of_kind(LOW).value * rates.of_worker("w", "RTX 4090").value == pytest.approx(0.031, rel=0.3)
    # One that took its time shows what the others were.
    assert learn([*flying, timing(100)]).seen("s") == 1


def test_one_odd_simulation_moves_little() -> None:
    usual = [timing(100 + n, worker=f"w{n}") for n in range(8)]
    odd = learn([*usual, timing(5000, worker="w9")]).of_kind(LOW).value
    assert odd < 1.25


def test_a_solver_at_work_tells_of_its_worker() -> None:
    fast, slow, nonsense = (
        learn([], [Speed("w", ratio, 0.9)]).of_worker("w", "RTX 4090").value for ratio in (2.0, 0.5, math.nan)
    )
    assert fast < 1 < slow
    assert nonsense == 1.0
    # What is measured on whole simulations counts more.
    assert learn([timing(100)] * 20, [Speed("w", 0.5, 0.9)]).of_worker("w", "RTX 4090").value < slow


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]), st.sampled_from(["450", "700+835", "x", "5800"]),
            st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=30,
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_order_does_not_matter_and_factors_are_numbers(
    rows: list[tuple[str, str, float]], shuffled: Random
) -> None:
    timings = [timing(seconds, Kind("s", "duke", frequency), worker) for worker, frequency, seconds in rows]
    rates = learn(timings)
    shuffled.shuffle(timings)
    assert learn(timings).effects == rates.effects
    for worker, frequency, _ in rows:
        for factor in (rates.of_kind(Kind("s", "duke", frequency)), rates.of_worker(worker, "RTX 4090")):
            assert factor.value > 0
            assert math.isfinite(factor.value)
            assert factor.spread >= 0

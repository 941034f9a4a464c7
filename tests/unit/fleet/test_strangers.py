"""Which pairs of a silent claim and a stranger a person is offered."""

from dataclasses import replace

from goliat_monitoring.fleet.strangers import PATIENCE, SilentClaim, Stranger, offers
from goliat_monitoring.fleet.timing import MINUTE, SECOND

T0 = 1_800_000_000 * SECOND
CLAIM = SilentClaim("r1", "a1", "s1", "study", 4, "w1", "10.0.0.4", "lab-4", T0, expected=2)
STRANGER = Stranger("r2", "w2", "10.8.0.9", "", T0 + MINUTE, T0 - 60 * MINUTE)
CASES = {"a1": frozenset({"duke, 700mhz, x_pos, theta", "duke, 700mhz, x_pos, phi"})}
SOON, LATER = T0 + 2 * MINUTE, T0 + PATIENCE


def hints(stranger: Stranger, now: int = SOON, claim: SilentClaim = CLAIM) -> list[str] | None:
    found = offers([claim], [stranger], CASES, now)
    return list(found[0].hints) if found else None


def test_a_stranger_with_nothing_in_common_is_offered_once_the_silence_means_something() -> None:
    assert hints(STRANGER, LATER - 1) is None
    assert hints(STRANGER, LATER) == []


def test_a_simulation_of_the_assignment_speaks_for_it_at_once() -> None:
    assert hints(replace(STRANGER, details="Duke,  700MHz, x_pos, phi")) == [
        "it computes a simulation of this assignment"
    ]


def test_what_is_known_rules_pairs_out_however_long_the_silence() -> None:
    assert hints(replace(STRANGER, details="ella, 700MHz, x_pos, phi"), LATER) is None
    assert hints(replace(STRANGER, total=3), LATER) is None
    assert hints(replace(STRANGER, began_at=T0 - 1), LATER) is None
    assert hints(replace(STRANGER, worker_id="w1"), LATER) is None


def test_a_retry_whose_size_nobody_knows_is_not_ruled_out_by_a_number() -> None:
    assert hints(replace(STRANGER, total=1), LATER, replace(CLAIM, expected=None)) == []


def test_the_likeliest_pair_comes_first() -> None:
    known = replace(STRANGER, run_id="r3", worker_id="w3")
    likely = replace(STRANGER, hostname="LAB-4", total=2, known_since=T0 + MINUTE)
    found = offers([CLAIM], [known, likely], CASES, LATER)
    assert [it.stranger.run_id for it in found] == ["r2", "r3"]
    assert found[0].hints == ["its hostname is the same", "it has as many simulations", "it was never heard before"]

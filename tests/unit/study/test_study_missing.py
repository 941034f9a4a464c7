"""What is missing of a study as configs: one that covers it, or several that ask for it exactly."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goliat_monitoring.study.balance import Share, balanced_shares, cut_shares
from goliat_monitoring.study.cases import enumerate_cases
from goliat_monitoring.study.missing import covering, exact_parts, spared
from goliat_monitoring.study.space import space_of

FAR: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["duke", "ella"],
    "frequencies_mhz": [700, 900, "700+2450"],
    "far_field_setup": {
        "environmental": {"incident_directions": ["x_pos", "y_pos", "z_neg"], "polarizations": ["theta", "phi"]}
    },
    "run_tag": "one",
}
TESSELLATED: dict[str, Any] = {
    **FAR,
    "far_field_setup": {
        "environmental": {
            "spherical_tessellation": {"theta_divisions": 4, "phi_divisions": 4}, "polarizations": ["theta", "phi"],
        }
    },
}  # fmt: skip
ODD_ANGLES: dict[str, Any] = {
    **FAR,
    "far_field_setup": {
        "environmental": {
            "spherical_tessellation": {"theta_divisions": 7, "phi_divisions": 7}, "polarizations": ["theta"],
        }
    },
}  # fmt: skip
INDUCED: dict[str, Any] = {**FAR, "auto_induced": {"enabled": True}}
NEAR: dict[str, Any] = {
    "study_type": "near_field",
    "phantoms": ["duke", "ella"],
    "antenna_config": {"700": {}, "2450": {}},
    "placement_scenarios": {
        "by_cheek": {"positions": {"up": {}, "down": {}}, "orientations": {"vertical": {}, "tilt": {}}},
        "by_belly": {"positions": {"left": {}}, "orientations": {"vertical": {}, "flat": {}}},
    },
    "phantom_definitions": {
        "duke": {"placements": {"do_by_cheek": True, "do_by_belly": True}},
        "ella": {"placements": {"do_by_cheek": True}},
    },
}
CONFIGS = [FAR, TESSELLATED, ODD_ANGLES, INDUCED, NEAR]


def keys(config: dict[str, Any]) -> list[str]:
    return [case.key for case in enumerate_cases(config)]


@pytest.mark.parametrize(
    ("wanted", "count", "again", "text"),
    [
        ([0], 1, 0, "duke · 700 MHz · x_pos · theta"),
        ([0, 1], 2, 0, "duke · 700 MHz · x_pos"),
        # Two corners of a square: the square.
        ([0, 3], 4, 2, "duke · 700 MHz · x_pos, y_pos"),
        (range(18), 18, 0, "duke"),
        ([35], 1, 0, "ella · 700+2450 MHz · z_neg · phi"),
    ],
)
def test_the_smallest_cover(wanted: list[int], count: int, again: int, text: str) -> None:
    missing = [keys(FAR)[i] for i in wanted]
    found = covering(FAR, missing)
    assert found is not None
    assert (len(found.cases), found.again, found.text) == (count, again, text)
    assert set(missing) <= set(keys(found.config))


def test_without_a_smaller_config_the_whole_one_is_run() -> None:
    assert covering(FAR, keys(FAR)) is None
    assert covering(FAR, []) is None
    assert covering(FAR, ["unknown"]) is None
    assert covering({**FAR, "extends": "base.json"}, [keys(FAR)[0]]) is None
    assert covering({"study_type": "other"}, ["x"]) is None


def test_what_goliat_combines_is_kept_together() -> None:
    found = covering(INDUCED, [keys(INDUCED)[0]])
    assert found is not None
    assert (len(found.cases), found.again, found.text) == (6, 5, "duke · 700 MHz")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CONFIGS), st.data())
def test_a_cover_covers_and_adds_nothing_foreign(config: dict[str, Any], data: st.DataObject) -> None:
    every = keys(config)
    missing = data.draw(st.sets(st.sampled_from(every), min_size=1))
    found = covering(config, missing)
    if found is None:
        return
    asked = keys(found.config)
    assert missing <= set(asked) < set(every)
    assert found.again == len(asked) - len(missing)
    # Same order and same folders, so that results and announcements mean the same.
    assert asked == [key for key in every if key in set(asked)]
    paths = {case.key: case.relative_path for case in enumerate_cases(config)}
    assert all(paths[case.key] == case.relative_path for case in found.cases)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CONFIGS), st.data())
def test_exact_parts_ask_for_each_missing_case_once(config: dict[str, Any], data: st.DataObject) -> None:
    space = space_of(config)
    missing = data.draw(st.sets(st.sampled_from(keys(config)), min_size=1))
    parts = exact_parts(space, missing)
    asked = Counter(key for part in parts for key in keys(space.config_of(part)))
    assert set(asked.values()) == {1}
    if config in (INDUCED, ODD_ANGLES):
        blocks = {key.rsplit("/", 1)[0] for key in missing}
        assert set(asked) == {key for key in keys(config) if key.rsplit("/", 1)[0] in blocks}
    else:
        assert set(asked) == missing
    assert all(space.simulations(part) == len(keys(space.config_of(part))) for part in parts)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CONFIGS), st.integers(1, 12), st.data())
def test_what_remains_is_cut_again_and_stays_exact(config: dict[str, Any], number: int, data: st.DataObject) -> None:
    space = space_of(config)
    missing = data.draw(st.sets(st.sampled_from(keys(config)), min_size=1))
    shares = [Share(space, part) for part in exact_parts(space, missing)]
    whole = Counter(key for share in shares for key in keys(space.config_of(share.part)))
    for made in (cut_shares(shares, number), balanced_shares(shares, number, 2000)[0]):
        assert Counter(key for share in made for key in keys(share.space.config_of(share.part))) == whole
    assert len(cut_shares(shares, number)) >= min(number, len(shares))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CONFIGS), st.data())
def test_what_several_configs_spare_is_what_one_computes_again(config: dict[str, Any], data: st.DataObject) -> None:
    every, space = keys(config), space_of(config)
    missing = data.draw(st.sets(st.sampled_from(every), min_size=1))
    found = covering(config, missing)
    again = found.again if found is not None else len(every) - len(missing)
    exact = sum(space.simulations(part) for part in exact_parts(space, missing))
    assert spared(config, missing) == again - (exact - len(missing)) >= 0


def test_what_several_configs_spare() -> None:
    every = keys(FAR)
    # After an ordered beginning one config asks for the whole again.
    assert spared(FAR, every[5:]) == 5
    assert spared(FAR, every[18:]) == 0
    # What GOLIAT combines comes again in any way, but not the other blocks of the product.
    blocks = keys(INDUCED)
    assert spared(INDUCED, [blocks[0]]) == 0
    assert spared(INDUCED, [blocks[0], blocks[-1]]) == 4 * 6 - 2 * 6
    for config in ({**FAR, "extends": "base.json"}, {"study_type": "other"}):
        assert spared(config, every[5:]) == 0
    assert spared(FAR, ["unknown", *every[5:]]) == 0
    assert spared(FAR, []) == 0


def test_a_cut_reaches_its_number_where_it_can() -> None:
    space = space_of(FAR)
    assert len(cut_shares([Share(space, space.whole)], 7)) == 7
    assert len(cut_shares([Share(space, space.whole)], 500)) == 36
    assert balanced_shares([Share(space, space.whole)], 3, 2000)[1] < 1.1

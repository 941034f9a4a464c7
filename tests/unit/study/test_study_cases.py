"""Enumeration of cases against the published counts, the weights, and the folders of results."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goliat_monitoring.study.cases import MAX_CASES, Phases, count_cases, enumerate_cases, phases
from goliat_monitoring.study.extends import ConfigProblem
from goliat_monitoring.study.results import (
    case_of_details,
    case_of_path,
    key_of_details,
    key_of_path,
    result_paths,
)
from goliat_monitoring.study.weights import CaseCost, case_cost, case_seconds, gpu_rate

Config = dict[str, Any]
TRACES = Path(__file__).parents[2] / "data" / "traces"
SIX = ["x_pos", "x_neg", "y_pos", "y_neg", "z_pos", "z_neg"]
BOTH = ["theta", "phi"]


def far(phantoms: object, frequencies: object, directions: object, polarizations: object = None, **more: Any) -> Config:
    return {
        "study_type": "far_field",
        "phantoms": phantoms,
        "frequencies_mhz": frequencies,
        "far_field_setup": {
            "environmental": {
                "incident_directions": directions,
                "polarizations": BOTH if polarizations is None else polarizations,
                **more.pop("environmental", {}),
            }
        },
        **more,
    }


def near(phantoms: list[str], antennas: int, scenarios: dict[str, tuple[int, int]], **placements: list[str]) -> Config:
    """Scenarios by name as (positions, orientations); `placements`: scenarios of a phantom, default all."""
    return {
        "study_type": "near_field",
        "phantoms": phantoms,
        "antenna_config": {str(700 + i): {} for i in range(antennas)},
        "placement_scenarios": {
            name: {
                "positions": {f"p{i}": [0, 0, 0] for i in range(positions)},
                "orientations": {f"o{i}": [] for i in range(orientations)},
            }
            for name, (positions, orientations) in scenarios.items()
        },
        "phantom_definitions": {
            phantom: {"placements": {f"do_{name}": True for name in placements.get(phantom, list(scenarios))}}
            for phantom in phantoms
        },
    }


PLACEMENTS = {"by_cheek": (4, 2), "front_of_eyes": (1, 6), "by_belly": (4, 2)}  # 22
FOUR = ["thelonious", "eartha", "duke", "ella"]


@pytest.mark.parametrize(
    ("name", "config", "count"),
    [
        ("far_field_config", far(FOUR, [450, 700, 835, 1450, 2140, 2450, 3500, 5200, 5800], SIX), 432),
        ("near_field_config", near(["a", "b"], 8, PLACEMENTS), 352),
        ("nf_h_nd_f", near(["a", "b"], 6, PLACEMENTS), 264),
        ("far_field_sim4life_web", far(["a"], list(range(1, 10)), SIX), 108),
        ("nf_l_nd_f", near(["c", "d"], 2, PLACEMENTS), 88),
        ("nf_l_d", near(["a", "b"], 2, PLACEMENTS), 88),
        ("investigate_detuning_low", near(["a", "b"], 9, {"s": (3, 1)}), 54),
        ("tutorial_2_custom", far(["a", "b"], [700, 835], SIX), 48),
        ("26ghz_remaining", near(["a", "b"], 1, {"s": (3, 2), "t": (1, 4), "u": (3, 2)}), 32),
        ("FR3_FR2_environmental", far(FOUR, list(range(7, 13)), ["x_pos"], ["theta"]), 24),
        ("tutorial_5_parallel", far(["a", "b", "c"], [1, 2], ["x_pos", "z_neg"]), 24),
        (
            "far_field_11GHz",
            far(FOUR, [11000], SIX, ["theta"], environmental={
                "spherical_tessellation": {"theta_values": [90], "phi_values": [135, 165, 195, 225]}}),
            16,
        ),
        (
            "aegis_tier1, tessellation nulled",
            far(["a"], [700], SIX[:3], ["theta"], environmental={"spherical_tessellation": None}),
            3,
        ),
        ("tessellation empty", far(["a"], [700], SIX[:3], ["theta"], environmental={"spherical_tessellation": {}}), 3),
        (
            "tessellation by divisions: (3-1)*4+2",
            far(["a"], [700], [], ["theta"], environmental={"spherical_tessellation": {"theta_divisions": 3}}),
            10,
        ),
        ("multisine", far(["a"], ["700+835"], ["x_pos"], ["theta"]), 1),
        ("a parent only", far(["a"], None, SIX), 0),
        ("scalar phantom and frequency", far("duke", 700, ["x_pos"]), 2),
        ("frequencies as text", far(["duke"], ["700", " 835 "], ["x_pos"]), 4),
        ("documented near-field example", near(["a", "b"], 2, {"belly": (2, 2), "cheek": (1, 1)}, b=["belly"]), 18),
        ("phantom without definition", {**near(["a"], 2, {"s": (1, 1)}), "phantoms": ["a", "freespace"]}, 2),
        ("scenario without orientations", near(["a"], 2, {"s": (2, 0)}), 0),
    ],
)  # fmt: skip
def test_counts(name: str, config: Config, count: int) -> None:
    assert count_cases(config) == count
    assert len(enumerate_cases(config)) == count


def test_far_field_order_and_fields() -> None:
    cases = enumerate_cases(far(["Duke", "ella"], [700, "835 + 2450"], ["x_pos", "z_neg"], run_tag="my tag/1"))
    assert [case.ordinal for case in cases] == list(range(16))
    assert [case.details for case in cases[:5]] == [
        "Duke, 700MHz, x_pos, theta",
        "Duke, 700MHz, x_pos, phi",
        "Duke, 700MHz, z_neg, theta",
        "Duke, 700MHz, z_neg, phi",
        "Duke, 835+2450MHz, x_pos, theta",
    ]
    assert cases[4].key == "duke/835+2450MHz/environmental_x_pos_theta"
    assert cases[4].relative_path == "far_field/duke/835+2450MHz/environmental_x_pos_theta__my_tag_1"
    assert cases[0].weight > 1


def test_near_field_order_and_fields() -> None:
    cases = enumerate_cases(near(["a"], 2, {"by_cheek": (2, 1), "by_belly": (1, 2)}))
    assert [case.details for case in cases] == [
        f"a, {antenna}MHz, {placement}"
        for antenna in (700, 701)
        for placement in ("by_cheek_p0_o0", "by_cheek_p1_o0", "by_belly_p0_o0", "by_belly_p0_o1")
    ]
    assert cases[0].relative_path == "near_field/a/700MHz/by_cheek_p0_o0"


def test_directions_of_a_tessellation_are_whole_degrees() -> None:
    config = far(["a"], [700], [], ["theta"], environmental={
        "spherical_tessellation": {"theta_values": [0, 45.5, 180.0], "phi_divisions": 2}})  # fmt: skip
    assert [case.placement for case in enumerate_cases(config)] == [
        f"environmental_{angle}_theta" for angle in ("0_0", "45_0", "45_180", "180_0")
    ]


def environmental(**values: Any) -> Config:
    return far(["a"], [700], ["x_pos"], environmental=values)


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"extends": "base", "study_type": "far_field"}, "extends"),
        ({}, "study_type"),
        ({"study_type": "mid_field"}, "study_type"),
        (far({"duke": {}}, [700], SIX), "phantoms"),
        (far([1], [700], SIX), "phantoms"),
        (far(["a"], [700, 700], SIX), "frequencies_mhz"),
        (far(["a"], [700, "700"], SIX), "frequencies_mhz"),
        (far(["Duke", "duke"], [700], SIX), "frequencies_mhz"),
        (far(["a/b"], [700], SIX), "frequencies_mhz"),
        (far(["../../etc"], [700], SIX), "frequencies_mhz"),
        (far(["con"], [700], SIX), "frequencies_mhz"),
        (far(["a"], ["x"], SIX), "frequencies_mhz"),
        (far(["a"], ["700+"], SIX), "frequencies_mhz"),
        (far(["a"], [True], SIX), "frequencies_mhz"),
        (far(["a"], [-1], SIX), "frequencies_mhz"),
        (far(["a"], [float("nan")], SIX), "frequencies_mhz"),
        (far(["a"], [10**400], SIX), "frequencies_mhz"),
        (far(["a"], [1e30], SIX), "frequencies_mhz"),
        (far(["a"], [700], "x_pos"), "far_field_setup.environmental.incident_directions"),
        (far(["a"], [700], SIX, "theta"), "far_field_setup.environmental.polarizations"),
        ({**far(["a"], [700], SIX), "far_field_setup": []} | {"far_field_setup": [1]}, "far_field_setup"),
        (environmental(spherical_tessellation=3), "far_field_setup.environmental.spherical_tessellation"),
        (environmental(spherical_tessellation={"theta_divisions": 0}),
         "far_field_setup.environmental.spherical_tessellation.theta_divisions"),
        (environmental(spherical_tessellation={"theta_divisions": 10**9}),
         "far_field_setup.environmental.spherical_tessellation.theta_divisions"),
        (environmental(spherical_tessellation={"phi_values": ["90"]}),
         "far_field_setup.environmental.spherical_tessellation.phi_values"),
        (environmental(spherical_tessellation={"phi_divisions": 1000}), "frequencies_mhz"),  # folders coincide
        ({**near(["a"], 1, {"s": (1, 1)}), "antenna_config": {"700+835": {}}}, "antenna_config"),
        ({**near(["a"], 1, {}), "placement_scenarios": ["s"]}, "placement_scenarios"),
        ({**near(["a"], 1, {"s": (1, 1)}), "phantom_definitions": {"a": {"placements": [1]}}},
         "phantom_definitions.a.placements"),
    ],
)  # fmt: skip
def test_refuses_what_goliat_would_misread(config: Config, key: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        enumerate_cases(config)
    assert caught.value.key == key


def test_placements_that_share_a_folder_are_refused() -> None:
    config = near(["a"], 1, {})
    config["placement_scenarios"] = {
        "by": {"positions": {"belly_up": []}, "orientations": {"o": []}},
        "by_belly": {"positions": {"up": []}, "orientations": {"o": []}},
    }
    config["phantom_definitions"] = {"a": {"placements": {"do_by": True, "do_by_belly": True}}}
    with pytest.raises(ConfigProblem, match="same result folder"):
        enumerate_cases(config)


def test_a_hostile_size_is_refused_before_it_is_built() -> None:
    with pytest.raises(ConfigProblem, match=str(MAX_CASES)):
        enumerate_cases(far([f"p{i}" for i in range(500)], list(range(1, 1000)), SIX))


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (None, Phases(True, True, True)),
        ({"do_run": None, "do_extract": False}, Phases(True, True, False)),
        ({"do_setup": 0, "only_write_input_file": True}, Phases(False, True, True, True)),
        ("odd", Phases()),
    ],
)
def test_phases(control: object, expected: Phases) -> None:
    assert phases({"execution_control": control}) == expected


_words = st.text("abAB_é", min_size=1, max_size=4)


@settings(max_examples=50)
@given(st.lists(_words, max_size=3), st.lists(st.integers(1, 5), max_size=3), st.lists(_words, max_size=3))
def test_keys_and_folders_are_unique(phantoms: list[str], frequencies: list[int], directions: list[str]) -> None:
    config = far(phantoms, frequencies, directions)
    try:
        cases = enumerate_cases(config)
    except ConfigProblem:
        return
    assert len({case.key.casefold() for case in cases}) == len(cases) == count_cases(config)
    assert len({case.relative_path.casefold() for case in cases}) == len(cases)
    for case in cases:
        assert case_of_path(case.relative_path, cases) == case.key
        assert case_of_details(case.details, cases) is not None


def test_recorded_splits_count_as_their_parents_do() -> None:
    for name, total in (("super_study_auto_ff8", 432), ("super_study_custom", 144)):
        request = json.loads((TRACES / f"{name}.jsonl").read_text().splitlines()[1])["json"]
        configs = [{k: v for k, v in a["splitConfig"].items() if k != "extends"} for a in request["assignments"]]
        assert sum(count_cases(config) for config in configs) >= total


@pytest.mark.parametrize(
    ("phantom", "frequency", "seconds"),
    [("duke", "450", 188), ("duke", "1450", 188), ("duke", "2140", 343), ("duke", "5800", 1222),
     ("thelonious", "700", 132), ("thelonious", "5800", 474)],
)  # fmt: skip
def test_weights_of_the_published_far_field_study(phantom: str, frequency: str, seconds: float) -> None:
    request = json.loads((TRACES / "super_study_auto_ff8.jsonl").read_text().splitlines()[1])["json"]
    config = request["baseConfig"]
    config["simulation_parameters"]["simulation_time_multiplier"] = 3.5  # inherited from its parent
    assert case_seconds(config, phantom, frequency, "RTX 4090") == pytest.approx(seconds, rel=0.02)


def test_near_field_weights_follow_the_campaign() -> None:
    cost = case_cost({"study_type": "near_field"}, "duke", "900")
    assert cost == CaseCost(132.0, 679 * (4 / 3))


def test_a_gpu_shortens_only_the_solver_in_near_field() -> None:
    config = {"study_type": "near_field"}
    typical, fast = case_cost(config, "duke", "900"), case_cost(config, "duke", "900", "NVIDIA H100")
    assert fast.overhead_s == typical.overhead_s
    assert fast.solver_s == pytest.approx(typical.solver_s * 7 / 18)


def test_a_faster_gpu_and_a_fuller_grid_cost_less() -> None:
    assert gpu_rate("NVIDIA H100 80GB", 1e9) == 18e9
    assert gpu_rate("NVIDIA RTX 6000 Ada Generation", 1e9) == 5e9
    assert gpu_rate(None, 25e6) == pytest.approx(0.3 * 7e9)


@pytest.mark.parametrize(
    "config", [{"gridding_parameters": [1]}, {"simulation_parameters": {"bbox_padding_mm": "x"}},
               {"gridding_parameters": {"global_gridding": {"manual_fallback_max_step_mm": 0}}}]
)  # fmt: skip
def test_an_odd_config_weighs_one(config: Config) -> None:
    full = far(["a"], [700], ["x_pos"], **config)
    assert {case.weight for case in enumerate_cases(full)} == {1.0}


def test_results_of_a_case_are_found_where_any_version_puts_them() -> None:
    cases = enumerate_cases(far(["duke"], [700, "835+2450"], ["x_pos"], run_tag="t"))
    theta, multi = cases[0], cases[2]
    assert result_paths(theta)[0] == theta.relative_path
    for path in (
        "far_field/Duke/700MHz/environmental_x_pos_theta__t",
        "duke/700MHz/environmental_x_pos_theta__t",
        "far_field\\duke\\700MHz\\environmental_theta_x_pos",
        "results/far_field/duke/700MHz/environmental_x_pos_theta",
    ):
        assert case_of_path(path, cases) == theta.key
    assert case_of_path("far_field/duke/2450MHz/environmental_x_pos_theta__t", cases) == multi.key
    for path in (
        "",
        "../700MHz",
        "far_field/duke/700MHz/environmental_x_pos_theta__other",
        "far_field/ella/700MHz/environmental_x_pos_theta__t",
        "near_field/duke/700MHz/environmental_x_pos_theta__t",
    ):
        assert case_of_path(path, cases) is None


def test_the_folder_of_a_tone_belongs_to_the_plain_case_first_and_to_neither_of_two() -> None:
    plain = enumerate_cases(far(["duke"], ["700+835", 700, "700+900"], ["x_pos"]))
    assert case_of_path("far_field/duke/700MHz/environmental_x_pos_theta", plain) == plain[2].key
    shared = enumerate_cases(far(["duke"], ["700+835", "700+900"], ["x_pos"]))
    assert case_of_path("far_field/duke/700MHz/environmental_x_pos_theta", shared) is None


def test_cases_are_found_by_their_announcement() -> None:
    far_cases = enumerate_cases(far(["duke"], [700], ["x_pos"]))
    near_cases = enumerate_cases(near(["a"], 1, {"by_belly": (1, 1)}))
    assert case_of_details(" duke,  700MHz, x_pos, phi ", far_cases) == far_cases[1].key
    assert case_of_details("a, 700MHz, by_belly_p0_o0", near_cases) == near_cases[0].key
    assert case_of_details("duke, 700MHz, z_pos, phi", far_cases) is None
    assert case_of_details("", far_cases) is None


def test_keys_without_a_config_are_the_same_keys() -> None:
    for case in [*enumerate_cases(far(["Duke"], [700, "1+2"], ["x_pos"], run_tag="t")),
                 *enumerate_cases(near(["a"], 1, {"by_belly": (1, 1)}))]:  # fmt: skip
        assert key_of_details(case.details) == case.key == key_of_path(case.relative_path)
    assert key_of_details("nothing known") is None
    assert key_of_path("somewhere/else") is None
    assert key_of_path("../x") is None

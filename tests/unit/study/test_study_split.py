"""Splits: GOLIAT's order and rule, exact cover, refusals, and the known gaps of GOLIAT's own splitter."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from goliat_monitoring.study.balance import Share
from goliat_monitoring.study.cases import Case, count_cases, enumerate_cases
from goliat_monitoring.study.extends import ConfigProblem, find_in, resolve
from goliat_monitoring.study.plan import Plan, PlannedAssignment, cover_fault, plan
from goliat_monitoring.study.schedule import makespan
from goliat_monitoring.study.split import (
    STRATEGIES,
    SplitProblem,
    SplitRequest,
    achievable,
    factors,
    parse_groups,
    runs,
)

Config = dict[str, Any]
TRACES = Path(__file__).parents[2] / "data" / "traces"
SIX = ["x_pos", "x_neg", "y_pos", "y_neg", "z_pos", "z_neg"]
NINE = [450, 700, 835, 1450, 2140, 2450, 3500, 5200, 5800]
FOUR = ["thelonious", "eartha", "duke", "ella"]


def share(of: PlannedAssignment) -> Share:
    """What an assignment that we cut asks for."""
    assert of.share is not None
    return of.share


def uploaded(name: str) -> Config:
    """The body with which an unmodified GOLIAT uploaded a split study."""
    body: Config = json.loads((TRACES / f"{name}.jsonl").read_text().splitlines()[1])["json"]
    return body


def published(name: str) -> Config:
    """A published config, with what it inherits as far as it matters here, resolved."""
    config: Config = uploaded(name)["baseConfig"]
    return resolve(config, {"base_config.json": {"simulation_parameters": {"simulation_time_multiplier": 3.5}}}.get)


FAR, NEAR = "super_study_auto_ff8", "super_study_auto_nf4"


def far(**more: Any) -> Config:
    config: Config = {
        "study_type": "far_field",
        "phantoms": ["duke", "ella"],
        "frequencies_mhz": [700, "835+2450", "900"],
        "far_field_setup": {
            "type": "environmental",
            "environmental": {"incident_directions": ["x_pos", "z_neg"], "polarizations": ["theta", "phi"]},
        },
    }
    return config | more


def tessellated(tessellation: Config, **more: Any) -> Config:
    config = far(**more)
    config["far_field_setup"]["environmental"]["spherical_tessellation"] = tessellation
    return config


def near() -> Config:
    """The documented example: 10 simulations of a, 8 of b."""
    return {
        "study_type": "near_field",
        "phantoms": ["a", "b"],
        "antenna_config": {"700": {"model": 1}, "835": {"model": 2}},
        "placement_scenarios": {
            "by_belly": {"positions": {"center": [0], "up": [1]}, "orientations": {"vertical": [], "horizontal": []}},
            "by_cheek": {"positions": {"tragus": [0]}, "orientations": {"tilt_base": []}, "bounding_box": "head"},
        },
        "phantom_definitions": {
            "a": {"placements": {"do_by_belly": True, "do_by_cheek": True}},
            "b": {"placements": {"do_by_belly": True}},
        },
    }


def split(config: Config, by: str, number: int | None = None, groups: str = "") -> Plan:
    return plan(config, SplitRequest(by, number, parse_groups(groups) if groups else ()))


def keys(config: Config) -> list[str]:
    return [case.key for case in enumerate_cases(config)]


def check(config: Config, made: Plan, *, order: bool = True) -> None:
    """Each case once, counted from the configs alone, with its weight; inside an assignment in study order."""
    whole = {case.key: case for case in enumerate_cases(config)}
    seen: dict[str, Case] = {}
    for index, assignment in enumerate(made.assignments):
        own = enumerate_cases(assignment.config)
        assert assignment.index == index
        assert assignment.simulations == len(own) == count_cases(assignment.config) > 0
        assert assignment.weight == pytest.approx(sum(case.weight for case in own))
        assert "extends" not in assignment.config
        assert not {case.key for case in own} & seen.keys()
        if order:
            assert [whole[case.key].ordinal for case in own] == sorted(whole[case.key].ordinal for case in own)
        for case in own:
            assert whole[case.key].weight == pytest.approx(case.weight)
            assert whole[case.key].relative_path == case.relative_path
            seen[case.key] = case
    assert seen.keys() == whole.keys()
    assert sum(count_cases(assignment.config) for assignment in made.assignments) == count_cases(config)


@pytest.mark.parametrize(
    ("name", "by", "number", "groups"),
    [
        (FAR, "auto", 8, ""),
        (NEAR, "auto", 4, ""),
        ("super_study_custom", "custom", None, "5800;5200;3500;2140,2450;450,700,835,1450"),
        ("super_study_scenario", "scenario", None, ""),
    ],
)
def test_the_same_assignments_as_goliat(name: str, by: str, number: int | None, groups: str) -> None:
    body = uploaded(name)
    theirs = [{k: v for k, v in it["splitConfig"].items() if k != "extends"} for it in body["assignments"]]
    config = {k: v for k, v in body["baseConfig"].items() if k != "extends"}
    made = split(config, by, number, groups)
    # As text: key order is the order of execution.
    assert [json.dumps(it.config) for it in made.assignments] == [json.dumps(it) for it in theirs]
    check(config, made)


@pytest.mark.parametrize(
    ("phantoms", "items", "number", "expected"),
    [
        (4, 9, 1, (1, 1)), (4, 9, 2, (2, 1)), (4, 9, 3, (3, 1)), (4, 9, 4, (4, 1)), (4, 9, 6, (3, 2)),
        (4, 9, 8, (4, 2)), (4, 9, 12, (4, 3)), (4, 9, 16, (4, 4)), (4, 9, 36, (4, 9)), (4, 9, 7, (1, 7)),
        (4, 9, 5, (1, 5)), (4, 9, 11, None), (4, 9, 37, None), (3, 2, 8, None), (2, 3, 7, None), (1, 1, 2, None),
    ],
)  # fmt: skip
def test_factors(phantoms: int, items: int, number: int, expected: tuple[int, int] | None) -> None:
    assert factors(number, phantoms, items) == expected
    assert (number in achievable(phantoms, items)) == (expected is not None)


def test_runs_are_neighbours_and_the_first_ones_are_longer() -> None:
    assert [len(run) for run in runs(NINE, 4)] == [3, 2, 2, 2]
    assert [it for run in runs(NINE, 4) for it in run] == NINE


@pytest.mark.parametrize(("number", "nearest"), [(11, [10, 12]), (13, [12, 14]), (37, [36]), (31, [28, 32])])
def test_auto_names_the_nearest_numbers(number: int, nearest: list[int]) -> None:
    with pytest.raises(SplitProblem, match=f"into {number} parts") as caught:
        split(published(FAR), "auto", number)
    assert caught.value.nearest == nearest
    assert all(str(it) in str(caught.value) for it in nearest)
    assert [len(split(published(FAR), "auto", it).assignments) for it in nearest] == nearest


@pytest.mark.parametrize(
    ("by", "number", "groups", "labels"),
    [
        ("", None, "", ["everything"]),
        ("phantom", None, "", ["duke", "ella"]),
        ("frequency", None, "", ["700 MHz", "835+2450 MHz", "900 MHz"]),
        ("direction", None, "", ["x_pos", "z_neg"]),
        ("polarization", None, "", ["theta", "phi"]),
        ("freq_x_pol", None, "", [f"{f} MHz · {p}" for f in ("700", "835+2450", "900") for p in ("theta", "phi")]),
        ("auto", 6, "", [f"{p} · {f} MHz" for p in ("duke", "ella") for f in ("700", "835+2450", "900")]),
        (
            "auto",
            None,
            "",
            ["duke · 700, 835+2450 MHz", "duke · 900 MHz", "ella · 700, 835+2450 MHz", "ella · 900 MHz"],
        ),
        ("custom", None, "900;835+2450,700", ["900 MHz", "835+2450, 700 MHz"]),
    ],
)
def test_order_of_far_field_splits(by: str, number: int | None, groups: str, labels: list[str]) -> None:
    made = split(far(), by, number, groups)
    assert [assignment.label for assignment in made.assignments] == labels
    check(far(), made, order=by != "custom")


@pytest.mark.parametrize(
    ("by", "number", "labels", "simulations"),
    [
        ("phantom", None, ["a", "b"], [10, 8]),
        ("frequency", None, ["700 MHz", "835 MHz"], [9, 9]),
        ("auto", 4, ["a · 700 MHz", "a · 835 MHz", "b · 700 MHz", "b · 835 MHz"], [5, 5, 4, 4]),
        ("scenario", None, ["by_belly vertical", "by_belly horizontal", "by_cheek"], [8, 8, 2]),
    ],
)
def test_order_of_near_field_splits(by: str, number: int | None, labels: list[str], simulations: list[int]) -> None:
    made = split(near(), by, number)
    assert [assignment.label for assignment in made.assignments] == labels
    assert [assignment.simulations for assignment in made.assignments] == simulations
    check(near(), made)


INDUCED = {"auto_induced": {"enabled": True}}


@pytest.mark.parametrize(
    ("config", "by", "number", "groups", "text", "instead"),
    [
        (far(), "scenario", None, "", "near-field", "auto"),
        (near(), "direction", None, "", "far-field", "scenario"),
        (near(), "polarization", None, "", "far-field", "scenario"),
        (near(), "freq_x_pol", None, "", "far-field", "scenario"),
        (far(), "colour", None, "", "no split by 'colour'", ""),
        (far(), "auto", 0, "", "between 1 and", ""),
        (far(), "balanced", 10**9, "", "between 1 and", ""),
        (far(), "custom", None, "", "needs frequency groups", ""),
        (far(), "custom", None, "700;900", r"in no group.*835\+2450", ""),
        (far(), "custom", None, "700;900;835+2450;700", "more than once.*: 700", ""),
        (far(), "custom", None, "700;900;835;2450", "not in the study: 835, 2450", ""),
        (far(phantoms=[]), "phantom", None, "", "phantoms is missing or empty", ""),
        (far(frequencies_mhz=None), "frequency", None, "", "frequencies_mhz is missing or empty", ""),
        (far(far_field_setup={}), "direction", None, "", "incident_directions and polarizations are missing", ""),
        ({**near(), "phantom_definitions": {}}, "scenario", None, "", "no phantom is placed", ""),
        ({**near(), "placement_scenarios": {}}, "scenario", None, "", "no phantom is placed", ""),
        (far(phantoms=[f"p{i}" for i in range(60)], frequencies_mhz=list(range(1, 41))), "freq_x_pol", None, "",
         "", ""),
        (far(phantoms=["p"], frequencies_mhz=list(range(1, 1200))), "freq_x_pol", None, "", "2398 assignments", ""),
    ],
)  # fmt: skip
def test_refusals(config: Config, by: str, number: int | None, groups: str, text: str, instead: str) -> None:
    if not text:
        check(config, split(config, by, number, groups))
        return
    with pytest.raises(SplitProblem, match=text) as caught:
        split(config, by, number, groups)
    assert instead in ["", *caught.value.instead]


def illuminated(**environmental: Any) -> Config:
    setup = far()["far_field_setup"]
    return far(far_field_setup={**setup, "environmental": {**setup["environmental"], **environmental}})


@pytest.mark.parametrize(
    ("config", "key", "text"),
    [
        (illuminated(incident_directions=["x_pos", "up"]), "incident_directions", "'up'.*x_pos, x_neg"),
        (illuminated(incident_directions=["90"]), "incident_directions", "'90_45'"),
        (illuminated(polarizations=["theta", "Phi"]), "polarizations", "'Phi'.*theta and phi"),
        (far(execution_control="all"), "execution_control", "an object"),
    ],
)
def test_what_would_fail_or_be_wrong_on_every_machine_is_refused(config: Config, key: str, text: str) -> None:
    with pytest.raises(ConfigProblem, match=text) as caught:
        plan(config, SplitRequest())
    assert caught.value.key.endswith(key)


def test_directions_in_degrees_are_directions() -> None:
    config = illuminated(incident_directions=["90_45", "0_0", "45.5_-90"])
    check(config, plan(config, SplitRequest("direction")))


@pytest.mark.parametrize("groups", ["x", "700;;abc", "-700", "700+", "1e3", ";", " ", "700/900", "0"])
def test_groups_that_cannot_be_read(groups: str) -> None:
    with pytest.raises(SplitProblem):
        parse_groups(groups)


def test_groups_as_text_and_as_lists() -> None:
    assert parse_groups(" 5800; 3500 ,2140;;700 + 2450 ;27.5") == (
        ("5800",), ("3500", "2140"), ("700+2450",), ("27.5",),
    )  # fmt: skip
    assert parse_groups([[5800], ["3500", 2140], []]) == (("5800",), ("3500", "2140"))


# The hazard and the gaps of GOLIAT's own splitter.


def test_h1_parts_stay_narrow_when_a_worker_merges_the_parent_again() -> None:
    parent = published(NEAR)
    child = resolve({"extends": "near_field_config", "run_tag": "t"}, {"near_field_config.json": parent}.get)
    for by, number, count in (("auto", 2, 2), ("scenario", None, 10)):
        made = split(child, by, number)
        assert len(made.assignments) == count
        for assignment in made.assignments:
            # What the worker does: nothing is left to merge.
            assert resolve(assignment.config, {"near_field_config.json": parent}.get) == assignment.config
        check(child, made)
    assert [it.simulations for it in split(child, "auto", 2).assignments] == [176, 176]
    with pytest.raises(ConfigProblem, match="resolve it first"):
        split({**child, "extends": "near_field_config"}, "auto", 2)


def test_g1_an_inherited_study_splits_like_one_that_is_written_out() -> None:
    files = {"base.json": far()}
    for by in ("direction", "polarization", "freq_x_pol", "frequency", "phantom"):
        resolved = resolve({"extends": "base", "run_tag": "x"}, files.get)
        assert len(split(resolved, by).assignments) == len(split(far(), by).assignments) > 1


@pytest.mark.parametrize("by", ["direction", "polarization", "freq_x_pol"])
def test_g2_auto_induced_forbids_cuts_inside_a_phantom_at_a_frequency(by: str) -> None:
    with pytest.raises(SplitProblem, match="combines all directions and polarizations") as caught:
        split(far(**INDUCED), by)
    assert caught.value.instead == ["phantom", "frequency", "auto", "custom", "balanced"]
    check(far(), split(far(auto_induced={"enabled": False}), by))


def test_g2_every_other_split_keeps_auto_induced_blocks_whole() -> None:
    config = far(**INDUCED)
    for by, number, groups in (
        ("phantom", None, ""), ("frequency", None, ""), ("auto", 6, ""), ("custom", None, "700;835+2450,900"),
        ("balanced", 2, ""), ("balanced", 50, ""),
    ):  # fmt: skip
        for assignment in split(config, by, number, groups).assignments:
            own = enumerate_cases(assignment.config)
            blocks = {(case.phantom, case.frequency) for case in own}
            assert len(own) == 4 * len(blocks)
    assert any("auto_induced adds 6 jobs" in it for it in split(config, "phantom").warnings)


def test_g3_a_tessellation_is_written_out_before_a_split_by_direction() -> None:
    config = tessellated({"theta_values": [0, 90], "phi_values": [45, 135]})
    made = split(config, "direction")
    assert [it.label for it in made.assignments] == ["0_0", "90_45", "90_135"]
    for assignment, name in zip(made.assignments, ("0_0", "90_45", "90_135"), strict=True):
        environmental = assignment.config["far_field_setup"]["environmental"]
        assert environmental["incident_directions"] == [name]
        assert environmental["spherical_tessellation"] is None
    check(config, made)
    assert any("written out" in it for it in made.warnings)
    untouched = split(config, "polarization").assignments[0].config["far_field_setup"]["environmental"]
    assert untouched["spherical_tessellation"] == {"theta_values": [0, 90], "phi_values": [45, 135]}


def test_g3_angles_that_names_would_cut_off_are_refused() -> None:
    config = tessellated({"theta_values": [45.5], "phi_values": [10, 20]})
    with pytest.raises(SplitProblem, match="whole degrees") as caught:
        split(config, "direction")
    for by in caught.value.instead:
        check(config, split(config, by))
    # Nor does balancing write them out.
    made = split(config, "balanced", 100)
    assert {len(share(it).part.directions) for it in made.assignments} == {2}
    check(config, made)


def test_the_published_family_of_auto_induced_studies() -> None:
    """What its configs hold of the lists that count, on three levels."""
    directions = {"theta_values": [90], "phi_values": [90, 150, 210, 270]}
    base = far(phantoms=FOUR, **INDUCED, use_web=False)
    del base["frequencies_mhz"]
    base["far_field_setup"]["environmental"] = {"spherical_tessellation": directions, "polarizations": ["theta"]}
    files = {"base_config.json": {"use_web": True}, "FR3_base.json": {"extends": "base_config.json", **base}}
    at_11 = resolve({"extends": "FR3_base.json", "frequencies_mhz": [11000]}, find_in(files))
    made = split(at_11, "phantom")
    assert sum(it.simulations for it in made.assignments) == 16
    assert any("adds 4 jobs" in it for it in made.warnings)
    assert any("use_web was off" in it for it in made.warnings)
    with pytest.raises(SplitProblem, match="combines"):
        split(at_11, "direction")
    own = {"spherical_tessellation": None, "incident_directions": ["y_neg", "z_pos", "z_neg"]}
    tier1: Config = {
        "extends": "FR3_base.json", "phantoms": ["thelonious"], "frequencies_mhz": [7000],
        "auto_induced": {"enabled": False}, "far_field_setup": {"environmental": own},
    }  # fmt: skip
    made = split(resolve(tier1, find_in(files)), "direction")
    assert [it.label for it in made.assignments] == ["y_neg", "z_pos", "z_neg"]
    assert count_cases(resolve({"extends": "FR3_base.json"}, find_in(files))) == 0
    with pytest.raises(SplitProblem, match="frequencies_mhz is missing"):
        split(resolve({"extends": "FR3_base.json"}, find_in(files)), "phantom")


@pytest.mark.parametrize("by", ["", "phantom", "direction", "balanced"])
def test_g4_reporting_is_on_in_every_assignment(by: str) -> None:
    base = far(use_web=False, use_gui=False)
    made = split(resolve({"extends": "b"}, {"b.json": base}.get), by)
    assert all(it.config["use_web"] is True and it.config["use_gui"] is True for it in made.assignments)
    assert sum("was off" in it for it in made.warnings) == 2
    assert "use_web" not in split(far(), by).assignments[0].config
    assert base["use_web"] is False


@pytest.mark.parametrize("by", ["", "phantom", "auto", "frequency"])
def test_g5_a_plain_phantom_is_one_phantom(by: str) -> None:
    made = split(far(phantoms="duke"), by, 1 if by == "auto" else None)
    assert all(it.config["phantoms"] == ["duke"] for it in made.assignments)
    assert made.assignments[0].simulations == (4 if by == "frequency" else 12)


def test_g6_narrowing_the_grid_keeps_every_entry_that_a_case_uses() -> None:
    steps = {"700": 3.0, "835": 2.9, "2450": 1.5, "900": 2.8}
    heights = {"height_limit_per_frequency_mm": {"700": 500, "900": 400}}
    config = far(gridding_parameters={"global_gridding_per_frequency": steps, "phantom_bbox_reduction": heights})
    made = split(config, "freq_x_pol")
    kept = [it.config["gridding_parameters"]["global_gridding_per_frequency"] for it in made.assignments]
    assert kept[::2] == [{"700": 3.0}, {"835": 2.9, "2450": 1.5}, {"900": 2.8}]
    assert all(it.config["gridding_parameters"]["phantom_bbox_reduction"] == heights for it in made.assignments)
    check(config, made)  # weights included
    whole = split(config, "auto", 6).assignments[0].config["gridding_parameters"]
    assert whole["global_gridding_per_frequency"] == steps
    bare = far(gridding_parameters={"global_gridding_per_frequency": {"26000": 0.3}})
    kept_whole = split(bare, "freq_x_pol").assignments[0].config["gridding_parameters"]
    assert kept_whole == {"global_gridding_per_frequency": {"26000": 0.3}}


def test_g7_keys_keep_their_order() -> None:
    config = {"zebra": 1, **near(), "alpha": 2}
    for by in ("", "phantom", "frequency", "scenario", "balanced"):
        for assignment in split(config, by).assignments:
            assert list(assignment.config) == list(config)
            scenarios = assignment.config["placement_scenarios"]
            assert list(scenarios) == [it for it in config["placement_scenarios"] if it in scenarios]
            for name, details in scenarios.items():
                assert list(details) == list(config["placement_scenarios"][name])


def test_what_runs_nothing_is_left_out_and_said() -> None:
    config = near()
    config["phantoms"].append("freespace")
    config["placement_scenarios"]["by_eyes"] = {"positions": {"p": []}, "orientations": {"o": []}}
    made = split(config, "scenario")
    assert len(made.assignments) == 3
    assert any("run nothing" in it and "by_eyes" in it for it in made.warnings)
    assert any("freespace" in it for it in made.warnings)
    assert [it.label for it in split(config, "phantom").assignments] == ["a", "b"]
    assert len(split(config, "auto", 4).assignments) == 4
    check(config, made)


@pytest.mark.parametrize(
    ("config", "by", "number", "text"),
    [
        (far(detuning_config="d.json", detuning_enabled=True), "", None, "'d.json' is not sent along"),
        (
            far(detuning_config="d.json", detuning_write_during_calibration=True),
            "",
            None,
            "is written by every machine",
        ),
        (
            far(execution_control={"do_setup": False, "do_run": False, "do_extract": False}),
            "",
            None,
            "nothing will run",
        ),
        (far(execution_control={"do_extract": False}), "", None, "no results"),
        (far(), "phantom", 3, "number of parts is ignored"),
        (published(FAR), "auto", 12, "2.9 times the mean"),
        (published(FAR), "balanced", 2000, "too few or too unequal"),
        (far(**INDUCED), "balanced", 50, "auto_induced combines"),
        (tessellated({"theta_divisions": 7, "phi_divisions": 4}), "balanced", 50, "angles that are not whole degrees"),
        (far(gridding_parameters=[1]), "", None, "gridding_parameters cannot be read"),
        (far(simulation_parameters="x"), "phantom", None, "simulation_parameters cannot be read"),
        (far(auto_induced={}, simulation_parameters=1, gridding_parameters=2), "", None, "gridding_parameters or sim"),
    ],
)
def test_warnings(config: Config, by: str, number: int | None, text: str) -> None:
    made = split(config, by, number)
    assert any(text in warning for warning in made.warnings), made.warnings


def test_cover_faults_are_found() -> None:
    cases = enumerate_cases(far())
    assert cover_fault(cases, cases) == cover_fault(cases, cases[::-1]) == ""
    assert "1 cases are missing" in cover_fault(cases, cases[1:])
    assert "come again" in cover_fault(cases, [*cases, cases[3]])
    assert "foreign" in cover_fault(cases[1:], cases)
    assert cover_fault(cases, [cases[0], *cases[:-1]]).count("such as") == 2


# Balanced.


def ratio(made: Plan, workers: int) -> float:
    weights = [it.weight for it in made.assignments]
    return makespan(weights, workers) / (sum(weights) / workers)


@pytest.mark.parametrize(("workers", "most"), [(8, 1.06), (12, 1.06), (16, 1.10), (2, 1.10), (5, 1.10), (100, 1.10)])
def test_balanced_on_the_published_far_field_study(workers: int, most: float) -> None:
    config = published(FAR)
    made = split(config, "balanced", workers)
    weights = [it.weight for it in made.assignments]
    assert sum(it.simulations for it in made.assignments) == 432
    assert ratio(made, workers) <= most
    # A few that show every phantom and frequency, then longest first.
    scouts = next(n for n in range(len(weights)) if weights[n:] == sorted(weights[n:], reverse=True))
    assert scouts <= 12
    seen = {
        name
        for it in made.assignments[: scouts + 1]
        for name in (*share(it).part.phantoms, *share(it).part.frequencies)
    }
    whole = share(made.assignments[0]).space.whole
    assert seen >= {*whole.phantoms, *whole.frequencies}
    assert not made.warnings
    check(config, made)


def test_the_example_campaign_is_that_study() -> None:
    examples = TRACES.parents[2] / "examples"
    files = {path.name: json.loads(path.read_text()) for path in examples.glob("*.json")}
    config = resolve(files["far_field_campaign.json"], find_in(files))
    assert keys(config) == keys(published(FAR))
    assert [it.weight for it in split(config, "balanced", 12).assignments] == pytest.approx(
        [it.weight for it in split(published(FAR), "balanced", 12).assignments]
    )


def test_balanced_makes_no_more_parts_than_it_needs() -> None:
    assert len(split(published(FAR), "balanced", 1).assignments) == 1
    assert len(split(published(FAR), "balanced", 8).assignments) <= 36


def test_balanced_with_auto_induced_stays_at_whole_blocks() -> None:
    config = published(FAR) | INDUCED
    made = split(config, "balanced", 12)
    assert len(made.assignments) <= 36
    assert ratio(made, 12) <= 1.10
    assert all(
        len(share(it).part.directions) == 6 and len(share(it).part.polarizations) == 2 for it in made.assignments
    )
    check(config, made)


@pytest.mark.parametrize("workers", [1, 2, 8, 12, 16, 40])
def test_balanced_on_the_published_near_field_study(workers: int) -> None:
    config = published(NEAR)
    made = split(config, "balanced", workers)
    assert ratio(made, workers) <= 1.10
    check(config, made)


# Random studies.

_names = st.lists(st.sampled_from(["duke", "Ella", "eartha", "b b", "é"]), min_size=1, max_size=4, unique=True)
_frequencies = st.lists(
    st.sampled_from([700, "835", 2450, "700+2450", [900, 1800], 26000, 5800.5]), min_size=1, max_size=5, unique_by=str
)
_grid = st.dictionaries(st.sampled_from(["700", "835", "2450", "900", "1800", "26000"]), st.sampled_from([1.0, 2.5]))
_tessellation = st.none() | st.fixed_dictionaries(
    {"theta_divisions": st.integers(1, 4), "phi_values": st.lists(st.integers(0, 359), max_size=3, unique=True)}
)


@st.composite
def far_fields(draw: st.DrawFn) -> Config:
    return {
        "study_type": "far_field",
        "phantoms": draw(_names),
        "frequencies_mhz": draw(_frequencies),
        "far_field_setup": {
            "type": draw(st.sampled_from(["environmental", "auto_induced"])),
            "environmental": {
                "incident_directions": draw(st.lists(st.sampled_from(SIX), min_size=1, unique=True)),
                "polarizations": draw(st.lists(st.sampled_from(["theta", "phi"]), min_size=1, unique=True)),
                "spherical_tessellation": draw(_tessellation),
            },
        },
        "auto_induced": {"enabled": draw(st.booleans())},
        "gridding_parameters": {"global_gridding_per_frequency": draw(_grid)},
        "run_tag": draw(st.sampled_from(["", "t 1"])),
    }


_words = st.lists(st.sampled_from(["up", "down", "left"]), max_size=3, unique=True)


@st.composite
def near_fields(draw: st.DrawFn) -> Config:
    phantoms = draw(_names)
    scenarios = draw(st.lists(st.sampled_from(["by_belly", "by_cheek", "eyes"]), min_size=1, unique=True))
    return {
        "study_type": "near_field",
        "phantoms": phantoms,
        "antenna_config": {key: {} for key in draw(st.lists(st.sampled_from(["700", "835", "5800"]), unique=True))},
        "placement_scenarios": {
            name: {"positions": dict.fromkeys(draw(_words), 0), "orientations": dict.fromkeys(draw(_words), 0)}
            for name in scenarios
        },
        "phantom_definitions": {
            phantom: {"placements": {f"do_{name}": draw(st.booleans()) for name in scenarios}} for phantom in phantoms
        },
    }


def requests(config: Config) -> Iterator[SplitRequest]:
    for by in STRATEGIES:
        if by in ("auto", "balanced"):
            yield from (SplitRequest(by, number) for number in (1, 2, 3, 4, 6, 9))
        elif by != "custom":
            yield SplitRequest(by)


@settings(max_examples=150, deadline=None)
@given(st.one_of(far_fields(), near_fields()), st.data())
def test_every_split_that_is_made_covers_exactly_once(config: Config, data: st.DataObject) -> None:
    try:
        cases = enumerate_cases(config)
    except ConfigProblem:
        assume(False)
    before = copy.deepcopy(config)
    induced = config.get("auto_induced", {}).get("enabled")
    wishes = list(requests(config))
    frequencies = list(dict.fromkeys(case.frequency for case in cases))
    if frequencies:
        shuffled = data.draw(st.permutations(frequencies))
        cut = data.draw(st.integers(0, len(shuffled)))
        wishes.append(
            SplitRequest("custom", groups=tuple(g for g in (tuple(shuffled[:cut]), tuple(shuffled[cut:])) if g))
        )
    for wish in wishes:
        try:
            made = plan(config, wish)
        except SplitProblem:
            refusable = ("auto", "direction", "polarization", "freq_x_pol", "scenario")
            assert not cases or wish.by in refusable, wish
            continue
        check(config, made, order=wish.by != "custom")
        if wish.by in STRATEGIES.keys() - {"custom", "balanced", "direction", "polarization", "scenario", "freq_x_pol"}:
            # Phantoms outer, frequencies inner: GOLIAT's order of assignments.
            firsts = [(share(it).part.phantoms[0], share(it).part.frequencies[0]) for it in made.assignments]
            place = {case.key: case.ordinal for case in cases}
            starts = [place[keys(it.config)[0]] for it in made.assignments]
            assert starts == sorted(starts), firsts
        if induced:
            for assignment in made.assignments:
                own = [(case.phantom, case.frequency) for case in enumerate_cases(assignment.config)]
                assert all(
                    own.count(block) == sum((case.phantom, case.frequency) == block for case in cases)
                    for block in set(own)
                )
    assert config == before


@settings(max_examples=60, deadline=None)
@given(st.one_of(far_fields(), near_fields()), st.integers(1, 12))
def test_balanced_is_within_a_tenth_unless_a_single_case_or_block_forbids_it(config: Config, workers: int) -> None:
    try:
        made = split(config, "balanced", workers)
    except (ConfigProblem, SplitProblem):
        assume(False)
    # A sum in another order is another in its last digits.
    if ratio(made, workers) > 1.10 * (1 + 1e-12):
        assert any("later than ideal" in warning for warning in made.warnings)
        # Nothing finer: every part is one case, or a block that must not or cannot be cut; or cutting did not help.
        assert max(it.weight for it in made.assignments) * workers * 20 > sum(it.weight for it in made.assignments)

"""Predictions of a planned study, and the order in which a fleet takes its assignments."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.study.cases import enumerate_cases
from goliat_monitoring.study.plan import plan
from goliat_monitoring.study.preview import FleetProblem, Machine, fleet_of, parse_machines, preview
from goliat_monitoring.study.schedule import makespan, next_free
from goliat_monitoring.study.split import SplitRequest
from goliat_monitoring.study.weights import GPU_RATE, case_seconds
from tests.unit.study.test_study_split import far, near


def test_a_preview_is_json_and_adds_up() -> None:
    shown: dict[str, Any] = json.loads(json.dumps(preview(plan(far(), SplitRequest("phantom")), price=0.5)))
    assert [it["index"] for it in shown["assignments"]] == [0, 1]
    assert [it["label"] for it in shown["assignments"]] == ["duke", "ella"]
    assert shown["totalSimulations"] == sum(it["simulations"] for it in shown["assignments"]) == 24
    assert shown["exactCover"] is True
    assert shown["order"] == "study order"
    assert shown["warnings"] == []
    assert shown["assignments"][1]["splitConfig"]["phantoms"] == ["ella"]
    assert set(shown["hours"]) == set(GPU_RATE)
    for gpu in GPU_RATE:
        expected = sum(case_seconds(far(), it.phantom, it.frequency, gpu) for it in enumerate_cases(far())) / 3600
        assert shown["hours"][gpu] == pytest.approx(expected, abs=1e-3)
        assert sum(it["hours"][gpu] for it in shown["assignments"]) == pytest.approx(expected, abs=2e-3)
        assert shown["euro"][gpu] == pytest.approx(expected / 2, abs=0.01)
    assert shown["fleet"]["finishHours"] == pytest.approx(
        max(it["weight"] for it in shown["assignments"]) / 3600, abs=1e-3
    )


def test_the_fleet_decides_finish_and_cost() -> None:
    made = plan(near(), SplitRequest("balanced", 3))
    fleet = fleet_of([(2, Machine("RTX 4090", 0.5)), (1, Machine("H100", 2.0, speed=1.5))])
    shown = preview(made, fleet, price=9.0)
    machines = shown["fleet"]["machines"]
    assert sorted(index for it in machines for index in it["assignments"]) == list(range(len(made.assignments)))
    assert shown["order"] == "scouts, then longest first"
    assert shown["fleet"]["finishHours"] == pytest.approx(max(it["hours"] for it in machines), abs=1e-3)
    assert shown["fleet"]["euro"] == pytest.approx(sum(it["hours"] * it["pricePerHour"] for it in machines), abs=0.02)
    assert shown["euro"]["H100"] == pytest.approx(shown["hours"]["H100"] * 2, abs=0.01)
    assert shown["euro"]["A100"] == pytest.approx(shown["hours"]["A100"] * 9, abs=0.01)
    assert shown["fleet"]["finishHours"] >= shown["fleet"]["idealHours"]
    assert preview(made, [Machine("RTX 4090"), Machine("H100", 1)])["fleet"]["euro"] is None
    # A machine that has no price of its own costs what its model costs.
    for_all = preview(made, [Machine("RTX 4090"), Machine("H100", 1), Machine()], 0.5, {"RTX 4090": 0.25})["fleet"]
    assert [it["pricePerHour"] for it in for_all["machines"]] == [0.25, 1, 0.5]
    assert for_all["euro"] == pytest.approx(sum(it["euro"] for it in for_all["machines"]), abs=0.02)
    assert preview(made)["euro"] == {}
    assert len(preview(made)["fleet"]["machines"]) == 3
    assert shown["warnings"] == []


def test_a_gpu_that_the_cost_model_does_not_know_is_said() -> None:
    shown = preview(plan(far(), SplitRequest()), [Machine("NVIDIA GeForce RTX 4090"), Machine("RTX 4009")])
    (warning,) = shown["warnings"]
    assert "how fast RTX 4009 is" in warning
    assert "RTX 4090" in warning.split("Known: ")[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("H100", [Machine("H100")]),
        ("8x RTX 4090 @0.45", [Machine("RTX 4090", 0.45)] * 8),
        ("8xRTX 4090", [Machine("RTX 4090")] * 8),
        ("8\N{MULTIPLICATION SIGN} RTX 4090", [Machine("RTX 4090")] * 8),
        (" 2 x RTX 6000 Ada@ 1 ", [Machine("RTX 6000 Ada", 1.0)] * 2),
    ],
)
def test_machines_from_text(text: str, expected: list[Machine]) -> None:
    assert parse_machines(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@1",
        "0x H100",
        "9999x H100",
        "H100 @x",
        "H100 @-1",
        "8x",
        "8 RTX 4090",
        "-2x H100",
        "-H100",
        "2.5x H100",
        "H100 @1000001",
        f"H100 @{'9' * 400}",
    ],
)
def test_refuses_fleets(text: str) -> None:
    with pytest.raises(FleetProblem):
        parse_machines(text)


@pytest.mark.parametrize("members", [[], [(0, Machine())], [(1, Machine(speed=0))], [(1, Machine(speed=float("nan")))]])
def test_refuses_impossible_fleets(members: list[tuple[int, Machine]]) -> None:
    with pytest.raises(FleetProblem):
        fleet_of(members)


def test_a_free_machine_takes_the_next_assignment() -> None:
    turns = next_free([[4.0, 4.0, 1.0, 1.0], [2.0, 2.0, 0.5, 0.5]])
    assert [(turn.worker, turn.start, turn.end) for turn in turns] == [
        (0, 0, 4), (1, 0, 2), (1, 2, 2.5), (1, 2.5, 3.0),
    ]  # fmt: skip
    assert next_free([]) == []


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=30), st.integers(1, 8))
def test_machines_are_never_idle_before_the_last_assignment_is_taken(durations: list[float], workers: int) -> None:
    turns = next_free([durations] * workers)
    assert max(turn.end for turn in turns) == pytest.approx(makespan(durations, workers))
    assert [turn.start for turn in turns] == sorted(turn.start for turn in turns)
    ideal = max(sum(durations) / workers, *durations)
    assert ideal - 1e-9 <= makespan(durations, workers) <= sum(durations) / workers + max(durations) + 1e-9

"""What the pages of a run make of times, phases and cases; no browser."""

from typing import Any

import msgspec
import pytest

from goliat_monitoring.server.pages.evidence import Case, cases_of, loose_of, most_telling
from goliat_monitoring.server.pages.numbers import span_range
from goliat_monitoring.server.pages.run_parts import phase_rows
from goliat_monitoring.server.pages.words import case_signs
from goliat_monitoring.store.read.evidence import Sign, Simulation
from goliat_monitoring.store.read.phase_times import PhaseTime
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.studies import CaseView


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (10_800, 18_000, "3-5 h"),
        (10_900, 17_000, "3-5 h"),
        (4000, 4100, "66-69 min"),
        (130, 150, "2-3 min"),
        (30, 90, "up to 2 min"),
        (7200, 7200, "2 h"),
        (5, 40, "under 1 min"),
        (100_000, 200_000, "1-3 d"),
        (-5, 9000, "up to 3 h"),
    ],
)
def test_a_range_is_told_in_one_unit_and_holds_both_ends(low: float, high: float, text: str) -> None:
    assert span_range(low, high).replace("\N{EN DASH}", "-") == text


def time(phase: str, subtask: str, *seconds: float) -> PhaseTime:
    total = sum(seconds)
    return PhaseTime(
        phase=phase, subtask=subtask, count=len(seconds), total=total, mean=total / len(seconds), smallest=min(seconds),
        largest=max(seconds), p10=0, p25=0, p50=0, p75=0, p90=0,
    )  # fmt: skip


def test_a_phase_is_a_share_of_all_and_a_subtask_of_its_phase() -> None:
    rows = phase_rows(
        [
            time("setup", "", 100.0),
            time("setup", "setup_load_phantom", 25.0),
            time("run", "", 200.0, 100.0),
            time("run", "run_isolve_execution", 150.0, 90.0),
            time("extract", "extract_sar_statistics", 75.0),
            time("extract", "extract_input_power", 25.0),
        ]
    )
    assert [(row.name, row.share) for row in rows] == [
        ("Setup", 20),
        ("Load phantom", 25),
        ("Run", 60),
        ("iSolve execution", 80),
        # The first extraction is not over: it is what its subtasks took together.
        ("Extract", 20),
        ("SAR statistics", 75),
        ("Input power", 25),
    ]


def test_before_the_first_phase_is_over_its_subtasks_say_how_long_it_took() -> None:
    phase, part = phase_rows([time("setup", "setup_load_phantom", 1.5)])
    assert (phase.name, phase.time.total, phase.time.count, phase.share) == ("Setup", 1.5, 0, 100)
    assert (part.name, part.share) == ("Load phantom", 100)


def test_of_many_cases_the_troubled_ones_stay() -> None:
    states = ["failed", *["done"] * 199, "running", *["pending"] * 231]
    cases = [Case(i + 1, f"case {i + 1}", state, (), None) for i, state in enumerate(states)]
    kept = most_telling(cases, 50)
    assert [case.ordinal for case in kept] == [1, *range(153, 202)]
    assert most_telling(cases[:50], 50) == cases[:50]


def summary(**given: Any) -> RunSummary:
    fields = dict.fromkeys(RunSummary.__struct_fields__)
    usual = {"id": "this", "state": "lost", "live": False, "sim_index": 1}
    return RunSummary(**(fields | usual | given))  # type: ignore[arg-type]


def heard(kind: str, text: str = "", at: int = 0) -> Sign:
    return Sign(kind=kind, sender_at=at, received_at=at, text=text, case_key=None, ordinal=None)


def simulation(ordinal: int, state: str, why: str = "", *signs: Sign) -> Simulation:
    return Simulation(
        ordinal=ordinal, case_key=f"k{ordinal}", details="", state=state, why=why, started_sender_at=None,
        ended_sender_at=None, evidence=list(signs),
    )  # fmt: skip


def expected(ordinal: int, state: str, run_id: str | None) -> CaseView:
    return CaseView(
        case_key=f"k{ordinal}", ordinal=ordinal - 1, phantom="", frequency="", placement="", details=f"case {ordinal}",
        relative_path="", weight=1.0, state=state, run_id=run_id,
    )  # fmt: skip


def test_what_another_try_proved_is_no_proof_of_this_one() -> None:
    begun = [simulation(1, "done", "its result arrived", heard("result", at=2), heard("sim_started", at=1))]
    begun.append(simulation(2, "running", "", heard("sim_started")))
    asked = [expected(1, "done", "this"), expected(2, "done", "other"), expected(3, "done", "other")]
    rows = cases_of(begun, asked, summary())
    assert [(row.state, row.said, row.elsewhere) for row in rows] == [
        ("done", "started, result arrived", False),
        ("unproven", "started; proven by another try", True),
        ("elsewhere", "proven by another try", True),
    ]


def test_evidence_is_told_in_its_order_and_leads_to_the_log() -> None:
    said = "ERROR during simulation: no licence"
    signs = [heard("run_done", at=9), heard("error", said, 7), heard("sim_started", at=1), heard("error", said, 8)]
    signs[3] = msgspec.structs.replace(signs[3], line=812)
    (row,) = cases_of([simulation(1, "failed", said, *signs)], [], summary())
    assert row.said == f"started, 2 errors, solved; {said}"
    assert [it.line for it in row.heard] == [None, 812, None, 812]


def test_nobody_must_act_on_what_another_try_takes_up() -> None:
    assert {state: case_signs(True)[state].tone for state in ("missing", "failed", "done", "unproven")} == {
        "missing": "warn", "failed": "warn", "done": "ok", "unproven": "warn",
    }  # fmt: skip
    assert case_signs(False)["missing"].tone == "bad"


def test_evidence_about_the_whole_run_that_says_the_same_is_one_row() -> None:
    signs = [heard("error", "no licence", 1), heard("extracted", at=2), heard("error", "no licence", 3)]
    assert [(it.kind, it.text, it.times, it.sender_at) for it in loose_of(signs)] == [
        ("extracted", "", 1, 2),
        ("error", "no licence", 2, 3),
    ]

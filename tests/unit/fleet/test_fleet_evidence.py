"""The judge, as a table of what was seen and what it means."""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goliat_monitoring.fleet.evidence import EndedBy, Judged, judge
from goliat_monitoring.fleet.signs import Sign, SignKind, sign_of_line, signs_of_message
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import SECOND
from goliat_monitoring.study.cases import Case, Phases, enumerate_cases

ALL = Phases()
NO_EXTRACT = Phases(do_extract=False)
SETUP_ONLY = Phases(do_run=False, do_extract=False)
CASES = enumerate_cases(
    {
        "study_type": "far_field",
        "phantoms": ["duke"],
        "frequencies_mhz": [700],
        "far_field_setup": {"environmental": {"incident_directions": ["x_pos"], "polarizations": ["theta", "phi"]}},
    }
)
FIRST, SECOND_CASE = CASES


def message(at: float, **fields: Any) -> list[Sign]:
    return signs_of_message(fields, round(at * SECOND))


def line(at: float, text: str, level: str = "default") -> list[Sign]:
    sign = sign_of_line(level, text, round(at * SECOND))
    assert sign is not None, text
    return [sign]


def start(number: int, at: float, delay: float = 0.5, total: int = 2, header: bool = True) -> list[Sign]:
    """Simulation `number` begins: the log line at once, the two announcements after `delay`."""
    details = CASES[number - 1].details if number <= len(CASES) else f"duke, 700MHz, x_{number}, phi"
    signs = line(at, f"--- Processing Simulation {number}/{total}: {details} ---", "header") if header else []
    signs += message(
        at + delay, type="simulation_details", simulation_count=number, total_simulations=total, current_case=details
    )
    return signs + message(at + delay + 0.002, type="sim_details", count=number, total=total, details=details)


def extracted(at: float) -> list[Sign]:
    return message(at, type="stage_progress", name="Extracting Results", current=1, total=1, sub_stage="")


def run_done(at: float) -> list[Sign]:
    return message(at, type="stage_progress", name="Running Simulation", current=1, total=1, sub_stage="")


def finished(at: float, how: str = "successfully") -> list[Sign]:
    return message(at, type="finished", message=f"Study finished {how}")


def result(case: Case, at: float = 0) -> list[Sign]:
    return [Sign(SignKind.RESULT, round(at * SECOND), case_key=case.key)]


def error(at: float, text: str = "ERROR during simulation: boom") -> list[Sign]:
    return line(at, text, "error")


CACHED = "Project already done, skipping."
STOPPED = "--- Study execution cancelled by user. ---"
FATAL = "--- FATAL ERROR in study: no such phantom ---"
OK = [*start(1, 0), *run_done(8), *extracted(10), *start(2, 10), *run_done(18), *extracted(20), *finished(23)]
ONE = [*start(1, 0), *run_done(8), *extracted(10), *start(2, 10)]  # the first done, the second begun


class Row(NamedTuple):
    """What was seen, and what it means: the outcome, and by their first letters the states of the two cases."""

    seen: str
    signs: list[Sign]
    expected: str
    reason: str
    phases: Phases = ALL
    code: int | None = 0
    by: EndedBy = "finished"


NO_RUN = "Deliverables for 'run' phase not found. Metadata not updated."
NO_FILES = "Deliverables for 'extract' phase not found. Metadata not updated."
IN_SOLVER = "An error occurred during simulation run: Study cancelled by user."
SKIPPED = "GOLIAT_SKIP_IF_EXISTS: Extract deliverables found, skipping entire simulation."
ROWS = [
    # How a run ends: each row of the protocol's table.
    Row("all good", OK, "succeeded dd", "every simulation has its result", code=None),
    Row(
        "exception in a simulation, 'successfully'",
        [*ONE, *error(12), *finished(20)],
        "finished_with_errors df",
        "1 of 2 simulations has no result: duke, 700MHz, x_pos, phi",
    ),
    Row(
        "exception in the study loop",
        [*ONE, *line(12, FATAL, "fatal"), *finished(20)],
        "failed du",
        "FATAL ERROR in study: no such phantom",
    ),
    Row(
        "solver retried for ever, machine ended",
        [*ONE, *error(12, "iSolve: Error: no licence"), *error(13, "iSolve: x")],
        "failed df",
        "ended without saying so",
        code=None,
        by="new_session",
    ),
    Row(
        "sys.exit(1)",
        [*ONE, *line(12, "--- Process exited with code 1 ---"), *finished(20, "with errors")],
        "failed du",
        "Process exited with code 1",
        code=1,
    ),
    Row(
        "exception outside the study",
        [*line(1, "FATAL ERROR in study process: no module"), *finished(3, "with errors")],
        "failed mm",
        "no module",
        code=1,
    ),
    Row(
        "the line was lost, 'with errors' was heard",
        [*ONE, *finished(20, "with errors")],
        "failed du",
        "with errors",
        code=None,
    ),
    Row(
        "memory error of 1.5",
        [*ONE, *message(14, type="memory_error", message="x", exit_code=42), *finished(20, "with errors")],
        "memory_error du",
        "ran out of memory",
        code=42,
        by="agent",
    ),
    Row(
        "memory error of 1.4: log text only",
        [*ONE, *error(13, "iSolve: Memory/allocation error detected: bad allocation"), *finished(20)],
        "memory_error du",
        "ran out of memory",
    ),
    Row("exit code 42 is all there is", ONE, "memory_error du", "ran out of memory", code=42, by="agent"),
    Row(
        "stop button",
        [*ONE, *error(12, IN_SOLVER), *line(12, STOPPED, "warning"), *finished(20)],
        "cancelled du",
        "stopped by a person",
    ),
    Row(
        "stopped between simulations, line without level",
        [
            *ONE,
            *message(12, type="log_batch", logs=[{"type": "status", "message": "Study stopped by user."}]),
            *finished(15),
        ],
        "cancelled du",
        "stopped by a person",
    ),
    Row("Ctrl-C: 'successfully', code 1", [*ONE, *finished(14)], "failed du", "code 1", code=1, by="agent"),
    Row("killed, nothing was sent", ONE, "failed du", "code 143", code=143, by="agent"),
    Row("its process was lost", ONE, "failed du", "ended without saying so", code=None, by="agent"),
    Row("GUI not available: code 0 and nothing was run", [], "finished_with_errors mm", "unproven", by="agent"),
    # Nothing but evidence is success.
    Row("'successfully' alone", finished(1), "finished_with_errors mm", "unproven"),
    Row(
        "100 % alone",
        [*ONE, *message(12, type="overall_progress", current=100, total=100), *finished(14)],
        "finished_with_errors du",
        "unproven",
    ),
    Row(
        "the window's percent under the stage's name",
        [*ONE, *message(12, type="stage_progress", name="Extracting Results", current=100.0, total=100), *finished(14)],
        "finished_with_errors du",
        "unproven",
    ),
    Row(
        "the last proof was lost",
        [*ONE, *run_done(18), *finished(23)],
        "finished_with_errors du",
        "unproven: 1 of 2 simulations has no result",
    ),
    Row(
        "an announcement was lost",
        [*start(2, 10), *extracted(20), *finished(23)],
        "finished_with_errors ud",
        "its beginning was not heard",
    ),
    # Proofs of other kinds.
    Row(
        "cached",
        [*start(1, 0), *line(0.1, CACHED, "success"), *start(2, 1), *line(1.1, CACHED, "success"), *finished(5)],
        "succeeded dd",
        "every",
    ),
    Row(
        "cached, the aggressive way",
        [*start(1, 0), *line(0.1, SKIPPED, "success"), *start(2, 1), *extracted(9), *finished(12)],
        "succeeded dd",
        "every",
    ),
    Row("results alone", [*result(FIRST), *result(SECOND_CASE), *finished(9)], "succeeded dd", "every"),
    Row("results, and the agent's code 0", [*result(FIRST), *result(SECOND_CASE)], "succeeded dd", "every", by="agent"),
    Row(
        "results of another study",
        [*result(replace(FIRST, key="ella/1MHz/x")), *finished(9)],
        "finished_with_errors mm",
        "unproven",
    ),
    # What heals, and what does not.
    Row(
        "the solver's second try succeeded",
        [
            *start(1, 0),
            *error(2, "iSolve: iSolve: Error: bad allocation"),
            *run_done(8),
            *extracted(10),
            *start(2, 10),
            *extracted(20),
            *finished(23),
        ],
        "succeeded dd",
        "every",
    ),
    Row("an error after the proof", [*OK, *error(21)], "finished_with_errors df", "boom"),
    Row(
        "an error after the proof, the result had arrived",
        [*OK, *error(21), *result(SECOND_CASE)],
        "succeeded dd",
        "every",
    ),
    Row(
        "upload fails on Linux: no end of extraction",
        [*ONE, *run_done(18), *error(19, "ERROR during simulation: must be str"), *finished(23)],
        "finished_with_errors df",
        "must be str",
    ),
    Row(
        "upload fails on Linux, the agent has the files",
        [*ONE, *error(19), *result(SECOND_CASE), *finished(23)],
        "succeeded dd",
        "every",
        by="agent",
    ),
    Row(
        "extraction left no files",
        [*ONE, *line(19.9, NO_FILES, "warning"), *extracted(20), *finished(23)],
        "finished_with_errors df",
        "'extract' phase",
    ),
    Row(
        "fatal does not heal",
        [*OK, *result(FIRST), *result(SECOND_CASE), *line(22, FATAL, "fatal")],
        "failed dd",
        "FATAL",
    ),
    Row(
        "process failure does not heal",
        [*OK, *line(22, "--- Process exited with code 3 ---")],
        "failed dd",
        "code 3",
        code=3,
    ),
    Row(
        "auto-induced step failed",
        [*OK, *error(21, "ERROR in auto-induced processing for duke@700MHz: x")],
        "finished_with_errors dd",
        "step after them failed",
    ),
    Row("the window was killed after the end", OK, "succeeded dd", "every", code=-9, by="agent"),
    Row("died after the last proof", OK[:-1], "finished_with_errors dd", "code -9", code=-9, by="agent"),
    Row("errors before the first simulation", [*error(-1, "ERROR: no upload"), *OK], "succeeded dd", "every"),
    # A person.
    Row("stop asked, killed", ONE, "cancelled du", "stopped by a person", code=143, by="stop_request"),
    Row("stop asked too late", OK, "succeeded dd", "every", code=143, by="stop_request"),
    Row("cancelled after all was proven", [*OK, *line(22, STOPPED)], "succeeded dd", "every"),
    # Other phases.
    Row(
        "no extraction: runs count",
        [*start(1, 0), *run_done(8), *start(2, 10), *run_done(18), *finished(23)],
        "succeeded dd",
        "every",
        phases=NO_EXTRACT,
    ),
    Row(
        "no extraction, run was cached",
        [
            *start(1, 0),
            *run_done(8),
            *start(2, 10),
            *line(11, "Skipping run phase, deliverables found. [FarFieldStudy._run_single_simulation]", "info"),
            *finished(23),
        ],
        "succeeded dd",
        "every",
        phases=NO_EXTRACT,
    ),
    Row(
        "no extraction: the end of a failed run proves nothing",
        [
            *start(1, 0),
            *run_done(8),
            *start(2, 10),
            *error(17, "An error occurred during simulation run: x"),
            *run_done(18),
            *finished(23),
        ],
        "finished_with_errors df",
        "An error occurred",
        phases=NO_EXTRACT,
    ),
    Row(
        "no extraction: the run left no files",
        [*start(1, 0), *run_done(8), *start(2, 10), *line(17, NO_RUN), *run_done(18), *finished(23)],
        "finished_with_errors df",
        "'run' phase",
        phases=NO_EXTRACT,
    ),
    Row(
        "only the solver's input is written",
        [*start(1, 0), *run_done(8), *start(2, 10), *line(17, NO_RUN), *run_done(18), *finished(23)],
        "succeeded dd",
        "every",
        phases=Phases(only_write_input=True),
    ),
    Row("setup only", [*start(1, 0), *start(2, 10), *finished(23)], "succeeded dd", "every", phases=SETUP_ONLY),
    Row(
        "setup only, one failed",
        [*start(1, 0), *start(2, 10), *error(12), *finished(23)],
        "finished_with_errors df",
        "boom",
        phases=SETUP_ONLY,
    ),
    Row(
        "setup only, died", [*start(1, 0), *start(2, 10)], "failed uu", "code 1", phases=SETUP_ONLY, code=1, by="agent"
    ),
    Row("all phases off", finished(1), "finished_with_errors mm", "switched off", phases=Phases(False, False, False)),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.seen for row in ROWS])
def test_outcome(row: Row) -> None:
    judged = judge(CASES, None, row.signs, row.phases, row.code, row.by)
    states = "".join(case.state[0] for case in judged.cases.values())
    assert f"{judged.outcome} {states}" == row.expected, judged
    assert list(judged.cases) == [case.key for case in CASES]
    assert row.reason in judged.reason
    assert all(case.why for case in judged.cases.values())


def verdicts(judged: Judged) -> list[str]:
    return [case.state for case in judged.cases.values()]


def test_a_line_belongs_to_the_simulation_of_its_own_clock() -> None:
    """The queue is 5 s behind: the second simulation fails before the end of the first was even sent."""
    signs = [*start(1, 0, delay=5), *start(2, 10, delay=5), *error(11), *extracted(14.9), *finished(20)]
    judged = judge(CASES, None, signs, ALL, 0, "finished")
    assert verdicts(judged) == ["done", "failed"]


def test_an_announcement_may_overtake_the_end_of_the_simulation_before() -> None:
    signs = [*start(1, 0), *start(2, 10), *extracted(10.6), *extracted(20), *finished(23)]
    assert verdicts(judge(CASES, None, signs, ALL, 0, "finished")) == ["done", "done"]
    late = [*start(1, 0), *start(2, 10), *extracted(10.9), *finished(23)]
    assert verdicts(judge(CASES, None, late, ALL, 0, "finished")) == ["unproven", "done"]


def test_very_short_simulations_keep_their_own_ends() -> None:
    signs = [*start(1, 0, 0), *extracted(0.05), *start(2, 0.06, 0), *extracted(0.1), *finished(1)]
    assert verdicts(judge(CASES, None, signs, ALL, 0, "finished")) == ["done", "done"]


def test_an_end_that_may_be_the_next_ones_proves_nothing() -> None:
    """The second announcement was lost; the end that was heard may be the second's."""
    header = start(2, 10)[:1]
    signs = [*start(1, 0), *error(5), *header, *extracted(20), *finished(23)]
    assert verdicts(judge(CASES, None, signs, ALL, 0, "finished")) == ["failed", "unproven"]
    silent = [*start(1, 0), *header, *extracted(20), *finished(23)]
    assert verdicts(judge(CASES, None, silent, ALL, 0, "finished")) == ["unproven", "unproven"]


def test_an_announcement_of_another_case_credits_nobody() -> None:
    other = message(0, type="sim_details", count=1, total=2, details="ella, 700MHz, x_pos, theta")
    judged = judge(CASES, None, [*other, *extracted(5), *finished(9)], ALL, 0, "finished")
    assert "done" not in verdicts(judged)


def test_cases_without_details_are_told_by_number() -> None:
    bare = [replace(case, details="") for case in CASES]
    assert judge(bare, None, OK, ALL, 0, "finished").outcome is RunState.SUCCEEDED


def test_one_tone_that_could_not_be_extracted_fails_the_case() -> None:
    multi = [replace(FIRST, key="duke/1+2MHz/e", frequency="1+2", details="duke, 1+2MHz, x_pos, theta")]
    begin = message(0, type="sim_details", count=1, total=1, details=multi[0].details)
    no_files = line(9, "Deliverables for 'extract' phase not found. Metadata not updated.", "warning")
    good = [*begin, *no_files, *extracted(10), *finished(13)]
    assert judge(multi, None, good, ALL, 0, "finished").outcome is RunState.SUCCEEDED
    bad = [*good, *error(8, "    - ERROR extracting at 2 MHz: x. Continuing to next frequency."), *result(multi[0])]
    assert judge(multi, None, bad, ALL, 0, "finished").outcome is RunState.FINISHED_WITH_ERRORS


OLD_FOLDER = "duke/700MHz/environmental_theta_x_pos"


@pytest.mark.parametrize(
    ("signs", "expected_total", "outcome", "states"),
    [
        (OK, None, "succeeded", "dd"),
        (OK, 2, "succeeded", "dd"),
        (OK, 3, "finished_with_errors", "ddm"),
        ([*start(1, 0, total=3), *extracted(9), *finished(12)], None, "finished_with_errors", "dmm"),
        ([*start(1, 0), *extracted(9), *result(SECOND_CASE), *finished(12)], None, "succeeded", "dd"),
        (finished(1), None, "finished_with_errors", ""),
        (finished(1), 2, "finished_with_errors", "mm"),
        # The same case again, in the folder of GOLIAT 1.3, is not another one.
        (
            [*start(1, 0), *extracted(9), *result(replace(FIRST, key=OLD_FOLDER)), *finished(12)],
            None,
            "finished_with_errors",
            "dm",
        ),
    ],
)
def test_without_known_cases(signs: list[Sign], expected_total: int | None, outcome: str, states: str) -> None:
    judged = judge([], expected_total, signs, ALL, 0, "finished")
    assert judged.outcome == outcome
    assert "".join(case.state[0] for case in judged.cases.values()) == states
    if not judged.cases:
        assert judged.reason == "unproven: no simulation was announced"


def test_a_hostile_total_costs_nothing() -> None:
    judged = judge([], None, [*start(1, 0, total=9_000_000), *extracted(9), *finished(12)], ALL, 0, "finished")
    assert judged.outcome is RunState.FINISHED_WITH_ERRORS
    assert len(judged.cases) <= 10_000
    assert "8999999 of 9000000" in judged.reason


_kinds = [kind for kind in SignKind if kind not in (SignKind.SIM_STARTED, SignKind.RESULT)]
_texts = ["", "iSolve: x", "ERROR in auto-induced", "ERROR extracting at 1", "Study finished with errors"]
_free = st.builds(
    Sign,
    kind=st.sampled_from(_kinds),
    at=st.integers(0, 30).map(lambda s: s * SECOND),
    text=st.sampled_from(_texts),
    line=st.booleans(),
)
_begin = st.tuples(st.integers(1, 3), st.integers(0, 30)).map(lambda pair: start(pair[0], pair[1], total=3))
_results = st.sampled_from([*CASES, replace(FIRST, key="x/y/z")]).map(result)
_signs = st.lists(st.one_of(_free.map(lambda sign: [sign]), _begin, _results), max_size=8).map(
    lambda groups: [sign for group in groups for sign in group]
)


@settings(max_examples=150)
@given(
    signs=_signs,
    known=st.booleans(),
    phases=st.sampled_from([ALL, NO_EXTRACT, SETUP_ONLY]),
    exit_code=st.sampled_from([None, 0, 1, 42]),
    ended_by=st.sampled_from(["finished", "agent", "stop_request", "new_session"]),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_means_nothing(
    signs: list[Sign], known: bool, phases: Phases, exit_code: int | None, ended_by: EndedBy, random: Any
) -> None:
    expected = CASES if known else []
    judged = judge(expected, None, signs, phases, exit_code, ended_by)
    shuffled = list(signs)
    random.shuffle(shuffled)
    assert judge(expected, None, shuffled, phases, exit_code, ended_by) == judged
    assert judge(expected, None, [*signs, *signs], phases, exit_code, ended_by) == judged
    assert judged.outcome.terminal
    assert judged.outcome is not RunState.LOST
    assert judged.reason
    if judged.outcome is RunState.SUCCEEDED:
        assert judged.cases
        assert all(case.state == "done" for case in judged.cases.values())
        assert not any(sign.kind in (SignKind.FATAL, SignKind.PROCESS_FAILED) for sign in signs)

"""The judge: how a run ended, from everything that was seen of it. The only place that calls a run a success.

GOLIAT says "finished successfully" and exits with 0 after most failures, so neither counts, nor does 100 %. Each
expected case needs a proof of its own: its result arrived, or "Extracting Results" 1/1, or "already done".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from goliat_monitoring.fleet.attribution import Slot, slots_of
from goliat_monitoring.fleet.signs import Sign, SignKind
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.verdicts import AUTO_INDUCED, CaseVerdict, verdict
from goliat_monitoring.study.cases import Case, Phases

__all__ = ["CaseVerdict", "EndedBy", "Judged", "Sign", "SignKind", "judge"]

# finished: GOLIAT said so. agent: the agent reported the end of the process. stop_request: a person stopped the run
# or cancelled the assignment. new_session: the bare client started again without having said that it finished.
EndedBy = Literal["finished", "agent", "stop_request", "new_session"]
# The exit code with which GOLIAT 1.5 reports that memory ran out.
MEMORY_EXIT = 42
_TEXT = 300


@dataclass(frozen=True, slots=True)
class Judged:
    """How a run ended. `reason`: for a person. `cases`: by case key, or by "#<number>" where the case is unknown."""

    outcome: RunState
    reason: str
    cases: dict[str, CaseVerdict]


def judge(
    expected: Sequence[Case],
    expected_total: int | None,
    signs: Sequence[Sign],
    phases: Phases,
    exit_code: int | None,
    ended_by: EndedBy,
) -> Judged:
    """How the run ended; the same for any order of `signs`, and for repeated ones.

    `expected`: its cases, empty where the config could not be resolved; then `expected_total` and the totals that
    GOLIAT announced say how many there must be. `exit_code`: of the GOLIAT process, None if not known (bare client).

    From the first rule that applies:

    1. A fatal error: failed.
    2. A memory error, or exit code 42: memory_error.
    3. Cancelled in GOLIAT or by a stop request, and not every case proven: cancelled.
    4. The study process failed ("Process exited with code", "finished with errors"): failed, proven cases or not.
    5. Every case proven: succeeded; finished_with_errors if the auto-induced step after them failed, or if the
       process ended with an error before GOLIAT said that it finished. A code after that is the window being closed.
    6. A case not proven and an exit code other than 0, or an end that nobody announced: failed.
    7. Otherwise finished_with_errors, with a reason that begins with "unproven" where no error was seen.
    """
    # A sign that was stored twice is one sign.
    ordered = sorted(set(signs), key=_order)
    slots, loose = slots_of(expected, expected_total, ordered)
    heard_end = ended_by == "finished" or any(sign.kind is SignKind.FINISHED for sign in ordered)
    cases = {slot.key: verdict(slot, phases, ended=heard_end or exit_code == 0) for slot in slots.listed}
    done = bool(cases) and slots.unlisted == 0 and all(case.state == "done" for case in cases.values())

    def last(kind: SignKind) -> Sign | None:
        return next((sign for sign in reversed(ordered) if sign.kind is kind), None)

    failing = last(SignKind.PROCESS_FAILED) or next(
        (s for s in ordered if s.kind is SignKind.FINISHED and "with errors" in s.text), None
    )
    beside = next((sign for sign in (*loose, *slots.signs) if _is_auto_induced(sign)), None)
    cancelled = last(SignKind.CANCELLED)
    summary = _summary(slots.listed, slots.total, cases)

    if fatal := last(SignKind.FATAL):
        outcome, reason = RunState.FAILED, _join(fatal.text or "fatal error", summary)
    elif exit_code == MEMORY_EXIT or last(SignKind.MEMORY_ERROR):
        outcome, reason = RunState.MEMORY_ERROR, _join("the solver ran out of memory", summary)
    elif not done and (cancelled or ended_by == "stop_request"):
        outcome, reason = RunState.CANCELLED, _join("stopped by a person", summary)
    elif failing:
        outcome, reason = RunState.FAILED, _join(failing.text or "the study process failed", summary)
    elif done:
        outcome, reason = _proven(len(cases), beside, exit_code, heard_end or ended_by == "stop_request")
    elif exit_code not in (0, None):
        outcome, reason = RunState.FAILED, _join(f"the process ended with code {exit_code}", summary)
    elif exit_code is None and not heard_end:
        outcome, reason = RunState.FAILED, _join("the process ended without saying so", summary)
    else:
        errors = any(case.state == "failed" for case in cases.values())
        reason = summary if errors else f"unproven: {summary}"
        if not (phases.do_setup or phases.do_run or phases.do_extract):
            reason = "unproven: setup, run and extraction are all switched off in the config"
        outcome = RunState.FINISHED_WITH_ERRORS
    return Judged(outcome, reason[:2000], cases)


def _proven(count: int, beside: Sign | None, exit_code: int | None, heard_end: bool) -> tuple[RunState, str]:
    proof = "every simulation has its result" if count > 1 else "the simulation has its result"
    if beside is not None:
        return RunState.FINISHED_WITH_ERRORS, f"{proof}, but a step after them failed: {beside.text[:_TEXT]}"
    if exit_code not in (0, None) and not heard_end:
        return RunState.FINISHED_WITH_ERRORS, f"{proof}, but the process then ended with code {exit_code}"
    return RunState.SUCCEEDED, proof


def _summary(listed: Sequence[Slot], total: int, cases: dict[str, CaseVerdict]) -> str:
    """ "2 of 4 simulations have no result: duke, 700MHz, x_pos, phi: ERROR during simulation: ..."."""
    if not total:
        return "no simulation was announced"
    open_ = [slot for slot in listed if cases[slot.key].state != "done"]
    missing = total - (len(listed) - len(open_))
    if not missing:
        return ""
    text = f"{missing} of {total} simulations {'has' if missing == 1 else 'have'} no result"
    # A cause says more than a silence.
    first = next((slot for slot in open_ if cases[slot.key].state == "failed"), open_[0] if open_ else None)
    return f"{text}: {first.name}: {cases[first.key].why[:_TEXT]}" if first else text


def _join(cause: str, summary: str) -> str:
    return f"{cause[:_TEXT]}; {summary}" if summary else cause[:_TEXT]


def _is_auto_induced(sign: Sign) -> bool:
    return sign.kind is SignKind.ERROR and AUTO_INDUCED.search(sign.text) is not None


def _order(sign: Sign) -> tuple[object, ...]:
    """Time first; the rest only makes the order total."""
    ordinal = -1 if sign.ordinal is None else sign.ordinal
    total = -1 if sign.total is None else sign.total
    return sign.at, sign.kind.value, sign.text, sign.case_key or "", ordinal, total, sign.line

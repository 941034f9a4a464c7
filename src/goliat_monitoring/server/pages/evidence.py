"""What speaks for and against each case of a run, as rows of a table."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from goliat_monitoring.server.pages.numbers import plural
from goliat_monitoring.store.read.runs import RunSummary, Sign, Simulation
from goliat_monitoring.store.read.studies import CaseView
from goliat_monitoring.wire.clock import SECOND

LOOSE_SHOWN = 20
# Of more cases than these, some are left out of the page.
CASES_SHOWN = 150
ELSEWHERE = "proven by another try"
KINDS = {
    "sim_started": "started",
    "run_done": "solved",
    "extracted": "extracted",
    "cached": "already there",
    "result": "result arrived",
    "error": "error",
    "fatal": "fatal error",
    "process_failed": "process failed",
    "memory_error": "memory error",
    "cancelled": "cancelled",
    "finished": "finished",
}


class Case(NamedTuple):
    """One row of the evidence table. `heard`: what speaks for or against it. `took`: seconds. `elsewhere`: another
    run of the assignment proved it."""

    ordinal: int
    name: str
    state: str
    heard: str
    took: float | None
    elsewhere: bool = False


class Loose(NamedTuple):
    """Evidence about no single simulation, alike pieces together. `sender_at`: of the newest."""

    kind: str
    text: str
    times: int
    sender_at: int


def cases_of(simulations: Iterable[Simulation], expected: list[CaseView], run: RunSummary) -> list[Case]:
    """A row for each case that is known, expected ones that have not begun included, in their order."""
    rows: list[Case] = []
    by_key = {it.case_key: it for it in simulations if it.case_key}
    for case in expected:
        begun = by_key.pop(case.case_key, None)
        name = case.details or case.case_key
        if begun is not None:
            row = _case(begun, name, run)._replace(ordinal=case.ordinal + 1)
            if case.state == "done" and case.run_id == run.id:
                row = row._replace(state="done")
            elif case.state == "done":
                row = row._replace(heard="; ".join(part for part in (row.heard, ELSEWHERE) if part), elsewhere=True)
            rows.append(row)
        elif case.state == "done" and case.run_id == run.id:
            rows.append(Case(case.ordinal + 1, name, "done", "proven by this run", None))
        elif case.state == "done":
            rows.append(Case(case.ordinal + 1, name, "elsewhere", ELSEWHERE, None, elsewhere=True))
        else:
            rows.append(Case(case.ordinal + 1, name, "pending" if run.live else "missing", "", None))
    known = {case.case_key for case in expected}
    rows.extend(
        _case(it, it.details or it.case_key or f"simulation {it.ordinal}", run)
        for it in simulations
        if it.case_key not in known and not (expected and it.case_key is None)
    )
    return rows


def most_telling(cases: list[Case], most: int = CASES_SHOWN) -> list[Case]:
    """At most `most` of them, in their order: what went wrong or is under way before what is proven, what is proven
    before what has not begun; of alike ones those beside the place where the run is.
    """
    if len(cases) <= most:
        return cases
    ranks = {"done": 1, "elsewhere": 2, "pending": 2}
    here = max((it.ordinal for it in cases if ranks.get(it.state) != 2), default=0)
    chosen = sorted(cases, key=lambda it: (ranks.get(it.state, 0), abs(it.ordinal - here)))[:most]
    return sorted(chosen, key=lambda it: it.ordinal)


def _case(it: Simulation, name: str, run: RunSummary) -> Case:
    # The same is often heard twice, as a message and as a line. Only of errors the number says something.
    kinds = Counter(KINDS.get(sign.kind, sign.kind) for sign in sorted(it.evidence, key=lambda sign: sign.sender_at))
    heard = ", ".join(plural(count, kind) if kind == "error" else kind for kind, count in kinds.items())
    why = it.why or _last_trouble(it.evidence)
    if why.removeprefix("its ") in kinds:
        why = ""
    took = None
    if it.started_sender_at is not None and it.ended_sender_at is not None:
        took = (it.ended_sender_at - it.started_sender_at) / SECOND
    # Only the newest is under way, and only while its run lives. The others lack a proof, whatever became of them.
    under_way = run.live and it.ordinal >= (run.sim_index or 0)
    state = "unproven" if it.state == "running" and not under_way else it.state
    return Case(it.ordinal, name, state, "; ".join(part for part in (why, heard) if part), took)


def _last_trouble(signs: list[Sign]) -> str:
    return next((sign.text for sign in reversed(signs) if sign.kind in ("error", "fatal", "memory_error")), "")


def loose_of(signs: list[Sign]) -> list[Loose]:
    """The newest evidence about the run as a whole."""
    alike: dict[tuple[str, str], Loose] = {}
    for sign in signs:
        key = KINDS.get(sign.kind, sign.kind), sign.text
        # What was heard again moves to the end.
        before = alike.pop(key, None)
        times, at = (before.times, before.sender_at) if before is not None else (0, 0)
        alike[key] = Loose(*key, times + 1, max(at, sign.sender_at))
    return list(alike.values())[-LOOSE_SHOWN:]

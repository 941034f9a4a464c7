"""What speaks for and against each case of a run, as rows of a table."""

from collections.abc import Iterable
from typing import NamedTuple

from goliat_monitoring.server.pages.numbers import plural
from goliat_monitoring.store.read.evidence import Sign, Simulation
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.studies import CaseView
from goliat_monitoring.wire.clock import SECOND

LOOSE_SHOWN = 20
# Of more cases than these, some are left out of the page.
CASES_SHOWN = 150
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


class Heard(NamedTuple):
    """What speaks for or against a case. `line`: of the log, where it is known. `why`: the reason of its state."""

    text: str
    line: int | None = None
    why: bool = False


class Case(NamedTuple):
    """One row of the evidence table. `heard`: in order of time, and why it counts as it does. `took`: seconds.
    `elsewhere`: another run of the assignment proved it."""

    ordinal: int
    name: str
    state: str
    heard: tuple[Heard, ...]
    took: float | None
    elsewhere: bool = False

    @property
    def said(self) -> str:
        """All that was heard as one text."""
        return "".join(f"{'; ' if it.why else ', '}{it.text}" for it in self.heard)[2:]


class Loose(NamedTuple):
    """Evidence about no single simulation, alike pieces together. `sender_at`, `line`: of the newest."""

    kind: str
    text: str
    times: int
    sender_at: int
    line: int | None


HERE = Heard("proven by this run", why=True)
ELSEWHERE = Heard("proven by another try", why=True)


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
                row = row._replace(heard=(*row.heard, ELSEWHERE), elsewhere=True)
            rows.append(row)
        elif case.state == "done" and case.run_id == run.id:
            rows.append(Case(case.ordinal + 1, name, "done", (HERE,), None))
        elif case.state == "done":
            rows.append(Case(case.ordinal + 1, name, "elsewhere", (ELSEWHERE,), None, elsewhere=True))
        else:
            rows.append(Case(case.ordinal + 1, name, "pending" if run.live else "missing", (), None))
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
    by_kind: dict[str, list[Sign]] = {}
    for sign in sorted(it.evidence, key=lambda sign: sign.sender_at):
        by_kind.setdefault(KINDS.get(sign.kind, sign.kind), []).append(sign)
    heard = [
        Heard(plural(len(signs), kind) if kind == "error" else kind, _line(signs)) for kind, signs in by_kind.items()
    ]
    why = it.why or _last_trouble(it.evidence)
    if why and why.removeprefix("its ") not in by_kind:
        heard.append(Heard(why, _line([sign for sign in it.evidence if sign.text == why]), why=True))
    took = None
    if it.started_sender_at is not None and it.ended_sender_at is not None:
        took = (it.ended_sender_at - it.started_sender_at) / SECOND
    # Only the newest is under way, and only while its run lives. The others lack a proof, whatever became of them.
    under_way = run.live and it.ordinal >= (run.sim_index or 0)
    state = "unproven" if it.state == "running" and not under_way else it.state
    return Case(it.ordinal, name, state, tuple(heard), took)


def _line(signs: list[Sign]) -> int | None:
    """The first line of the log that is known of them."""
    return next((sign.line for sign in signs if sign.line is not None), None)


def _last_trouble(signs: list[Sign]) -> str:
    return next((sign.text for sign in reversed(signs) if sign.kind in ("error", "fatal", "memory_error")), "")


def loose_of(signs: list[Sign]) -> list[Loose]:
    """The newest evidence about the run as a whole."""
    alike: dict[tuple[str, str], Loose] = {}
    for sign in signs:
        key = KINDS.get(sign.kind, sign.kind), sign.text
        # What was heard again moves to the end.
        before = alike.pop(key, Loose(*key, 0, 0, None))
        line = sign.line if sign.line is not None else before.line
        alike[key] = Loose(*key, before.times + 1, max(before.sender_at, sign.sender_at), line)
    return list(alike.values())[-LOOSE_SHOWN:]

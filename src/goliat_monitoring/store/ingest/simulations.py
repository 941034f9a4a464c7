"""The table of runs' simulations, kept at what the signs say so far; the verdict at the end decides.

What is known of the runs of a group is read once, changed in memory, and written with a few statements.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.fleet.evidence import Sign, SignKind
from goliat_monitoring.fleet.timing import OVERTAKE
from goliat_monitoring.store import assignments, driver, tables
from goliat_monitoring.store.assignments import CaseState
from goliat_monitoring.store.bulk import fetch_later, insert_rows, rows_of, update_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.ingest.assigned import Assigned, assigned_later
from goliat_monitoring.store.ingest.draft import RunDraft

FOLLOWED = frozenset({SignKind.SIM_STARTED, SignKind.EXTRACTED, SignKind.CACHED})
_KNOWN = """
    SELECT s.run_id, s.ordinal, s.case_key, s.details, s.state, s.started_sender_at, s.started_line_at,
    s.ended_sender_at, s.id FROM {rows} JOIN simulations AS s ON s.run_id = v.c0
    ORDER BY s.run_id, s.ordinal
"""
_NEW = (
    "run_id", "ordinal", "case_key", "details", "state", "started_sender_at", "started_line_at", "ended_sender_at",
)  # fmt: skip
_CHANGING = ("state", "started_sender_at", "started_line_at", "ended_sender_at")


class Simulation(msgspec.Struct, gc=False):
    """A row of the table as it is to be. `id`: None of one that is new."""

    run_id: str
    ordinal: int
    case_key: str | None
    details: str
    state: str = "running"
    started_sender_at: int | None = None
    started_line_at: int | None = None
    ended_sender_at: int | None = None
    id: int | None = None


class Simulations:
    """Those of the runs of one group. `hear` what is said of each run, then `save` all."""

    def __init__(self, known: Iterable[tuple[Any, ...]], assigned: Assigned) -> None:
        """`known`: the rows of these runs."""
        self.assigned = assigned
        self._of_run: dict[str, dict[int, Simulation]] = {}
        self._changed: dict[tuple[str, int], Simulation] = {}
        self._done: dict[tuple[str, str], CaseState] = {}
        self._studies: set[str] = set()
        for row in known:
            self._of_run.setdefault(row[0], {})[row[1]] = Simulation(*row)

    def hear(self, draft: RunDraft, signs: Sequence[Sign]) -> None:
        """Note which simulations of a run began and which are done."""
        own = self._of_run.setdefault(draft.run.id, {})
        settled = False
        for sign in signs:
            if sign.kind is SignKind.SIM_STARTED and sign.ordinal is not None:
                self._began(draft, own, sign, sign.ordinal + 1)
            elif sign.kind in (SignKind.EXTRACTED, SignKind.CACHED):
                settled = self._ended(draft, own, sign) or settled
        if settled:
            draft.values["done_cases"] = sum(it.state == "done" for it in own.values())

    def save(self, connection: Connection) -> None:
        """Write what changed, in a journey of `store.driver`."""
        changed = list(self._changed.values())
        insert_rows(connection, tables.simulations, _NEW, [
            tuple(getattr(it, name) for name in _NEW) for it in changed if it.id is None
        ])  # fmt: skip
        update_rows(connection, tables.simulations, _CHANGING, [
            (it.id, *(getattr(it, name) for name in _CHANGING)) for it in changed if it.id is not None
        ])  # fmt: skip
        assignments.learn_totals(connection, self.assigned.learned)
        assignments.mark(connection, self._done.values())
        for study_id in self._studies:
            touch(connection, "studies", f"study:{study_id}")

    def _began(self, draft: RunDraft, own: dict[int, Simulation], sign: Sign, ordinal: int) -> None:
        known = own.get(ordinal)
        if known is None:
            known = own[ordinal] = Simulation(draft.run.id, ordinal, self.assigned.case_of(draft, sign), sign.text)
        clock = _clock(sign)
        began = getattr(known, clock)
        if began is None or sign.at < began:
            setattr(known, clock, sign.at)
            self._changed[known.run_id, ordinal] = known
        if sign.total is not None:
            self.assigned.hear_total(draft, sign.total)

    def _ended(self, draft: RunDraft, own: dict[int, Simulation], sign: Sign) -> bool:
        """The last that began before this sign is done. Whether there is one."""
        latest = sign.at if sign.line else sign.at - OVERTAKE
        began = attrgetter(_clock(sign))
        begun = [it for it in own.values() if began(it) is not None and began(it) <= latest]
        if not begun:
            return False
        run, it = draft.run, max(begun, key=began)
        it.state, it.ended_sender_at = "done", sign.at
        self._changed[it.run_id, it.ordinal] = it
        study_id = self.assigned.study_of(draft)
        if study_id is not None and it.case_key is not None:
            self._done[run.assignment_id, it.case_key] = CaseState(
                run.assignment_id, it.case_key, "done", run.id, draft.now
            )
            self._studies.add(study_id)
        return True


def _clock(sign: Sign) -> str:
    """Which time of a simulation's beginning a sign is held against.

    Like is compared with like: a message waits in GOLIAT's queue, a line carries the time it was written.
    """
    return "started_line_at" if sign.line else "started_sender_at"


def read_simulations(connection: Connection, drafts: Sequence[RunDraft]) -> Simulations:
    """What is stored of the simulations of these runs, and of their assignments."""
    if not drafts:
        return Simulations((), Assigned(()))
    with driver.one_journey(connection):
        assigned = assigned_later(connection, drafts)
        source = rows_of(connection, tables.runs, ("id",))
        known = fetch_later(connection, _KNOWN, source, [(draft.run.id,) for draft in drafts])
    return Simulations(known(), assigned())

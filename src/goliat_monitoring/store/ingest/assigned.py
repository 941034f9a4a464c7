"""What the assignments of a group's runs know: whose studies they are, and which case an announcement means."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from goliat_monitoring.fleet.evidence import Sign, SignKind
from goliat_monitoring.store import tables
from goliat_monitoring.store.bulk import fetch_later, rows_of
from goliat_monitoring.store.ingest.draft import RunDraft
from goliat_monitoring.study.results import key_of_details

# A row for each announced number of each assignment, and one without a number. Cases count from 0, as signs do.
_ASSIGNED = """
    SELECT a.id, a.super_study_id, a.expected_total, v.c1, (
        SELECT c.case_key FROM cases AS c WHERE c.assignment_id = a.id AND lower(c.details) = v.c2 LIMIT 1
    ), (
        SELECT c.case_key FROM cases AS c WHERE c.assignment_id = a.id AND c.ordinal = v.c1 LIMIT 1
    ) FROM {rows} JOIN assignments AS a ON a.id = v.c0
"""
_ASKED = ("assignment_id", "ordinal", "details")


class Assigned:
    """The assignments of some runs as stored. `learned`: by assignment how many simulations it has, where only an
    announcement told that."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self.learned: dict[str, int] = {}
        self._studies: dict[str, str] = {}
        self._totals: dict[str, int | None] = {}
        self._cases: dict[tuple[str, int | None], tuple[str | None, str | None]] = {}
        for assignment_id, study_id, total, ordinal, by_text, by_order in rows:
            self._studies[assignment_id] = study_id
            self._totals[assignment_id] = total
            self._cases[assignment_id, ordinal] = by_text, by_order

    def study_of(self, draft: RunDraft) -> str | None:
        """The study that the run is of."""
        return self._studies.get(draft.run.assignment_id)

    def case_of(self, draft: RunDraft, sign: Sign) -> str | None:
        """The key of the case that an announcement with a number means."""
        assignment_id = draft.run.assignment_id
        if sign.case_key or assignment_id is None:
            return sign.case_key or key_of_details(sign.text)
        by_text, by_order = self._cases[assignment_id, sign.ordinal]
        if by_text is not None:
            return by_text
        # The order tells only where the run computes all that the assignment asks for.
        if by_order is not None and sign.total == self._totals[assignment_id]:
            return by_order
        return key_of_details(sign.text)

    def hear_total(self, draft: RunDraft, total: int) -> None:
        """A config that nobody could resolve tells its size only when the first simulation is announced."""
        assignment_id = draft.run.assignment_id
        if assignment_id is not None and self._totals[assignment_id] is None:
            self._totals[assignment_id] = self.learned[assignment_id] = total


def assigned_later(connection: Connection, drafts: Sequence[RunDraft]) -> Callable[[], Assigned]:
    """The assignments of these runs, and the cases that are announced, for a block of `driver.one_journey`."""
    asked = dict[tuple[str, int | None], str | None]()
    for draft in drafts:
        assignment_id = draft.run.assignment_id
        if assignment_id is not None:
            asked[assignment_id, None] = None
            for _, sign in draft.signs:
                if sign.kind is SignKind.SIM_STARTED and sign.ordinal is not None:
                    # Who is announced again is known by then.
                    asked.setdefault((assignment_id, sign.ordinal), sign.text.lower())
    if not asked:
        return lambda: Assigned(())
    source = rows_of(connection, tables.cases, _ASKED)
    rows = fetch_later(connection, _ASSIGNED, source, [(*key, text) for key, text in asked.items()])
    return lambda: Assigned(rows())

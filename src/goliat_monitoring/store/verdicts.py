"""Judging a run: its evidence and expected cases go to the pure rule, the verdict into the tables."""

import contextlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from goliat_monitoring.fleet.causes import trouble_of
from goliat_monitoring.fleet.evidence import EndedBy, Judged, Sign, SignKind, judge
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import assignments, driver, portions, runs, tables
from goliat_monitoring.store.assignments import CaseState
from goliat_monitoring.store.bulk import insert_rows, marked, update_rows
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.cases import Phases

evidence, simulations = tables.evidence, tables.simulations

# A failing solver is retried for ever: its thousandth error proves no more than its first.
ERRORS_KEPT = 500
SIGNS_KEPT = 50_000

EVIDENCE = ("run_id", "kind", "sender_at", "received_at", "text", "case_key", "ordinal", "total", "line")
_SIGNS = """
    SELECT kind, sender_at, text, case_key, ordinal, total, line FROM evidence WHERE run_id = {value} ORDER BY id
"""
_KNOWN = "SELECT id, ordinal, case_key, state, why, ended_sender_at FROM simulations WHERE run_id = {value}"
# What a verdict on a simulation means for its case; every other one leaves it to be done.
_CASE_STATES = {"done": "done", "failed": "failed"}


def keep(connection: Connection, run_id: str, have: int, signs: Sequence[tuple[int, Sign]]) -> int:
    """Store signs, each with the time it was received, of a run that has `have`; returns how many it has now."""
    rows = to_keep(run_id, have, signs)
    insert_rows(connection, evidence, EVIDENCE, rows)
    return have + len(rows)


def to_keep(run_id: str, have: int, signs: Sequence[tuple[int, Sign]]) -> list[tuple[Any, ...]]:
    """The rows with which `keep` stores signs."""
    rows: list[tuple[Any, ...]] = []
    for received_at, it in signs:
        if have + len(rows) < (ERRORS_KEPT if it.kind is SignKind.ERROR else SIGNS_KEPT):
            rows.append(
                (run_id, it.kind.value, it.at, received_at, it.text, it.case_key, it.ordinal, it.total, it.line)
            )
    return rows


def close(
    connection: Connection,
    moment: Moment,
    row: Row[tuple[object, ...]],
    *,
    ended_by: EndedBy,
    exit_code: int | None = None,
    reason: str = "",
    actor: str = "server",
) -> Judged:
    """Judge a live run and end it. `ended_by`: who said that it is over, as `fleet.evidence.judge` wants it."""
    assignment = None if row.assignment_id is None else portions.assignment_of(connection, row.id)
    with driver.one_journey(connection):
        whole = assignments.expected_later(connection, row.assignment_id)
        told = driver.fetch_later(connection, marked(connection, _SIGNS), (row.id,))
        known = driver.fetch_later(connection, marked(connection, _KNOWN), (row.id,))
    expected, total, phases = whole(), None, Phases()
    if assignment is not None:
        expected = portions.narrowed(assignment.portion, expected)
        total = len(expected) or assignment.expected_total
        phases = assignments.phases_of(assignment)
    signs = _signs(told())
    verdict = judge(expected, total, signs, phases, exit_code, ended_by)
    with driver.one_journey(connection):
        _write_simulations(connection, known(), verdict)
        if assignment is not None:
            asked = {case.key for case in expected}
            assignments.mark(connection, [
                CaseState(assignment.id, key, _CASE_STATES.get(case.state, "pending"), row.id, moment.now)
                for key, case in verdict.cases.items() if key in asked
            ])  # fmt: skip
    text = f"{verdict.reason} {reason}".strip() if verdict.outcome != RunState.SUCCEEDED else verdict.reason
    runs.end(
        connection,
        moment,
        row,
        verdict.outcome,
        text,
        exit_code=exit_code,
        actor=actor,
        trouble=trouble_of(signs, text),
        done_cases=sum(case.state == "done" for case in verdict.cases.values()),
        assignment=assignment,
    )
    return verdict


def _signs(rows: Sequence[tuple[Any, ...]]) -> list[Sign]:
    """Everything a run is judged by."""
    found = []
    for kind, at, text, case_key, ordinal, total, line in rows:
        with contextlib.suppress(ValueError):
            found.append(Sign(SignKind(kind), at, text, case_key, ordinal, total, bool(line)))
    return found


def _write_simulations(connection: Connection, known: Sequence[tuple[Any, ...]], verdict: Judged) -> None:
    """Set what the verdict says otherwise than the rows `known`."""
    changed = []
    for row_id, ordinal, case_key, *was in known:
        case = verdict.cases.get(case_key or "") or verdict.cases.get(f"#{ordinal}")
        if case is not None and was != [case.state, case.why, case.ended_at]:
            changed.append((row_id, case.state, case.why, case.ended_at))
    update_rows(connection, simulations, ("state", "why", "ended_sender_at"), changed)

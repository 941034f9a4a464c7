"""Judging a run: its evidence and expected cases go to the pure rule, the verdict into the tables."""

import contextlib
from collections.abc import Sequence

from sqlalchemy import Connection, Row, insert, select, update

from goliat_monitoring.fleet.causes import trouble_of
from goliat_monitoring.fleet.evidence import EndedBy, Judged, Sign, SignKind, judge
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import assignments, portions, runs, tables
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.cases import Phases

evidence, simulations = tables.evidence, tables.simulations

# A failing solver is retried for ever: its thousandth error proves no more than its first.
ERRORS_KEPT = 500
SIGNS_KEPT = 50_000


def keep(connection: Connection, run_id: str, have: int, signs: Sequence[tuple[int, Sign]]) -> int:
    """Store signs, each with the time it was received, of a run that has `have`; returns how many it has now."""
    kept: list[tuple[int, Sign]] = []
    for received_at, sign in signs:
        if have + len(kept) < (ERRORS_KEPT if sign.kind is SignKind.ERROR else SIGNS_KEPT):
            kept.append((received_at, sign))
    if kept:
        connection.execute(
            insert(evidence),
            [
                {
                    "run_id": run_id,
                    "kind": sign.kind,
                    "sender_at": sign.at,
                    "received_at": received_at,
                    "text": sign.text,
                    "case_key": sign.case_key,
                    "ordinal": sign.ordinal,
                    "total": sign.total,
                    "line": sign.line,
                }
                for received_at, sign in kept
            ],
        )
    return have + len(kept)


def signs_of(connection: Connection, run_id: str) -> list[Sign]:
    """Everything the run is judged by."""
    rows = connection.execute(select(evidence).where(evidence.c.run_id == run_id).order_by(evidence.c.id)).all()
    found = []
    for row in rows:
        with contextlib.suppress(ValueError):
            found.append(
                Sign(SignKind(row.kind), row.sender_at, row.text, row.case_key, row.ordinal, row.total, row.line)
            )
    return found


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
    if row.assignment_id is not None:
        assignment = assignments.get(connection, row.assignment_id)
        expected = portions.cases_of(connection, portions.config_of(connection, row.id), row.assignment_id)
        total = len(expected) or assignment.expected_total
        phases = assignments.phases_of(assignment)
    else:
        expected, total, phases = [], None, Phases()
    signs = signs_of(connection, row.id)
    verdict = judge(expected, total, signs, phases, exit_code, ended_by)
    _write_simulations(connection, row.id, verdict)
    if row.assignment_id is not None:
        states = {"done": "done", "failed": "failed"}
        keys = {case.key for case in expected}
        assignments.mark_cases(
            connection,
            moment,
            row.assignment_id,
            row.id,
            {key: states.get(case.state, "pending") for key, case in verdict.cases.items() if key in keys},
        )
    text = f"{verdict.reason} {reason}".strip() if verdict.outcome != RunState.SUCCEEDED else verdict.reason
    done = sum(case.state == "done" for case in verdict.cases.values())
    connection.execute(update(tables.runs).where(tables.runs.c.id == row.id).values(done_cases=done))
    runs.end(
        connection,
        moment,
        row,
        verdict.outcome,
        text,
        exit_code=exit_code,
        actor=actor,
        trouble=trouble_of(signs, text),
        done_cases=done,
    )
    return verdict


def _write_simulations(connection: Connection, run_id: str, verdict: Judged) -> None:
    known = connection.execute(
        select(simulations.c.id, simulations.c.ordinal, simulations.c.case_key).where(simulations.c.run_id == run_id)
    ).all()
    for row in known:
        case = verdict.cases.get(row.case_key or "") or verdict.cases.get(f"#{row.ordinal}")
        if case is not None:
            connection.execute(
                update(simulations)
                .where(simulations.c.id == row.id)
                .values(state=case.state, why=case.why, ended_sender_at=case.ended_at)
            )

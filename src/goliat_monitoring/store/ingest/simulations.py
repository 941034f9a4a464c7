"""The table of a run's simulations, kept at what the signs say so far; the verdict at the end decides."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select, update

from goliat_monitoring.fleet.evidence import Sign, SignKind
from goliat_monitoring.fleet.timing import OVERTAKE
from goliat_monitoring.store import assignments, tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.ingest.draft import RunDraft
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.results import key_of_details

simulations = tables.simulations
FOLLOWED = frozenset({SignKind.SIM_STARTED, SignKind.EXTRACTED, SignKind.CACHED})


def follow_simulations(connection: Connection, moment: Moment, draft: RunDraft, signs: Sequence[Sign]) -> None:
    """Note which simulations began and which are done."""
    settled = False
    for sign in signs:
        if sign.kind is SignKind.SIM_STARTED and sign.ordinal is not None:
            _started(connection, draft, sign, sign.ordinal + 1)
        elif sign.kind in (SignKind.EXTRACTED, SignKind.CACHED):
            settled = _done(connection, moment, draft, sign) or settled
    if settled:
        draft.values["done_cases"] = connection.execute(
            select(func.count()).where(simulations.c.run_id == draft.run.id, simulations.c.state == "done")
        ).scalar_one()


def _started(connection: Connection, draft: RunDraft, sign: Sign, ordinal: int) -> None:
    run, total = draft.run, sign.total
    clock = "started_line_at" if sign.line else "started_sender_at"
    known = connection.execute(
        select(simulations.c.id, simulations.c[clock].label("began")).where(
            simulations.c.run_id == run.id, simulations.c.ordinal == ordinal
        )
    ).one_or_none()
    if known is None:
        connection.execute(
            insert(simulations).values(
                run_id=run.id,
                ordinal=ordinal,
                case_key=sign.case_key or _case_of(connection, draft, sign.text, ordinal, total),
                details=sign.text,
                **{clock: sign.at},
            )
        )
    elif known.began is None or sign.at < known.began:
        connection.execute(update(simulations).where(simulations.c.id == known.id).values({clock: sign.at}))
    if run.assignment_id is not None and total is not None:
        # A config that nobody could resolve tells its size only here.
        connection.execute(
            update(tables.assignments)
            .where(tables.assignments.c.id == run.assignment_id, tables.assignments.c.expected_total.is_(None))
            .values(expected_total=total)
        )


def _case_of(connection: Connection, draft: RunDraft, details: str, ordinal: int, total: int | None) -> str | None:
    assignment_id = draft.run.assignment_id
    if assignment_id is None:
        return key_of_details(details)
    cases = tables.cases
    of_assignment = select(cases.c.case_key).where(cases.c.assignment_id == assignment_id)
    by_text = connection.execute(of_assignment.where(func.lower(cases.c.details) == details.lower())).scalars().first()
    if by_text is not None:
        return str(by_text)
    expected = connection.execute(
        select(tables.assignments.c.expected_total).where(tables.assignments.c.id == assignment_id)
    ).scalar_one()
    if total != expected:
        return key_of_details(details)
    by_order = connection.execute(of_assignment.where(cases.c.ordinal == ordinal - 1)).scalar()
    return key_of_details(details) if by_order is None else str(by_order)


def _done(connection: Connection, moment: Moment, draft: RunDraft, sign: Sign) -> bool:
    run = draft.run
    # Like is compared with like: a message waits in GOLIAT's queue, a line carries the time it was written.
    began = simulations.c.started_line_at if sign.line else simulations.c.started_sender_at
    row = connection.execute(
        select(simulations)
        .where(simulations.c.run_id == run.id, began <= (sign.at if sign.line else sign.at - OVERTAKE))
        .order_by(began.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return False
    connection.execute(
        update(simulations).where(simulations.c.id == row.id).values(state="done", ended_sender_at=sign.at)
    )
    if run.assignment_id is not None and row.case_key is not None:
        assignments.mark_cases(connection, moment, run.assignment_id, run.id, {row.case_key: "done"})
    touch(connection, f"run:{run.id}")
    return True

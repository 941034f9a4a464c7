"""What was heard for and against each simulation of a run, and which log line told it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet import signs as fleet
from goliat_monitoring.fleet.attribution import owners_of
from goliat_monitoring.fleet.verdicts import AUTO_INDUCED
from goliat_monitoring.store import tables
from goliat_monitoring.store.log.append import key_of

evidence, simulations, problems = tables.evidence, tables.simulations, tables.log_problems
# Kinds that tell of the simulation under way. All others are about the study, or whoever stopped it.
_OF_ONE = frozenset({"run_done", "extracted", "cached", "error", "memory_error"})
_TELLING = _OF_ONE | {"sim_started", "result"}


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of evidence: what was heard that speaks for or against a case. `line`: the number of the log line that
    told it, where that is known.
    """

    kind: str
    sender_at: int
    received_at: int
    text: str
    case_key: str | None
    ordinal: int | None
    line: int | None = None


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """One case as this run computes it. `state`: running, done, failed, missing or unproven; `why` says the reason."""

    ordinal: int
    case_key: str | None
    details: str
    state: str
    why: str
    started_sender_at: int | None
    ended_sender_at: int | None
    evidence: list[Sign]


def simulations_of(connection: Connection, run_id: str) -> tuple[list[Simulation], list[Sign]]:
    """The simulations of a run with the evidence for each, and the evidence that belongs to none; in order of time."""
    known = connection.execute(
        select(simulations).where(simulations.c.run_id == run_id).order_by(simulations.c.ordinal)
    ).all()
    rows = connection.execute(
        select(evidence).where(evidence.c.run_id == run_id).order_by(evidence.c.sender_at, evidence.c.id)
    ).all()
    by_key = {row.case_key: row.ordinal for row in known if row.case_key}
    found: dict[int, list[Sign]] = {row.ordinal: [] for row in known}
    loose: list[Sign] = []
    lines = _Lines(connection, run_id)
    under_way = _under_way(rows)
    for row in rows:
        sign = Sign(
            kind=row.kind, sender_at=row.sender_at, received_at=row.received_at, text=row.text, case_key=row.case_key,
            ordinal=row.ordinal, line=lines.told(row) if row.line else None,
        )  # fmt: skip
        # Signs count from 0, simulations from 1.
        told = by_key.get(row.case_key) or (under_way.get(row.id, 0) if row.ordinal is None else row.ordinal + 1)
        found.get(told, loose).append(sign)
    return [
        Simulation(
            ordinal=row.ordinal,
            case_key=row.case_key,
            details=row.details,
            state=row.state,
            why=row.why,
            started_sender_at=row.started_sender_at,
            ended_sender_at=row.ended_sender_at,
            evidence=found[row.ordinal],
        )
        for row in known
    ], loose


def _under_way(rows: Sequence[Any]) -> dict[int, int]:
    """By the id of a piece of evidence that names no simulation the one it is about, from 1; as the judge has it."""
    telling = [row for row in rows if row.kind in _TELLING]
    # Without totals: of what was not announced nothing can be under way.
    signs = [
        fleet.Sign(fleet.SignKind(row.kind), row.sender_at, row.text, row.case_key, row.ordinal, None, row.line)
        for row in telling
    ]
    _, owners = owners_of((), None, signs)
    return {
        row.id: owner.ordinal + 1
        for row, owner in zip(telling, owners, strict=True)
        if owner is not None and row.kind in _OF_ONE and not AUTO_INDUCED.search(row.text)
    }


class _Lines:
    """Numbers of lines, as far as they were noted: of warnings and errors the first and the last of each text."""

    def __init__(self, connection: Connection, run_id: str) -> None:
        self._known: dict[int, list[tuple[str, int]]] = {}
        for row in connection.execute(select(problems).where(problems.c.run_id == run_id)):
            for at, line in ((row.first_sender_at, row.first_line), (row.last_sender_at, row.last_line)):
                self._known.setdefault(at, []).append((row.text_key, line))

    def told(self, sign: Any) -> int | None:
        """The line that told a sign: of the same time, and it begins with the same text."""
        begins = key_of(sign.text)
        return next(
            (line for key, line in self._known.get(sign.sender_at, ()) if begins and key.startswith(begins)), None
        )

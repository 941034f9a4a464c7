"""The facts behind the offer "this run is that machine's", for `fleet.strangers`."""

from typing import Any

from sqlalchemy import Connection, func, select

from goliat_monitoring.fleet import strangers as rule
from goliat_monitoring.fleet.strangers import Offer, SilentClaim, Stranger
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import LIVE, worker_name

runs, assignments, studies, workers = tables.runs, tables.assignments, tables.super_studies, tables.workers
cases, run_configs = tables.cases, tables.run_configs


def offers(connection: Connection, now: int) -> list[Offer]:
    """The pairs that a person may join, the most likely first. Costs one look at live runs where there is none."""
    silent = silent_claims(connection)
    if not silent:
        return []
    found = strangers(connection)
    if not found:
        return []
    return rule.offers(silent, found, _announcements(connection, [it.assignment_id for it in silent]), now)


def offers_of_run(connection: Connection, now: int, run_id: str) -> list[Offer]:
    """Those that this run is part of, as the silent one or as the one that speaks."""
    return [it for it in offers(connection, now) if run_id in (it.silent.run_id, it.stranger.run_id)]


def silent_claims(connection: Connection, run_id: str | None = None) -> list[SilentClaim]:
    """Bare runs that were claimed and never spoke, or whether this one is such a run."""
    own = select(run_configs.c.run_id).where(run_configs.c.run_id == runs.c.id).exists()
    query = (
        select(
            runs.c.id, runs.c.assignment_id, runs.c.worker_id, runs.c.claimed_at, studies.c.id.label("study_id"),
            studies.c.name, assignments.c.index.label("place"), assignments.c.expected_total, own.label("narrowed"),
            workers.c.label, workers.c.hostname, workers.c.machine_id,
        )
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .join(studies, studies.c.id == assignments.c.super_study_id)
        .join(workers, workers.c.id == runs.c.worker_id)
        .where(LIVE, runs.c.kind == "bare", runs.c.first_sign_at.is_(None))
        .order_by(runs.c.claimed_at)
    )  # fmt: skip
    if run_id is not None:
        query = query.where(runs.c.id == run_id)
    return [
        SilentClaim(
            row.id, row.assignment_id, row.study_id, row.name, row.place, row.worker_id, _name(row), row.hostname,
            row.claimed_at, None if row.narrowed else row.expected_total,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def strangers(connection: Connection, run_id: str | None = None) -> list[Stranger]:
    """Bare runs that belong to no assignment, or whether this one is such a run."""
    query = (
        select(
            runs.c.id, runs.c.worker_id, runs.c.claimed_at, runs.c.sim_total, runs.c.sim_details,
            workers.c.label, workers.c.hostname, workers.c.machine_id, workers.c.created_at,
        )
        .join(workers, workers.c.id == runs.c.worker_id)
        .where(LIVE, runs.c.kind == "bare", runs.c.assignment_id.is_(None))
        .order_by(runs.c.claimed_at)
    )  # fmt: skip
    if run_id is not None:
        query = query.where(runs.c.id == run_id)
    return [
        Stranger(
            row.id, row.worker_id, _name(row), row.hostname, row.claimed_at, row.created_at, row.sim_total,
            row.sim_details or "",
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _announcements(connection: Connection, assignment_ids: list[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    query = select(cases.c.assignment_id, func.lower(cases.c.details).label("details")).where(
        cases.c.assignment_id.in_(assignment_ids)
    )
    for row in connection.execute(query):
        found.setdefault(row.assignment_id, set()).add(" ".join(row.details.split()))
    return {key: frozenset(texts) for key, texts in found.items()}


def _name(row: Any) -> str:
    return worker_name(row.label, row.hostname, row.machine_id, row.worker_id)

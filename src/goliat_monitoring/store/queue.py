"""The queue: which assignment a worker gets next. The rules are those of `fleet.why` and `fleet.claims.claim_order`.

A claim costs the same however much waits. The index of the queue leads from one *lane*, the pending assignments of one
study with the same requirements, to the next; of each lane that the worker may have, only the head is looked at.
"""

from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, text

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import OFFER_AFTER_LEASE
from goliat_monitoring.store import tables
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.requirements import MachineFacts, Requirements
from goliat_monitoring.wire.agent import Facts

assignments, studies, runs = tables.assignments, tables.super_studies, tables.runs

_LANES = text(
    """
    WITH RECURSIVE lanes(id, study, demand) AS (
        SELECT * FROM (
            SELECT id, super_study_id, requirements FROM assignments
            WHERE state = 'PENDING' ORDER BY super_study_id, requirements, "index" LIMIT 1
        ) AS first
        UNION ALL
        SELECT n.id, n.super_study_id, n.requirements FROM lanes JOIN assignments AS n ON n.id = coalesce(
            (
                SELECT a.id FROM assignments AS a
                WHERE a.state = 'PENDING' AND a.super_study_id = lanes.study AND a.requirements > lanes.demand
                ORDER BY a.requirements, a."index" LIMIT 1
            ),
            (
                SELECT a.id FROM assignments AS a
                WHERE a.state = 'PENDING' AND a.super_study_id > lanes.study
                ORDER BY a.super_study_id, a.requirements, a."index" LIMIT 1
            )
        )
    )
    SELECT lanes.study, lanes.demand, s.retries_stopped, s.name
    FROM lanes JOIN super_studies AS s ON s.id = lanes.study
    WHERE NOT s.paused AND NOT s.cancelled AND NOT EXISTS (
        SELECT 1 FROM set_aside AS x
        WHERE x.super_study_id = s.id AND x.worker_id = :worker AND x.lifted_at IS NULL
    )
    ORDER BY s.priority DESC, s.created_at, s.id
    """
)
# The causes are those of `fleet.causes.BLAMES_WORKER`.
_HEAD = text(
    """
    SELECT a.id, a."index" AS place FROM assignments AS a
    WHERE a.state = 'PENDING' AND a.super_study_id = :study AND a.requirements = :demand AND (
        a.attempts = 0 OR (
            :again AND (a.not_before IS NULL OR a.not_before <= :now) AND (
                a.prefer_until IS NULL OR a.prefer_until <= :now OR (
                    (a.vram_above IS NULL OR a.vram_above < :vram) AND NOT EXISTS (
                        SELECT 1 FROM runs AS r WHERE r.assignment_id = a.id AND r.worker_id = :worker
                        AND r.attempt > a.counts_from AND r.cause IN ('error', 'fast', 'lost', 'memory')
                    )
                )
            )
        )
    )
    ORDER BY a."index" LIMIT 1
    """
)
_OFFERED = text(
    """
    SELECT a.id, a.requirements FROM runs AS r
    JOIN assignments AS a ON a.id = r.assignment_id
    JOIN super_studies AS s ON s.id = a.super_study_id
    WHERE r.state IN ('claimed', 'running', 'unreachable') AND r.state = 'unreachable' AND r.lease_until <= :until
    AND r.worker_id <> :worker AND NOT s.paused AND NOT s.cancelled AND NOT a.cancel_asked AND NOT EXISTS (
        SELECT 1 FROM set_aside AS x
        WHERE x.super_study_id = s.id AND x.worker_id = :worker AND x.lifted_at IS NULL
    )
    ORDER BY s.priority DESC, s.created_at, s.id, a."index"
    """
)


def next_free(connection: Connection, moment: Moment, worker: Row[Any]) -> tuple[str, bool] | None:
    """The assignment that is this worker's turn, and whether it still has an unreachable run; None without one.

    Higher priority first, then the older study, then the lower index; after all of it, what an unreachable worker has
    held for too long.
    """
    machine = machine_of(worker.facts)
    found: tuple[int, str] | None = None
    study: str | None = None
    for lane in connection.execute(_LANES, {"worker": worker.id}).all():
        if lane.study != study and found is not None:
            break
        study = lane.study
        if not requirements_of(lane.demand).meets(machine).met:
            continue
        head = connection.execute(
            _HEAD,
            {
                "study": lane.study,
                "demand": lane.demand,
                "again": not lane.retries_stopped,
                "now": moment.now,
                "vram": machine.vram_bytes,
                "worker": worker.id,
            },
        ).one_or_none()
        if head is not None and (found is None or head.place < found[0]):
            found = head.place, head.id
    if found is not None:
        return found[1], False
    if moment.now < moment.quiet_until:
        return None
    for offered in connection.execute(_OFFERED, {"worker": worker.id, "until": moment.now - OFFER_AFTER_LEASE}):
        if requirements_of(offered.requirements).meets(machine).met:
            return offered.id, True
    return None


def next_change(connection: Connection, moment: Moment) -> int | None:
    """When time alone may make something claimable: the end of a pause, of a preference, or of an unreachable run's
    grace. None where nothing waits for a time."""
    again = assignments.c.not_before, assignments.c.prefer_until
    waits = [
        connection.execute(select(func.min(column)).where(tables.AGAIN, column > moment.now)).scalar()
        for column in again
    ]
    lost = connection.execute(
        select(func.min(runs.c.lease_until)).where(
            tables.LIVE_RUN,
            runs.c.state == RunState.UNREACHABLE,
            runs.c.assignment_id.is_not(None),
            # The others are on offer, unless it is too early for any.
            runs.c.lease_until > (moment.now - OFFER_AFTER_LEASE if moment.now >= moment.quiet_until else 0),
        )
    ).scalar()
    if lost is not None:
        waits.append(max(lost + OFFER_AFTER_LEASE, moment.quiet_until))
    return min((at for at in waits if at is not None and at > moment.now), default=None)


def machine_of(facts: str) -> MachineFacts:
    """What the requirements are held against, from the JSON of `wire.agent.Facts`."""
    known = msgspec.json.decode(facts, type=Facts)
    return MachineFacts(known.gpu_name, known.vram_bytes, tuple(known.tags), known.goliat_version)


@lru_cache(maxsize=1024)
def requirements_of(stored: str) -> Requirements:
    """Requirements as an assignment's row holds them."""
    return Requirements.from_json(msgspec.json.decode(stored))

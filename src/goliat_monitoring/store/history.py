"""The history of each super study: how far it was, and when it was thought to be done."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.fleet.states import StudyState
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.studies import list_studies
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused

history, assignments = tables.study_history, tables.assignments

# A week of a study is some two thousand points.
EVERY = 300 * SECOND


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One moment. Times in UTC microseconds; `progress` 0 to 100; `done_weight` in predicted seconds. `p10_at` ...:
    when it was expected to be done; None while nobody could tell."""

    at: int
    progress: float
    done_weight: float
    p10_at: int | None
    p50_at: int | None
    p90_at: int | None


def due(connection: Connection, now: int, future: Outlook) -> list[dict[str, Any]]:
    """A point of each study that is under way, five minutes after its last at the earliest, and one at its end; for
    `keep`. Looks at all studies, so it is for a reader: the writer's turn is everybody's."""
    last = {
        row.super_study_id: (row.at, row.progress)
        for row in connection.execute(
            select(history.c.super_study_id, func.max(history.c.at).label("at"),
                   func.max(history.c.progress).label("progress")).group_by(history.c.super_study_id)
        )
    }  # fmt: skip
    points = []
    for study in list_studies(connection):
        at, reached = last.get(study.id, (0, -1.0))
        ended = study.progress >= 100
        if (ended and (not at or reached >= 100)) or study.state == StudyState.CANCELLED:
            continue
        if not ended and (now - at < EVERY or not study.counts.keys() & {"RUNNING", "ASSIGNED"}):
            continue
        told = future.studies.get(study.id)
        eta = told.eta if told is not None else None
        times = [None] * 3 if eta is None else [now + round(seconds * SECOND) for seconds in eta]
        done = connection.execute(
            select(func.coalesce(func.sum(assignments.c.done_weight), 0.0)).where(
                assignments.c.super_study_id == study.id
            )
        ).scalar_one()
        points.append(
            {
                "super_study_id": study.id,
                "at": now,
                "progress": study.progress,
                "done_weight": done,
                **dict(zip(("p10_at", "p50_at", "p90_at"), [now] * 3 if ended else times, strict=True)),
            }
        )
    return points


def keep(connection: Connection, points: Sequence[dict[str, Any]]) -> None:
    """Note the points that were due. A study that was deleted meanwhile has none."""
    known = set(
        connection.execute(
            select(tables.super_studies.c.id).where(
                tables.super_studies.c.id.in_([point["super_study_id"] for point in points])
            )
        ).scalars()
    )
    kept = [point for point in points if point["super_study_id"] in known]
    if kept:
        connection.execute(insert(history), kept)


def points_of(connection: Connection, study_id: str) -> list[Point]:
    """The points of a study, oldest first. Raises `Refused` 404."""
    if (
        connection.execute(select(tables.super_studies.c.id).where(tables.super_studies.c.id == study_id)).scalar()
        is None
    ):
        raise Refused(404, "no such super study", study_id)
    rows = connection.execute(select(history).where(history.c.super_study_id == study_id).order_by(history.c.at))
    return [Point(**{name: getattr(row, name) for name in Point.__struct_fields__}) for row in rows]

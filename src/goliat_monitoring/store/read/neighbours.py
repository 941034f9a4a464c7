"""The attempts at an assignment, so that one can step from one to the next."""

from typing import NamedTuple

from sqlalchemy import Connection, select

from goliat_monitoring.store import tables

runs = tables.runs


class Neighbours(NamedTuple):
    """Ids of the attempts before and after one, and how many there are; None and 1 without an assignment."""

    before: str | None
    after: str | None
    total: int


def neighbours(connection: Connection, run_id: str, assignment_id: str | None) -> Neighbours:
    """The attempts beside run `run_id`, by number."""
    if assignment_id is None:
        return Neighbours(None, None, 1)
    query = select(runs.c.id).where(runs.c.assignment_id == assignment_id).order_by(runs.c.attempt)
    ids = list(connection.execute(query).scalars())
    place = ids.index(run_id)
    return Neighbours(ids[place - 1] if place else None, ids[place + 1] if place + 1 < len(ids) else None, len(ids))

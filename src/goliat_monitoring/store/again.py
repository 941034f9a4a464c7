"""A person's retry: what failed waits again, and no proven simulation is computed a second time.

Where the single config of a further attempt would ask again for what is done, the assignment is replaced by several
that ask for what it lacks exactly, as a split again makes them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from goliat_monitoring.store import actions, assignments, remains
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.remains import Cut, Remainder
from goliat_monitoring.study.missing import spared
from goliat_monitoring.wire.errors import Refused


class Plan(NamedTuple):
    """What a retry replaces, and by what."""

    replaced: list[Remainder]
    made: Cut


def plan(begun: Sequence[Remainder]) -> Plan:
    """How to ask for what these lack. Takes seconds for the largest studies: not for the event loop."""
    replaced: list[Remainder] = []
    made = Cut([], [], [], [])
    for it in begun:
        if spared(it.config, it.missing) <= 0:
            continue
        try:
            own = remains.cut([it])
        except Refused:
            # A retry is never refused for that: one config computes what is missing, and more.
            continue
        replaced.append(it)
        made.configs.extend(own.configs)
        made.labels.extend(own.labels)
        made.keys.extend(own.keys)
        made.origins.extend(own.origins)
    return Plan(replaced, made)


def study(connection: Connection, moment: Moment, study_id: str, planned: Plan, actor: str) -> list[int]:
    """Queue all that failed again. Returns the indices of new assignments.

    Raises `Refused` as `actions.retry_failed`, and 409 where what the plan is about has changed.
    """
    remains.check_unchanged(connection, study_id, planned.replaced)
    actions.retry_failed(connection, moment, study_id, actor)
    return _put(connection, moment, study_id, planned, actor)


def one(connection: Connection, moment: Moment, assignment_id: str, planned: Plan, actor: str) -> list[int]:
    """Queue one assignment again. Returns the indices of new ones. Raises `Refused` as `assignments.requeue`, and 409
    where it has changed."""
    study_id = assignments.get(connection, assignment_id).super_study_id
    remains.check_unchanged(connection, study_id, planned.replaced)
    assignments.requeue(connection, moment, assignment_id, actor)
    return _put(connection, moment, study_id, planned, actor)


def _put(connection: Connection, moment: Moment, study_id: str, planned: Plan, actor: str) -> list[int]:
    if not planned.replaced:
        return []
    return remains.put(connection, moment, study_id, planned.replaced, planned.made, actor)

"""What a run is given to compute: all of its assignment, or after a failure only what is missing of it."""

from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select

from goliat_monitoring.store import assignments, tables
from goliat_monitoring.store.log.append import note
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.cases import Case, enumerate_cases
from goliat_monitoring.study.missing import covering

run_configs, cases = tables.run_configs, tables.cases
_CONFIG = select(run_configs.c.config).where(run_configs.c.run_id == bindparam("one"))
_ASSIGNMENT = (
    select(tables.assignments, run_configs.c.config.label("portion"))
    .join(tables.runs, tables.runs.c.assignment_id == tables.assignments.c.id)
    .outerjoin(run_configs, run_configs.c.run_id == tables.runs.c.id)
    .where(tables.runs.c.id == bindparam("one"))
)


def narrow(connection: Connection, moment: Moment, run_id: str, assignment: Row[Any]) -> None:
    """Give a new run of this assignment the smallest config that covers its missing cases, and say which they are.

    GOLIAT itself leaves out what is done only where it finds the results on the same disk.
    """
    states = connection.execute(
        select(cases.c.case_key, cases.c.state).where(cases.c.assignment_id == assignment.id)
    ).all()
    missing = {row.case_key for row in states if row.state != "done"}
    if not missing or len(missing) == len(states):
        return
    found = covering(msgspec.json.decode(assignment.config), missing)
    done = len(states) - len(missing)
    if found is None:
        text = f"All {len(states)} simulations are asked for: no smaller config covers the {len(missing)} missing ones."
    else:
        config = msgspec.json.encode(found.config).decode()
        connection.execute(insert(run_configs).values(run_id=run_id, config=config))
        more = f", and {found.again} again that come with them" if found.again else ""
        text = (
            f"{done} of {len(states)} simulations are done. This attempt computes the {len(missing)} that are "
            f"missing{more}: {found.text}."
        )
    note(connection, moment, run_id, text)


def config_of(connection: Connection, run_id: str) -> str | None:
    """The config that was made for this run, as JSON; None where it runs that of its assignment."""
    return connection.execute(_CONFIG, {"one": run_id}).scalar()


def assignment_of(connection: Connection, run_id: str) -> Row[Any]:
    """The row of a run's assignment, and with it as `portion` what `config_of` gives."""
    return connection.execute(_ASSIGNMENT, {"one": run_id}).one()


def cases_of(connection: Connection, config: str | None, assignment_id: str) -> list[Case]:
    """The cases that a run with this config of its own is to compute, in order; empty while nobody knows them."""
    return narrowed(config, assignments.expected_cases(connection, assignment_id))


def narrowed(config: str | None, whole: list[Case]) -> list[Case]:
    """Those of an assignment's cases that such a run is to compute, in order."""
    if config is None:
        return whole
    asked = {case.key for case in enumerate_cases(msgspec.json.decode(config))}
    return [replace(case, ordinal=i) for i, case in enumerate(case for case in whole if case.key in asked)]

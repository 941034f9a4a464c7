"""Super studies: created whole or not at all, deleted only when no machine works for them."""

import hashlib
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select

from goliat_monitoring.fleet.states import AssignmentState
from goliat_monitoring.store import assignments, runs, tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.cases import Case, enumerate_cases, phases
from goliat_monitoring.study.extends import ConfigProblem
from goliat_monitoring.study.names import NameProblem, check_study_name, next_free_name
from goliat_monitoring.study.requirements import Requirements
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

studies = tables.super_studies


def create(
    connection: Connection,
    moment: Moment,
    *,
    name: str,
    description: str,
    base_config: dict[str, Any],
    split_configs: list[dict[str, Any]],
    actor: str,
    split: dict[str, Any] | None = None,
    priority: int = 0,
    requirements: Requirements = Requirements(),  # noqa: B008 -- it cannot be changed
) -> str:
    """Store a study with its assignments, in the order given. Returns its id.

    `split`: how the assignments were made, for people; `requirements`: those of every assignment.

    Raises `Refused` 400 for what cannot be run, 409 for a name that is taken (it offers the next free one).
    """
    name = _free_name(connection, name)
    if not split_configs:
        raise Refused(400, "the study has no assignments", "send at least one object in `assignments`")
    planned = [(config, *_plan(config, index)) for index, config in enumerate(split_configs)]
    study_id = new_id()
    text = msgspec.json.encode(base_config)
    connection.execute(
        insert(studies).values(
            id=study_id,
            name=name,
            name_key=name.casefold(),
            description=description,
            base_config=text.decode(),
            base_sha256=hashlib.sha256(text).hexdigest(),
            split=msgspec.json.encode(split or {}).decode(),
            priority=priority,
            created_at=moment.now,
            updated_at=moment.now,
        )
    )
    for index, (config, cases, wanted) in enumerate(planned):
        assignment_id = new_id()
        connection.execute(
            insert(tables.assignments).values(
                id=assignment_id,
                super_study_id=study_id,
                index=index,
                config=msgspec.json.encode(config).decode(),
                requirements=msgspec.json.encode(requirements.to_json()).decode(),
                state=AssignmentState.PENDING,
                phases=msgspec.json.encode(wanted).decode(),
                created_at=moment.now,
                updated_at=moment.now,
            )
        )
        if cases is not None:
            assignments.add_cases(connection, assignment_id, cases)
    record(
        connection, moment.now, "study_created", actor=actor, super_study_id=study_id, name=name,
        assignments=len(planned),
    )  # fmt: skip
    touch(connection, "studies", "work", f"study:{study_id}")
    return study_id


def delete_study(connection: Connection, moment: Moment, study_id: str, actor: str) -> list[str]:
    """Delete a study with its runs and files. Returns the storage keys that are free now. Raises 404 or 409."""
    row = connection.execute(select(studies).where(studies.c.id == study_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such super study", study_id)
    of_study = select(tables.assignments.c.id).where(tables.assignments.c.super_study_id == study_id)
    live = connection.execute(
        select(tables.runs.c.id).where(tables.runs.c.assignment_id.in_(of_study), tables.runs.c.state.in_(runs.LIVE))
    ).scalars().all()  # fmt: skip
    if live:
        raise Refused(
            409, "machines still work on this study", f"stop these runs first: {', '.join(live[:5])}"
            + (f" and {len(live) - 5} more" if len(live) > 5 else ""),
        )  # fmt: skip
    keys: list[str] = []
    run_ids = select(tables.runs.c.id).where(tables.runs.c.assignment_id.in_(of_study))
    for table, owner in (
        (tables.artifacts, tables.artifacts.c.run_id.in_(run_ids)),
        (tables.screenshots, tables.screenshots.c.run_id.in_(run_ids)),
        (tables.unattributed_uploads, tables.unattributed_uploads.c.assignment_id.in_(of_study)),
    ):
        keys.extend(connection.execute(select(table.c.storage_key).where(owner)).scalars())
    moved = tables.log_chunks.c
    logs = select(moved.storage_key).where(moved.run_id.in_(run_ids), moved.storage_key.is_not(None)).distinct()
    keys.extend(connection.execute(logs).scalars())
    connection.execute(delete(studies).where(studies.c.id == study_id))
    record(connection, moment.now, "study_deleted", actor=actor, super_study_id=study_id, name=row.name)
    touch(connection, "studies", "fleet", f"study:{study_id}")
    return keys


def _free_name(connection: Connection, asked: str) -> str:
    try:
        name = check_study_name(asked)
    except NameProblem as problem:
        raise Refused(400, "the study's name cannot be used", str(problem)) from None
    taken = connection.execute(select(studies.c.name).where(studies.c.name_key == name.casefold())).scalar()
    if taken is None:
        return name
    similar = connection.execute(select(studies.c.name)).scalars().all()
    free = next_free_name(name, similar)
    raise Refused(409, f"a super study named {taken!r} exists", f"use another name, such as {free!r}", {"free": free})


def _plan(config: dict[str, Any], index: int) -> tuple[list[Case] | None, dict[str, bool]]:
    """The cases of one assignment (None while its parents are unknown here) and the phases it asks for."""
    try:
        wanted = phases(config)
        flags = {"do_setup": wanted.do_setup, "do_run": wanted.do_run, "do_extract": wanted.do_extract}
        return (None if "extends" in config else enumerate_cases(config)), flags
    except ConfigProblem as problem:
        raise Refused(400, f"assignment {index} cannot be run", str(problem)) from None

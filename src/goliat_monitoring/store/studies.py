"""Super studies: created whole or not at all, deleted only when no machine works for them."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from goliat_monitoring.store import assignments, runs, tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.library import Source
from goliat_monitoring.study.cases import Case, enumerate_cases, phases
from goliat_monitoring.study.extends import ConfigProblem, check_nesting
from goliat_monitoring.study.names import NameProblem, check_study_name, next_free_name
from goliat_monitoring.study.requirements import Requirements
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

studies = tables.super_studies


class Planned(NamedTuple):
    """One assignment to be. `cases`: None while its parents are unknown here; `phases`: which of them it asks for."""

    config: dict[str, Any]
    requirements: Requirements
    cases: list[Case] | None
    phases: dict[str, bool]


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
    sources: Sequence[Source] = (),
    priority: int = 0,
    requirements: Requirements | Sequence[Requirements] = Requirements(),  # noqa: B008 -- it cannot be changed
) -> str:
    """Store a study with its assignments, in the order given. Returns its id.

    `split`: how the assignments were made, for people; `sources`: the files that the config comes from.
    `requirements`: those of every assignment, or of each.

    Raises `Refused` 400 for what cannot be run, 409 for a name that is taken (it offers the next free one).
    """
    name = free_name(connection, name)
    if not split_configs:
        raise Refused(400, "the study has no assignments", "send at least one object in `assignments`")
    try:
        check_nesting(base_config)
    except ConfigProblem as problem:
        raise Refused(400, "the config cannot be used", str(problem)) from None
    each = [requirements] * len(split_configs) if isinstance(requirements, Requirements) else requirements
    planned = [
        Planned(config, demand, *_plan(config, index))
        for index, (config, demand) in enumerate(zip(split_configs, each, strict=True))
    ]
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
            sources=msgspec.json.encode(sources).decode(),
            priority=priority,
            created_at=moment.now,
            updated_at=moment.now,
        )
    )
    _add(connection, moment, study_id, 0, planned)
    record(
        connection, moment.now, "study_created", actor=actor, super_study_id=study_id, name=name,
        assignments=len(planned),
    )  # fmt: skip
    touch(connection, "studies", "work", f"study:{study_id}")
    return study_id


def add(
    connection: Connection,
    moment: Moment,
    study_id: str,
    configs: Sequence[tuple[dict[str, Any], Requirements]],
) -> list[int]:
    """Add assignments behind the last of a study. Returns their indices. Raises `Refused` 400 as `create`."""
    last = connection.execute(
        select(func.max(tables.assignments.c.index)).where(tables.assignments.c.super_study_id == study_id)
    ).scalar()
    first = 0 if last is None else last + 1
    planned = [Planned(config, demand, *_plan(config, first + i)) for i, (config, demand) in enumerate(configs)]
    _add(connection, moment, study_id, first, planned)
    touch(connection, "studies", "work", f"study:{study_id}")
    return list(range(first, first + len(planned)))


def _add(connection: Connection, moment: Moment, study_id: str, first: int, planned: Sequence[Planned]) -> None:
    added = [
        assignments.Added(
            new_id(),
            index,
            msgspec.json.encode(config).decode(),
            msgspec.json.encode(requirements.to_json()).decode(),
            msgspec.json.encode(wanted).decode(),
            cases,
        )
        for index, (config, requirements, cases, wanted) in enumerate(planned, first)
    ]
    assignments.add(connection, moment, study_id, added)


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
        (tables.log_chunks, tables.log_chunks.c.run_id.in_(run_ids)),
        (tables.unattributed_uploads, tables.unattributed_uploads.c.assignment_id.in_(of_study)),
    ):
        # Chunks of a log lie together in few files, or in none.
        stored = select(table.c.storage_key).where(owner, table.c.storage_key.is_not(None)).distinct()
        keys.extend(connection.execute(stored).scalars())
    connection.execute(delete(studies).where(studies.c.id == study_id))
    record(connection, moment.now, "study_deleted", actor=actor, super_study_id=study_id, name=row.name)
    touch(connection, "studies", "fleet", f"study:{study_id}")
    return keys


def free_name(connection: Connection, asked: str) -> str:
    """`asked` as a study may have it. Raises `Refused` 400, or 409 with the next free name as `free`."""
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
        check_nesting(config)
        wanted = phases(config)
        flags = {"do_setup": wanted.do_setup, "do_run": wanted.do_run, "do_extract": wanted.do_extract}
        return (None if "extends" in config else enumerate_cases(config)), flags
    except ConfigProblem as problem:
        raise Refused(400, f"assignment {index} cannot be run", str(problem)) from None

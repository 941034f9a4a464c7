"""The result files of a super study: of all that runs delivered, the ones that count."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import Artifact, artifact_of
from goliat_monitoring.wire.errors import Refused

artifacts, assignments, cases, runs = tables.artifacts, tables.assignments, tables.cases, tables.runs


class Files(NamedTuple):
    """How many different files there are, and the bytes of those that count."""

    files: int
    size: int


def shown_artifacts(connection: Connection, study_id: str, *, path: str | None = None) -> list[Artifact]:
    """One file for each relative path and name, by path: of the run that completed its case, else the newest of any
    run. Files that came after their run was over count only where there is no other.

    With `path` (`relative path/file name`), only that file. Raises `Refused` 404 for an unknown study.
    """
    if not connection.execute(select(func.count()).where(tables.super_studies.c.id == study_id)).scalar_one():
        raise Refused(404, "no such super study", study_id)
    query = _ranked(artifacts).where(assignments.c.super_study_id == study_id)
    if path is not None:
        folder, _, name = path.rpartition("/")
        query = query.where(artifacts.c.relative_path == folder, artifacts.c.filename == name)
    ranked = query.subquery()
    chosen = select(ranked).where(ranked.c.place == 1).order_by(ranked.c.relative_path, ranked.c.filename)
    return [artifact_of(row) for row in connection.execute(chosen)]


def delivered(connection: Connection, study_id: str) -> Files:
    """What `shown_artifacts` of a study comes to."""
    ranked = _ranked(artifacts.c.size).where(assignments.c.super_study_id == study_id).subquery()
    query = select(func.count(), func.coalesce(func.sum(ranked.c.size), 0)).where(ranked.c.place == 1)
    number, size = connection.execute(query).one()
    return Files(number, int(size))


def files_of(connection: Connection, ids: Sequence[str]) -> dict[str, Files]:
    """What arrived of each of these assignments, counted as for a study."""
    of_part = runs.c.assignment_id
    ranked = _ranked(artifacts.c.size, of_part, apart=(of_part,)).where(of_part.in_(ids)).subquery()
    query = (
        select(ranked.c.assignment_id, func.count().label("files"), func.sum(ranked.c.size).label("size"))
        .where(ranked.c.place == 1)
        .group_by(ranked.c.assignment_id)
    )
    return {row.assignment_id: Files(row.files, int(row.size)) for row in connection.execute(query)}


def _ranked(*wanted: Any, apart: Sequence[ColumnElement[Any]] = ()) -> Select[Any]:
    """`wanted` of all files of runs; `place` is 1 for the one that counts of each relative path and name, among those
    that are alike in `apart`."""
    proven = and_(
        cases.c.assignment_id == assignments.c.id,
        cases.c.case_key == artifacts.c.case_key,
        cases.c.run_id == artifacts.c.run_id,
    )
    place = func.row_number().over(
        partition_by=(*apart, artifacts.c.relative_path, artifacts.c.filename),
        order_by=(
            cases.c.id.is_(None),
            artifacts.c.late,
            artifacts.c.received_at.desc(),
            artifacts.c.version.desc(),
            artifacts.c.id.desc(),
        ),
    )
    return (
        select(*wanted, place.label("place"))
        .select_from(artifacts)
        .join(runs, runs.c.id == artifacts.c.run_id)
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .outerjoin(cases, proven)
    )


def find_artifact(connection: Connection, study_id: str, path: str) -> Artifact:
    """The file shown under `path`. Raises `Refused` 404."""
    found = shown_artifacts(connection, study_id, path=path)
    if not found:
        raise Refused(404, "no such file", path)
    return found[0]


def get_artifact(connection: Connection, artifact_id: str) -> Artifact:
    """One file of one run by its id. Raises `Refused` 404."""
    row = connection.execute(select(artifacts).where(artifacts.c.id == artifact_id)).one_or_none()
    if row is None:
        raise Refused(404, "no such artifact", artifact_id)
    return artifact_of(row)


def unattributed(connection: Connection, assignment_id: str) -> list[Row[Any]]:
    """Uploads that named this assignment and could not be matched to a run, newest first."""
    table = tables.unattributed_uploads
    query = select(table).where(table.c.assignment_id == assignment_id).order_by(table.c.id.desc())
    return list(connection.execute(query).all())

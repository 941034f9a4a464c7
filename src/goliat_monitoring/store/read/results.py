"""The result files of a super study: of all that runs delivered, the ones that count."""

from typing import Any

from sqlalchemy import Connection, Row, and_, func, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.read.runs import Artifact, artifact_of
from goliat_monitoring.wire.errors import Refused

artifacts, assignments, cases, runs = tables.artifacts, tables.assignments, tables.cases, tables.runs


def shown_artifacts(connection: Connection, study_id: str, *, path: str | None = None) -> list[Artifact]:
    """One file for each relative path and name, by path: of the run that completed its case, else the newest of any
    run. Files that came after their run was over count only where there is no other.

    With `path` (`relative path/file name`), only that file. Raises `Refused` 404 for an unknown study.
    """
    if not connection.execute(select(func.count()).where(tables.super_studies.c.id == study_id)).scalar_one():
        raise Refused(404, "no such super study", study_id)
    proven = and_(
        cases.c.assignment_id == assignments.c.id,
        cases.c.case_key == artifacts.c.case_key,
        cases.c.run_id == artifacts.c.run_id,
    )
    place = func.row_number().over(
        partition_by=(artifacts.c.relative_path, artifacts.c.filename),
        order_by=(
            cases.c.id.is_(None),
            artifacts.c.late,
            artifacts.c.received_at.desc(),
            artifacts.c.version.desc(),
            artifacts.c.id.desc(),
        ),
    )
    query = (
        select(artifacts, place.label("place"))
        .join(runs, runs.c.id == artifacts.c.run_id)
        .join(assignments, assignments.c.id == runs.c.assignment_id)
        .outerjoin(cases, proven)
        .where(assignments.c.super_study_id == study_id)
    )
    if path is not None:
        folder, _, name = path.rpartition("/")
        query = query.where(artifacts.c.relative_path == folder, artifacts.c.filename == name)
    ranked = query.subquery()
    chosen = select(ranked).where(ranked.c.place == 1).order_by(ranked.c.relative_path, ranked.c.filename)
    return [artifact_of(row) for row in connection.execute(chosen)]


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

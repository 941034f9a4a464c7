"""Result files and screenshots: each kept, none ever replaced. The bytes lie in storage before the row is written."""

import hmac
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from goliat_monitoring.fleet.evidence import Sign, SignKind
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import assignments, runs, tables, verdicts
from goliat_monitoring.store.admission import admit
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.grants import secret_hash
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.results import get_artifact
from goliat_monitoring.study.results import RESULT_SIGN, case_of_path, key_of_path
from goliat_monitoring.wire.agent import Stored
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

artifacts = tables.artifacts


class StoredFile(NamedTuple):
    """A file whose bytes lie in the storage under `key`. `size` in bytes."""

    filename: str
    size: int
    sha256: str
    key: str


def admit_results(connection: Connection, assignment_id: str, fence: str | None, ip: str) -> str | None:
    """The run that a results upload belongs to; None to keep it unattributed.

    The upload names only its assignment. An agent's run needs the fence; a bare one must come from the same address.
    Raises `Refused` 404 or 409.
    """
    assignments.get(connection, assignment_id)
    table = tables.runs
    newest = connection.execute(
        select(table).where(table.c.assignment_id == assignment_id).order_by(table.c.attempt.desc())
    ).all()
    if not newest:
        raise Refused(409, "this assignment was never claimed", "claim it first: POST /api/assignments/{id}/claim")
    if newest[0].kind == "agent":
        if newest[0].fence_hash is None or not hmac.compare_digest(newest[0].fence_hash, secret_hash(fence or "")):
            raise Refused(409, "this assignment is run by an agent", "its results come through that agent only")
        return str(newest[0].id)
    return next((str(run.id) for run in newest if run.kind == "bare" and run.sender_ip == ip), None)


def add_artifact(
    connection: Connection,
    moment: Moment,
    run_id: str,
    relative_path: str,
    file: StoredFile,
) -> Stored:
    """Record one stored file of a run. The same path and name again is a new version, unless its bytes are those of
    the newest: a file that is again what it was before another one came is the newest, and is shown.
    """
    run = runs.get(connection, run_id)
    late = RunState(run.state).terminal
    same_place = (
        (artifacts.c.run_id == run_id)
        & (artifacts.c.relative_path == relative_path)
        & (artifacts.c.filename == file.filename)
    )
    newest = connection.execute(
        select(artifacts).where(same_place).order_by(artifacts.c.version.desc()).limit(1)
    ).one_or_none()
    if newest is not None and newest.sha256 == file.sha256:
        return Stored(newest.id, newest.version, newest.size, newest.sha256, late=newest.late)
    version = 1 if newest is None else newest.version + 1
    case_key = _case(connection, run, relative_path)
    artifact_id = new_id()
    connection.execute(
        insert(artifacts).values(
            id=artifact_id,
            run_id=run_id,
            relative_path=relative_path,
            filename=file.filename,
            version=version,
            case_key=case_key,
            size=file.size,
            sha256=file.sha256,
            storage_key=file.key,
            late=late,
            received_at=moment.now,
        )
    )
    if file.filename == RESULT_SIGN and not late:
        _proves(connection, moment, run, relative_path, case_key)
    runs.touched(connection, run_id, run.worker_id)
    runs.touch_assignment(connection, run.assignment_id)
    return Stored(artifact_id, version, file.size, file.sha256, late=late)


def add_unattributed(
    connection: Connection,
    moment: Moment,
    assignment_id: str,
    ip: str,
    relative_path: str,
    file: StoredFile,
) -> str:
    """Keep a file that cannot be attributed to a run. It is evidence for nothing."""
    upload_id = new_id()
    connection.execute(
        insert(tables.unattributed_uploads).values(
            id=upload_id,
            assignment_id=assignment_id,
            sender_ip=ip,
            relative_path=relative_path,
            filename=file.filename,
            size=file.size,
            sha256=file.sha256,
            storage_key=file.key,
            received_at=moment.now,
        )
    )
    record(connection, moment.now, "upload_unattributed", assignment_id=assignment_id, ip=ip, path=relative_path)
    runs.touch_assignment(connection, assignment_id)
    return upload_id


def add_screenshot(
    connection: Connection,
    moment: Moment,
    run_id: str,
    at: int | None,
    file: StoredFile,
) -> str:
    """Record one stored picture of GOLIAT's window; its file name is the title of the tab. `at`: sender's clock."""
    screenshot_id = new_id()
    connection.execute(
        insert(tables.screenshots).values(
            id=screenshot_id,
            run_id=run_id,
            tab=file.filename[:100],
            received_at=moment.now,
            sender_at=at,
            size=file.size,
            sha256=file.sha256,
            storage_key=file.key,
        )
    )
    touch(connection, f"run:{run_id}")
    return screenshot_id


def add_screenshots(
    connection: Connection, moment: Moment, run_id: str, at: int | None, files: Sequence[StoredFile]
) -> None:
    """Record several that came together."""
    for file in files:
        add_screenshot(connection, moment, run_id, at, file)


def deliver(
    connection: Connection,
    moment: Moment,
    worker_id: str,
    run_id: str,
    fence: str | None,
    relative_path: str,
    file: StoredFile,
) -> tuple[Stored, str]:
    """Record one result file that an agent delivered. Returns also the key of the file that is kept: where these bytes
    are the newest already, it is not the new one.
    """
    admit(connection, worker_id, run_id, fence)
    kept = add_artifact(connection, moment, run_id, relative_path, file)
    return kept, get_artifact(connection, kept.artifact_id).storage_key


def add_results(
    connection: Connection, moment: Moment, run_id: str, relative_path: str, files: Sequence[StoredFile]
) -> list[tuple[Stored, str]]:
    """Record files that a bare client uploaded together; of each also the key of the file that is kept."""
    kept = [add_artifact(connection, moment, run_id, relative_path, file) for file in files]
    return [(one, get_artifact(connection, one.artifact_id).storage_key) for one in kept]


def add_all_unattributed(
    connection: Connection,
    moment: Moment,
    assignment_id: str,
    ip: str,
    relative_path: str,
    files: Sequence[StoredFile],
) -> list[str]:
    """Keep files that came together and cannot be attributed to a run. Returns their ids."""
    return [add_unattributed(connection, moment, assignment_id, ip, relative_path, file) for file in files]


def _case(connection: Connection, run: Row[tuple[Any, ...]], relative_path: str) -> str | None:
    if run.assignment_id is None:
        return None
    return case_of_path(relative_path, assignments.expected_cases(connection, run.assignment_id))


def _proves(
    connection: Connection, moment: Moment, run: Row[tuple[Any, ...]], relative_path: str, case_key: str | None
) -> None:
    """A simulation's results arrived: the strongest sign of its success."""
    sign = Sign(SignKind.RESULT, moment.now, relative_path, case_key or key_of_path(relative_path))
    have = verdicts.keep(connection, run.id, run.evidence_count, [(moment.now, sign)])
    connection.execute(update(tables.runs).where(tables.runs.c.id == run.id).values(evidence_count=have))
    if run.assignment_id is not None and case_key is not None:
        assignments.mark_cases(connection, moment, run.assignment_id, run.id, {case_key: "done"})

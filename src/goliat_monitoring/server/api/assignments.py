"""Assignments: their config as a file, claims by bare clients, uploads of results."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from goliat_monitoring.server.api.study_shapes import AssignmentJson, assignment_json
from goliat_monitoring.server.context import ClientIp, Given
from goliat_monitoring.server.files import disposition
from goliat_monitoring.server.hot import FENCE
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.uploads import FILE_LIMIT, Form, read_form
from goliat_monitoring.store import claims, uploads
from goliat_monitoring.store.read.studies import assignment_config, get_assignment
from goliat_monitoring.store.uploads import StoredFile
from goliat_monitoring.study.paths import PathProblem, clean_file_name, clean_relative_path
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

# One simulation's files; the largest of them is a solver's log.
FORM_LIMIT = 4 * FILE_LIMIT


class Claim(msgspec.Struct, rename="camel", kw_only=True):
    machine_id: str = ""
    ip_address: str = ""


class UploadedFile(msgspec.Struct, rename="camel", kw_only=True):
    """`version`: 1 for the first file of this path and name in its run; 0 where no run could be found for it."""

    id: str
    filename: str
    size: int
    version: int


class UploadAnswer(msgspec.Struct, rename="camel", kw_only=True):
    success: bool
    files_uploaded: int
    files: list[UploadedFile]


@get("/api/assignments/{assignment_id:str}", tags=["Assignments"])
async def assignment_detail(services: Given, assignment_id: FromPath[str]) -> AssignmentJson:
    """One assignment with its config and its newest run's worker."""
    future, now = await services.outlook(), services.clock()
    found = await services.db.read(lambda c: get_assignment(c, now, assignment_id))
    return assignment_json(found, future, now)


@get("/api/assignments/{assignment_id:str}/config", tags=["Assignments"])
async def config_file(services: Given, assignment_id: FromPath[str]) -> Response[bytes]:
    """The assignment's config as a file that GOLIAT can run."""
    name, text = await services.db.read(lambda c: assignment_config(c, assignment_id))
    body = msgspec.json.format(text.encode(), indent=2)
    headers = {"Content-Disposition": disposition(name)}
    return Response(body, media_type="application/json", headers=headers)


@get("/api/assignment", tags=["Assignments"])
async def my_assignment(
    services: Given, client_ip: ClientIp, machine_id: Annotated[str | None, QueryParameter(name="machineId")] = None
) -> Response[AssignmentJson | None]:
    """What this machine holds, else the next pending assignment, which it then holds; 204 when there is none."""
    if not machine_id:
        raise Refused(400, "machineId is missing", "ask as GET /api/assignment?machineId=...")
    moment = services.moment()
    found = await services.db.write(
        partial(claims.claim_next_for_machine, moment=moment, machine_id=machine_id, ip=client_ip)
    )
    headers = {"Cache-Control": "no-store"}
    if found is None:
        return Response(None, status_code=204, headers=headers)
    return Response(await _assignment(services, found), headers=headers)


@post("/api/assignments/{assignment_id:str}/claim", status_code=200, tags=["Assignments"])
async def claim(
    services: Given, client_ip: ClientIp, assignment_id: FromPath[str], data: JSONBody[Claim]
) -> AssignmentJson:
    """A bare client claims this assignment. 409 says who holds it and until when."""
    moment, machine_id = services.moment(), data.machine_id or data.ip_address
    if not machine_id:
        raise Refused(400, "machineId is missing", "send the machine's id as `machineId`")
    await services.db.write(
        partial(claims.claim_by_name, moment=moment, assignment_id=assignment_id, machine_id=machine_id, ip=client_ip)
    )
    return await _assignment(services, assignment_id)


@post("/api/assignments/{assignment_id:str}/results", status_code=200, tags=["GOLIAT"], request_max_body_size=None)
async def upload_results(
    request: Request[Any, Any, Any], services: Given, client_ip: ClientIp, assignment_id: FromPath[str]
) -> UploadAnswer:
    """A multipart form with the files of one simulation: the text `relativePath`, then parts named `files`.

    Nothing that was uploaded before is removed or replaced: the same path and name again is a new version.
    """
    fence = request.headers.get(FENCE)
    run_id = await services.db.read(lambda c: uploads.admit_results(c, assignment_id, fence, client_ip))
    form = await read_form(
        request.stream(),
        request.headers.get("content-type", ""),
        services.storage,
        file_limit=FILE_LIMIT,
        total_limit=FORM_LIMIT,
    )
    try:
        path, names = _checked_names(form)
        owner = f"artifacts/{run_id}" if run_id is not None else f"unattributed/{assignment_id}"
        stored = await _store(services, form, names, owner)
    finally:
        form.discard()
    moment = services.moment()
    try:
        if run_id is not None:
            add = partial(uploads.add_results, moment=moment, run_id=run_id, relative_path=path, files=stored)
            kept = await services.db.write(add)
        else:
            keep = partial(
                uploads.add_all_unattributed,
                moment=moment,
                assignment_id=assignment_id,
                ip=client_ip,
                relative_path=path,
                files=stored,
            )
            ids = await services.db.write(keep)
    except Exception:
        await services.storage.delete(*(file.key for file in stored))
        raise
    if run_id is None:
        files = [
            UploadedFile(id=upload_id, filename=file.filename, size=file.size, version=0)
            for upload_id, file in zip(ids, stored, strict=True)
        ]
    else:
        files = [
            UploadedFile(id=one.artifact_id, filename=file.filename, size=file.size, version=one.version)
            for (one, _), file in zip(kept, stored, strict=True)
        ]
        # The same bytes are the newest already.
        await services.storage.delete(
            *(file.key for (_, key), file in zip(kept, stored, strict=True) if key != file.key)
        )
    return UploadAnswer(success=True, files_uploaded=len(files), files=files)


async def _assignment(services: Services, assignment_id: str) -> AssignmentJson:
    now = services.clock()
    return assignment_json(await services.db.read(lambda c: get_assignment(c, now, assignment_id)))


def _checked_names(form: Form) -> tuple[str, list[str]]:
    """The path and the file names of a form, as they may be stored. Raises `Refused` 400."""
    if not form.files:
        raise Refused(400, "no files in the form", "send each file as a part named `files` with a filename")
    try:
        path = clean_relative_path(form.texts.get("relativePath", ""))
        return path, [clean_file_name(part.filename) for part in form.files]
    except PathProblem as problem:
        raise Refused(400, "the path or a file name cannot be stored", str(problem)) from None


async def _store(services: Services, form: Form, names: Sequence[str], owner: str) -> list[StoredFile]:
    stored = []
    for part, name in zip(form.files, names, strict=True):
        key = f"{owner}/{new_id()}"
        await services.storage.keep(part.spool, key)
        stored.append(StoredFile(name, part.spool.size, part.spool.sha256, key))
    return stored

"""The results of a super study: a tree, one file, all as a zip."""

import base64
from typing import Any

import msgspec
from litestar import get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from goliat_monitoring.server.context import Given
from goliat_monitoring.server.files import disposition, file_answer, opened
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.zipping import zip_pieces
from goliat_monitoring.store.read.results import find_artifact, shown_artifacts
from goliat_monitoring.store.read.runs import Artifact
from goliat_monitoring.store.read.studies import list_studies
from goliat_monitoring.study.paths import PathProblem, clean_relative_path
from goliat_monitoring.wire.errors import Refused

TEXT = (".json", ".log", ".txt", ".csv", ".html", ".htm", ".md", ".xml", ".yaml", ".yml")
# What fits into one JSON answer, bytes. Larger files are for `raw=true`.
INLINE_LIMIT = 32 * 2**20


class Node(msgspec.Struct, rename="camel", omit_defaults=True):
    """A file or directory. `size` in bytes; `url` is where a file lies."""

    name: str
    type: str
    path: str
    size: int | None = None
    children: list["Node"] | None = None
    sha256: str = ""
    version: int = 0
    url: str = ""


class TreeAnswer(msgspec.Struct, rename="camel", kw_only=True):
    tree: list[Node]
    total_files: int
    total_size: int


class FileAnswer(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    content: str
    filename: str
    size: int
    type: str
    encoding: str = ""
    content_type: str = ""


@get("/api/super-studies/{study_id:str}/results/list", tags=["Results"])
async def results_list(services: Given, study_id: FromPath[str]) -> TreeAnswer:
    """All files that count, as a tree: directories first, by name."""
    found = await _found(services, study_id)
    return TreeAnswer(tree=tree_of(found), total_files=len(found), total_size=sum(file.size for file in found))


@get("/api/super-studies/{study_id:str}/results/file", tags=["Results"])
async def results_file(
    services: Given, study_id: FromPath[str], path: FromQuery[str | None] = None, raw: FromQuery[bool] = False
) -> FileAnswer | Stream:
    """One file in JSON: text as it is, all else as base64. With `raw` its bytes, as a download."""
    file = await services.db.read(lambda c: find_artifact(c, study_id, _clean(path)))
    if raw:
        return await file_answer(services, file.storage_key, file.filename, file.size)
    if file.size > INLINE_LIMIT:
        raise Refused(413, "the file is too large for this answer", "ask with raw=true, or download the zip")
    content = await services.storage.read_all(file.storage_key)
    if file.filename.lower().endswith(TEXT):
        try:
            return FileAnswer(content=content.decode(), filename=file.filename, size=file.size, type="text")
        except UnicodeDecodeError:
            pass
    return FileAnswer(
        content=base64.b64encode(content).decode(),
        filename=file.filename,
        size=file.size,
        type="binary",
        encoding="base64",
        content_type="application/octet-stream",
    )


@get("/api/super-studies/{study_id:str}/results/download", tags=["Results"])
async def results_zip(services: Given, study_id: FromPath[str]) -> Stream:
    """All files that count, as a zip that is made while it is sent."""
    found = await _found(services, study_id)
    name = (await services.db.read(lambda c: list_studies(c, study_id=study_id)))[0].name
    headers = {"Content-Disposition": disposition(f"{name}_results.zip")}
    pieces = await opened(zip_pieces(services.storage, found))
    return Stream(pieces, media_type="application/zip", headers=headers)


def tree_of(files: list[Artifact]) -> list[Node]:
    """Files as nested directories."""
    root: dict[str, Any] = {}
    for file in files:
        folder = root
        for segment in [segment for segment in file.relative_path.split("/") if segment]:
            folder = folder.setdefault(segment + "/", {})
        folder[file.filename] = file
    return _nodes(root, "")


def _nodes(folder: dict[str, Any], prefix: str) -> list[Node]:
    nodes = []
    for key, value in folder.items():
        if isinstance(value, Artifact):
            nodes.append(
                Node(
                    name=key,
                    type="file",
                    path=prefix + key,
                    size=value.size,
                    sha256=value.sha256,
                    version=value.version,
                    url=f"/api/runs/{value.run_id}/artifacts/{value.id}",
                )
            )
        else:
            nodes.append(Node(key[:-1], "directory", prefix + key[:-1], children=_nodes(value, prefix + key)))
    return sorted(nodes, key=lambda node: (node.type != "directory", node.name))


async def _found(services: Services, study_id: str) -> list[Artifact]:
    found = await services.db.read(lambda c: shown_artifacts(c, study_id))
    if not found:
        raise Refused(404, "no results yet", "files appear here as machines upload them")
    return found


def _clean(path: str | None) -> str:
    if not path:
        raise Refused(400, "path is missing", "ask as ?path=folder/file")
    try:
        return clean_relative_path(path)
    except PathProblem as problem:
        raise Refused(400, "the path cannot be used", str(problem)) from None

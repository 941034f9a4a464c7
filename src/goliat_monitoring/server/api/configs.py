"""The config library: files that study configs extend, or are made from."""

from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, put
from litestar.params import FromPath

from goliat_monitoring.server.body import read_body
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.server.files import disposition
from goliat_monitoring.store import library
from goliat_monitoring.store.read.library import LibraryConfig, get_config, heads
from goliat_monitoring.wire.clock import iso


class ConfigHead(msgspec.Struct, rename="camel", kw_only=True):
    """A config of the library. `version`: 1, and one more with each replacement. `extends`: its parent, or "".
    `url`: the file itself."""

    name: str
    version: int
    size: int
    sha256: str
    extends: str
    stored_by: str
    created_at: str
    updated_at: str
    url: str


class ConfigAnswer(ConfigHead, rename="camel", kw_only=True):
    """With its content."""

    config: dict[str, Any]


@get("/api/configs", tags=["Config library"])
async def configs_list(services: Given) -> list[ConfigHead]:
    """All configs by name, without their content."""
    return [ConfigHead(**_head(it)) for it in await services.db.read(heads)]


@get("/api/configs/{name:path}", tags=["Config library"])
async def config_detail(services: Given, name: FromPath[str]) -> ConfigAnswer:
    """One config with its content."""
    found = await services.db.read(partial(get_config, name=name.lstrip("/")))
    return ConfigAnswer(**_head(found), config=msgspec.json.decode(found.body or "{}"))


@get("/api/config-files/{name:path}", tags=["Config library"])
async def config_file(services: Given, name: FromPath[str]) -> Response[bytes]:
    """One config as the file it was when it came."""
    found = await services.db.read(partial(get_config, name=name.lstrip("/")))
    headers = {"Content-Disposition": disposition(found.name.rpartition("/")[2]), "ETag": f'"{found.sha256}"'}
    return Response((found.body or "").encode(), media_type="application/json", headers=headers)


@put("/api/configs/{name:path}", status_code=200, tags=["Config library"])
async def store_config(
    request: Request[Any, Any, Any], services: Given, principal: Caller, name: FromPath[str]
) -> ConfigHead:
    """Store the body, a JSON object, under a file name as `extends` has it; what had that name is replaced. Studies
    that were made before stay as they are."""
    headers = {key.lower(): value for key, value in request.headers.items()}
    # A little more than may be stored, so that the refusal can name the file and its limit.
    body = await read_body(request.receive, headers, library.MAX_BYTES * 2)
    unit = partial(library.put, moment=services.moment(), name=name.lstrip("/"), body=body, actor=principal.id)
    return ConfigHead(**_head(await services.db.write(unit)))


@delete("/api/configs/{name:path}", status_code=200, tags=["Config library"])
async def remove_config(services: Given, principal: Caller, name: FromPath[str]) -> ConfigHead:
    """Take a config out of the library. Studies that were made with it stay as they are."""
    unit = partial(library.remove, moment=services.moment(), name=name.lstrip("/"), actor=principal.id)
    return ConfigHead(**_head(await services.db.write(unit)))


def _head(found: LibraryConfig) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "size": found.size,
        "sha256": found.sha256,
        "extends": found.extends,
        "stored_by": found.stored_by,
        "created_at": iso(found.created_at),
        "updated_at": iso(found.updated_at),
        "url": f"/api/config-files/{found.name}",
    }

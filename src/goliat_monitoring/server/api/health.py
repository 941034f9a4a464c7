"""What watches the server asks: is it alive, can it take work."""

from functools import partial

import msgspec
from litestar import get
from sqlalchemy.exc import SQLAlchemyError

from goliat_monitoring.server.context import Given
from goliat_monitoring.server.errors import refusal_of
from goliat_monitoring.store.health import look, prove
from goliat_monitoring.wire.errors import Refused


class Health(msgspec.Struct):
    status: str


class Ready(msgspec.Struct):
    """`checks`: database, files and disk, each `ok` or what is wrong; a disk that is low is no reason not to work."""

    status: str
    checks: dict[str, str]


@get("/healthz", tags=["Health"])
async def alive() -> Health:
    """The process answers."""
    return Health("alive")


@get("/readyz", tags=["Health"])
async def ready(services: Given) -> Ready:
    """The database takes a write and the file storage can be written; else 503. /api/server says more."""
    checks = {"disk": "low" if services.troubles.disk is not None else "ok"}
    problem: Refused | None = None
    try:
        # A transaction that changes nothing is no proof while the last one that did failed.
        troubled, now = services.db.trouble is not None, services.clock()
        await services.db.write(partial(prove, now=now) if troubled else look)
        checks["database"] = "ok"
    except (SQLAlchemyError, Refused) as found:
        problem = refusal_of(found, "GET", "/readyz")
        checks["database"] = problem.error
        if services.db.trouble is not None:
            problem = Refused(problem.status, problem.error, services.db.trouble.text)
    try:
        await services.storage.check()
        checks["files"] = "ok"
    except Refused as found:
        problem = problem or found
        checks["files"] = found.error
    if problem is not None:
        raise Refused(problem.status, problem.error, problem.details, {"checks": checks})
    return Ready("ready", checks)

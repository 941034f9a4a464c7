"""What watches the server asks: is it alive, can it take work."""

import msgspec
from litestar import get

from goliat_monitoring.server.context import Given


class Health(msgspec.Struct):
    status: str


@get("/healthz", tags=["Health"])
async def alive() -> Health:
    """The process answers."""
    return Health("alive")


@get("/readyz", tags=["Health"])
async def ready(services: Given) -> Health:
    """The database takes a write and the file storage can be written; else 503."""
    await services.db.write(lambda _connection: None)
    await services.storage.check()
    return Health("ready")

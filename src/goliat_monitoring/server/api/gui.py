"""What GOLIAT's window sends: GUI updates and pictures of its tabs."""

from functools import partial
from typing import Any

import msgspec
from litestar import Request, post
from litestar.params import JSONBody

from goliat_monitoring.server.api.worker_shapes import Success
from goliat_monitoring.server.context import ClientIp, Given
from goliat_monitoring.server.hot import hear_gui_update
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.uploads import SCREENSHOT_LIMIT, Form, read_form
from goliat_monitoring.store import uploads
from goliat_monitoring.store.ingest.bare import run_for_screenshots
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

# A dozen tabs of a very large window.
FORM_LIMIT = 8 * SCREENSHOT_LIMIT


class ScreenshotsJson(msgspec.Struct, rename="camel", kw_only=True):
    """`stored` is 0 while the machine has no run that they could belong to."""

    success: bool
    stored: int


@post("/api/gui-update", status_code=200, tags=["GOLIAT"])
async def gui_update(services: Given, client_ip: ClientIp, data: JSONBody[GuiUpdate]) -> Success:
    """One message of GOLIAT's window. Unknown types are kept. In the server a faster path answers this."""
    await hear_gui_update(services, data, client_ip)
    return Success(success=True)


@post("/api/gui-screenshots", status_code=200, tags=["GOLIAT"], request_max_body_size=None)
async def gui_screenshots(request: Request[Any, Any, Any], services: Given, client_ip: ClientIp) -> ScreenshotsJson:
    """A multipart form: the text `machineId`, then one JPEG a tab whose field name is the tab's title."""
    form = await read_form(
        request.stream(),
        request.headers.get("content-type", ""),
        services.storage,
        file_limit=SCREENSHOT_LIMIT,
        total_limit=FORM_LIMIT,
    )
    try:
        return ScreenshotsJson(success=True, stored=await _keep(services, client_ip, form))
    finally:
        form.discard()


async def _keep(services: Services, client_ip: str, form: Form) -> int:
    machine_id = form.texts.get("machineId", "")
    if not machine_id:
        raise Refused(400, "machineId is missing", "send the machine's id as the text field `machineId`")
    moment = services.moment()
    run_id = await services.db.write(partial(run_for_screenshots, moment=moment, machine_id=machine_id, ip=client_ip))
    if run_id is None:
        return 0
    kept: list[uploads.StoredFile] = []
    for part in form.files:
        key = f"screenshots/{run_id}/{new_id()}"
        await services.storage.keep(part.spool, key, durable=False)
        kept.append(uploads.StoredFile(part.name, part.spool.size, part.spool.sha256, key))
    await services.db.write(partial(uploads.add_screenshots, moment=moment, run_id=run_id, at=None, files=kept))
    return len(kept)

"""The log of a run: stretches of it, searches, its problems, and the whole of it as a file."""

from typing import Annotated

from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter

from goliat_monitoring.server.api.log_shapes import LogAnswer, log_answer
from goliat_monitoring.server.context import Given
from goliat_monitoring.store.read.logs import NEWEST, NO_LEVELS, read_log
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import LEVELS

MOST_LINES = 10_000


@get("/api/runs/{run_id:str}/log", tags=["Logs"])
async def run_log(
    services: Given,
    run_id: FromPath[str],
    after: Annotated[int, QueryParameter(ge=0)] = 0,
    before: Annotated[int | None, QueryParameter(ge=1)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LINES)] = NEWEST,
    tail: FromQuery[bool] = False,
    level: FromQuery[str] = "",
    raw: FromQuery[bool] = False,
) -> LogAnswer:
    """Lines after number `after`, in order. The newest ones of a bare client wait some seconds for their number: `n`
    is null. With `before` the last ones before that number, with `tail` the last of all. `level`: only lines of these
    levels, separated by commas. `raw` keeps terminal escapes.
    """
    levels, load = levels_of(level), services.storage.read_part
    page = await services.db.read(
        lambda c: read_log(
            c, run_id, load, after=after, before=before, limit=limit, newest=tail, levels=levels, raw=raw
        )
    )
    return log_answer(page)


def levels_of(text: str) -> frozenset[str]:
    """The levels named in a query. Raises `Refused` 400 for one that does not exist: it would find nothing."""
    levels = frozenset(part.strip() for part in text.split(",") if part.strip()) or NO_LEVELS
    if unknown := sorted(levels - LEVELS):
        raise Refused(400, "no such level", f"{', '.join(unknown)}: use one or more of {', '.join(sorted(LEVELS))}")
    return levels

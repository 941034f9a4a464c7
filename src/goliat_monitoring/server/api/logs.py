"""The log of a run: stretches of it, searches, levels, problems, and the whole of it as a file or as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from sqlalchemy import Connection

from goliat_monitoring.server.api.log_shapes import (
    EarlierAnswer,
    FoundAnswer,
    FoundStudyAnswer,
    LevelsAnswer,
    LogAnswer,
    ProblemsAnswer,
    Wish,
    counted_answer,
    earlier_answer,
    found_answer,
    found_study_answer,
    levels_answer,
    log_answer,
    problems_answer,
)
from goliat_monitoring.server.context import Given
from goliat_monitoring.server.files import disposition, opened
from goliat_monitoring.server.log_text import following, log_text, zipped
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.database import Unit
from goliat_monitoring.store.log.kinds import Kinds
from goliat_monitoring.store.log.search import Query
from goliat_monitoring.store.read.log_levels import list_parts, read_counted
from goliat_monitoring.store.read.log_search import search_back, search_log, search_study
from goliat_monitoring.store.read.logs import NEWEST, read_log
from goliat_monitoring.store.read.problems import first_error, list_problems, said
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import LEVELS, SOURCES

MOST_LINES = 10_000
# A search says what it has after so long, and waits at most so long for its turn, seconds.
SEARCH_S, TURN_S = 8.0, 10.0

T = TypeVar("T")
After = Annotated[int, QueryParameter(ge=0)]


@get("/api/runs/{run_id:str}/log", tags=["Logs"])
async def run_log(
    services: Given,
    run_id: FromPath[str],
    after: After = 0,
    before: Annotated[int | None, QueryParameter(ge=1)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_LINES)] = NEWEST,
    tail: FromQuery[bool] = False,
    level: FromQuery[str] = "",
    raw: FromQuery[bool] = False,
    skip: Annotated[int | None, QueryParameter(ge=0)] = None,
    count: FromQuery[bool] = False,
    clip: Annotated[int | None, QueryParameter(ge=1)] = None,
    q: FromQuery[str] = "",
    regex: FromQuery[bool] = False,
    case: FromQuery[bool] = False,
) -> LogAnswer:
    """Lines after number `after`, in order. The newest ones of a bare client wait some seconds for their number: `n`
    is null. With `before` the last ones before that number, with `tail` the last of all. `level`: only lines of these
    levels, separated by commas; sources among them leave only lines of these sources. `raw` keeps terminal escapes.

    `skip` passes over so many of these lines, in place of `after`. `count`: say how many there are, and how many
    come before. `clip`: at most so many characters of each text. `q`, as in a search: say where the lines match.
    """
    kinds, load = kinds_of(level), services.storage.read_part
    wish = Wish(clip, Query(q, regex=regex, ignore_case=not case) if q else None)
    if skip is not None and (after or before is not None or tail):
        raise Refused(400, "where to begin is told twice", "use `skip` without `after`, `before` and `tail`")

    def unit(connection: Connection) -> LogAnswer:
        if skip is None and not count:
            page = read_log(
                connection, run_id, load,
                after=after, before=before, limit=limit, newest=tail, kinds=kinds, raw=raw,
            )  # fmt: skip
            return log_answer(page, wish)
        counted = read_counted(
            connection, run_id, load,
            skip=skip, after=after, before=before, limit=limit, newest=tail, kinds=kinds, raw=raw,
        )  # fmt: skip
        return counted_answer(counted, wish)

    return await services.db.read(unit)


@get("/api/runs/{run_id:str}/log/levels", tags=["Logs"])
async def run_log_levels(
    services: Given, run_id: FromPath[str], parts: Annotated[int, QueryParameter(ge=1, le=1000)] = 300
) -> LevelsAnswer:
    """How many lines of each level the log holds, in about `parts` parts of it: where its warnings and errors are."""
    load = services.storage.read_part
    return await services.db.read(lambda c: levels_answer(list_parts(c, run_id, load, parts), said(c, run_id)))


@get("/api/runs/{run_id:str}/log/search", tags=["Logs"])
async def run_log_search(
    services: Given,
    run_id: FromPath[str],
    q: FromQuery[str],
    regex: FromQuery[bool] = False,
    case: FromQuery[bool] = False,
    first: Annotated[int, QueryParameter(name="from", ge=1)] = 1,
    after: After = 0,
    limit: Annotated[int, QueryParameter(ge=0, le=MOST_LINES)] = 100,
    raw: FromQuery[bool] = False,
) -> FoundAnswer:
    """Lines that hold the text `q`; with `regex` that match it (RE2), with `case` only in this case. The numbers of
    matching lines after `after`, and the first `limit` of them as lines. `from`: look only at this line and what
    follows; a search whose time was over says where to go on.
    """
    query, load = Query(q, regex=regex, ignore_case=not case), services.storage.read_part
    found = await _in_turn(
        services,
        lambda c: search_log(
            c, run_id, load, query, time.monotonic() + SEARCH_S, first=first, after=after, limit=limit, raw=raw
        ),
    )
    return found_answer(found)


@get("/api/runs/{run_id:str}/log/search/back", tags=["Logs"])
async def run_log_search_back(
    services: Given,
    run_id: FromPath[str],
    q: FromQuery[str],
    before: Annotated[int, QueryParameter(ge=1)],
    regex: FromQuery[bool] = False,
    case: FromQuery[bool] = False,
) -> EarlierAnswer:
    """The numbers of the last matching lines before line `before`, some 10,000: looks backwards from there."""
    query, load = Query(q, regex=regex, ignore_case=not case), services.storage.read_part
    found = await _in_turn(services, lambda c: search_back(c, run_id, load, query, time.monotonic() + SEARCH_S, before))
    return earlier_answer(found)


@get("/api/super-studies/{study_id:str}/log/search", tags=["Logs"])
async def study_log_search(
    services: Given,
    study_id: FromPath[str],
    q: FromQuery[str],
    regex: FromQuery[bool] = False,
    case: FromQuery[bool] = False,
    from_run: Annotated[str | None, QueryParameter(name="fromRun")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
    lines: Annotated[int, QueryParameter(ge=0, le=100)] = 5,
) -> FoundStudyAnswer:
    """Runs of a study whose logs hold `q`, newest first, each with its first `lines` matching lines. It ends early
    when its time is over, and says how far it came; `fromRun` goes on.
    """
    query, load = Query(q, regex=regex, ignore_case=not case), services.storage.read_part
    found = await _in_turn(
        services,
        lambda c: search_study(
            c, study_id, load, query, time.monotonic() + SEARCH_S, from_run=from_run, limit=limit, lines_a_run=lines
        ),
    )
    return found_study_answer(found)


@get("/api/runs/{run_id:str}/log/problems", tags=["Logs"])
async def run_log_problems(services: Given, run_id: FromPath[str]) -> ProblemsAnswer:
    """Warnings and errors grouped by their text without its numbers, and the number of the first error's line."""
    found = await services.db.read(lambda c: (list_problems(c, run_id), first_error(c, run_id)))
    return problems_answer(*found)


@get("/api/runs/{run_id:str}/log.txt", tags=["Logs"])
async def run_log_text(
    services: Given,
    run_id: FromPath[str],
    raw: FromQuery[bool] = False,
    expand: FromQuery[bool] = False,
    follow: FromQuery[bool] = False,
    after: After = 0,
    last: Annotated[int | None, QueryParameter(ge=0)] = None,
) -> Stream:
    """The whole log as a text file. A repeated line says how often it came, with `expand` it is written each time.

    With `follow` the answer goes on with each new line until the run is over; it begins after line `after`, or with
    the `last` lines.
    """
    if not follow:
        if after or last is not None:
            raise Refused(400, "a file holds the whole log", "use `after` and `last` with follow=true, or /log")
        return await _file(log_text(services, run_id, raw=raw, expand=expand), f"run-{run_id}.log", "text/plain")
    if expand:
        raise Refused(400, "a log that is followed cannot be expanded", "use one of follow and expand")
    if services.hub.crowded:
        raise Refused(503, "too many live pages are open", "close some, or read without follow")
    pieces = await opened(following(services, run_id, after=after, newest=last, raw=raw))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(pieces, media_type="text/plain; charset=utf-8", headers=headers)


@get("/api/runs/{run_id:str}/log.gz", tags=["Logs"])
async def run_log_gz(
    services: Given, run_id: FromPath[str], raw: FromQuery[bool] = False, expand: FromQuery[bool] = False
) -> Stream:
    """The same file, packed."""
    pieces = zipped(log_text(services, run_id, raw=raw, expand=expand))
    return await _file(pieces, f"run-{run_id}.log.gz", "application/gzip")


def kinds_of(text: str) -> Kinds:
    """The levels and sources named in a query. Raises `Refused` 400 for a name that is neither."""
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    if unknown := sorted(names - LEVELS - SOURCES):
        known = f"{', '.join(sorted(LEVELS))}, or the sources {', '.join(sorted(SOURCES))}"
        raise Refused(400, "no such level", f"{', '.join(unknown)}: use one or more of {known}")
    return Kinds(names & LEVELS, names & SOURCES)


async def _file(pieces: AsyncIterator[bytes], name: str, media_type: str) -> Stream:
    headers = {"Content-Disposition": disposition(name), "Cache-Control": "no-store"}
    return Stream(await opened(pieces), media_type=media_type, headers=headers)


async def _in_turn(services: Services, unit: Unit[T]) -> T:
    """Run a search when there is room for it, so that all others find a reader. Raises `Refused` 503 when there is
    none for long.
    """
    try:
        async with asyncio.timeout(TURN_S):
            await services.searches.acquire()
    except TimeoutError:
        raise Refused(503, "too many searches run at once", "try again in a few seconds") from None
    try:
        return await services.db.read(unit)
    finally:
        services.searches.release()

"""Claims that never spoke and machines that began to speak meanwhile: which may be one, and a person's word for it."""

from functools import partial

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody

from goliat_monitoring.fleet.strangers import Offer
from goliat_monitoring.server.api.run_shapes import RunJson, run_json
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.store import links
from goliat_monitoring.store.read.runs import run_summary
from goliat_monitoring.store.read.strangers import offers
from goliat_monitoring.wire.clock import iso


class BelongsTo(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The run that speaks."""

    run_id: str


class OfferJson(msgspec.Struct, rename="camel", kw_only=True):
    """`runId` was claimed by `workerName` and never spoke; `strangerRunId` began on `strangerName` meanwhile and
    belongs to no assignment. `hints`: what speaks for both being one."""

    run_id: str
    worker_id: str
    worker_name: str
    super_study_id: str
    super_study_name: str
    index: int
    claimed_at: str
    stranger_run_id: str
    stranger_worker_id: str
    stranger_name: str
    began_at: str
    hints: list[str]


@get("/api/strangers", tags=["Runs"])
async def list_offers(services: Given) -> list[OfferJson]:
    """Claims that never spoke, each with a machine that may be its own under another address, most likely first."""
    now = services.clock()
    return [_offer_json(it) for it in await services.db.read(partial(offers, now=now))]


@post("/api/runs/{run_id:str}/belongs-to", status_code=200, tags=["Runs"])
async def belongs_to(services: Given, principal: Caller, run_id: FromPath[str], data: JSONBody[BelongsTo]) -> RunJson:
    """Say that a claim which never spoke is the run of another machine. That run, which is answered, takes over its
    assignment as the next attempt; the silent one is lost."""
    moment = services.moment()
    await services.db.write(
        partial(links.belongs_to, moment=moment, silent_id=run_id, stranger_id=data.run_id, actor=principal.id)
    )
    return run_json(await services.db.read(partial(run_summary, run_id=data.run_id)))


def _offer_json(offer: Offer) -> OfferJson:
    claim, stranger = offer.silent, offer.stranger
    return OfferJson(
        run_id=claim.run_id,
        worker_id=claim.worker_id,
        worker_name=claim.worker_name,
        super_study_id=claim.study_id,
        super_study_name=claim.study_name,
        index=claim.index,
        claimed_at=iso(claim.claimed_at),
        stranger_run_id=stranger.run_id,
        stranger_worker_id=stranger.worker_id,
        stranger_name=stranger.worker_name,
        began_at=iso(stranger.began_at),
        hints=list(offer.hints),
    )

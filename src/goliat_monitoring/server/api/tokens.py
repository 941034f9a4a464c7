"""Tokens: for the calls of people and scripts, and for machines to enrol (`/api/enrolment-tokens`)."""

from functools import partial

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from goliat_monitoring.server.api.worker_shapes import Success
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.store import credentials
from goliat_monitoring.store.read.credentials import list_agents, list_tokens
from goliat_monitoring.wire.clock import SECOND, iso, iso_or_none
from goliat_monitoring.wire.errors import Refused

LONGEST_LIFETIME_D = 3650


class NewApiToken(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """`label`: who or what uses it. `role`: a viewer reads, an operator runs studies and workers, an admin also
    changes tokens and settings. `days`: how long it is valid; left out, until it is revoked."""

    label: str
    role: str = "operator"
    days: float | None = None


class ApiTokenAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """`token` is shown this once."""

    id: str
    token: str
    expires_at: str | None


class TokenJson(msgspec.Struct, rename="camel", kw_only=True):
    """A token without its secret. `kind`: api, enrolment or agent; `state`: valid, used, expired or revoked."""

    id: str
    kind: str
    role: str
    label: str
    state: str
    created_by: str
    created_at: str
    used_at: str | None
    expires_at: str | None
    worker_id: str | None


@get("/api/tokens", tags=["Tokens"])
async def tokens_list(services: Given) -> list[TokenJson]:
    """The newest 200 API and enrolment tokens, then the valid credentials of the 200 agents heard last."""
    now = services.clock()
    found = await services.db.read(partial(list_tokens, now=now))
    agents, _ = await services.db.read(partial(list_agents, now=now))
    return [
        TokenJson(
            id=it.id,
            kind=it.kind,
            role=it.role,
            label=it.label or it.worker_name,
            state=it.state,
            created_by=it.created_by,
            created_at=iso(it.created_at),
            used_at=iso_or_none(it.used_at),
            expires_at=iso_or_none(it.expires_at),
            worker_id=it.worker_id,
        )
        for it in [*found, *agents]
    ]


@post("/api/tokens", status_code=200, tags=["Tokens"])
async def make_api_token(services: Given, principal: Caller, data: JSONBody[NewApiToken]) -> ApiTokenAnswer:
    """Make a token for the calls of a person or a script."""
    if data.days is not None and not 0 < data.days <= LONGEST_LIFETIME_D:
        raise Refused(400, "bad lifetime", f"days must lie between 0 and {LONGEST_LIFETIME_D}; none is until revoked")
    moment = services.moment()
    lifetime = None if data.days is None else round(data.days * 86_400 * SECOND)
    unit = partial(
        credentials.make_api, moment=moment, label=data.label, role=data.role, lifetime=lifetime, actor=principal.id
    )
    identity, token = await services.db.write(unit)
    return ApiTokenAnswer(
        id=identity, token=token, expires_at=iso_or_none(None if lifetime is None else moment.now + lifetime)
    )


@delete("/api/tokens/{credential_id:str}", status_code=200, tags=["Tokens"])
async def revoke_token(services: Given, principal: Caller, credential_id: FromPath[str]) -> Success:
    """Revoke a token or an agent's credential. It works 2 seconds more at most."""
    unit = partial(credentials.revoke, moment=services.moment(), credential_id=credential_id, actor=principal.id)
    await services.db.write(unit)
    return Success(success=True, message="it is worthless within 2 seconds")

"""Settings that can be changed while the server runs: how long things are kept, and what machines cost."""

from functools import partial
from typing import Annotated, Any

import msgspec
from litestar import get, patch, put
from litestar.params import JSONBody
from sqlalchemy import Connection

from goliat_monitoring.server import kept
from goliat_monitoring.server.context import Caller, Given
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.settings import Settings
from goliat_monitoring.store import stored
from goliat_monitoring.store.read.prices import currency, gpu_prices
from goliat_monitoring.store.read.stored import stored_settings
from goliat_monitoring.wire.errors import Refused

Code = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]


class SpanJson(msgspec.Struct, rename="camel", kw_only=True):
    """How long something is kept, 0 for ever. `value`: in force. `environment`: what counts without `stored`."""

    name: str
    unit: str
    what: str
    value: float
    environment: float
    stored: bool
    variable: str


class SettingsJson(msgspec.Struct, rename="camel", kw_only=True):
    """`gpuPrices`: by part of a GPU's name, an hour's price of workers that have none of their own."""

    retention: list[SpanJson]
    currency: str
    gpu_prices: dict[str, float]


class SettingsChange(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to change. `retention`: by name, null for what the environment says. `currency`: three letters."""

    retention: dict[str, float | None] = {}
    currency: Code | None = None


class GpuPrice(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """`gpu`: part of a GPU's name, word for word. `pricePerHour`: null, or left out, forgets it."""

    gpu: str
    price_per_hour: float | None = None


@get("/api/settings", tags=["Settings"])
async def settings_now(services: Given) -> SettingsJson:
    """The settings in force."""
    return await _now(services)


@patch("/api/settings", tags=["Settings"])
async def change_settings(services: Given, principal: Caller, data: JSONBody[SettingsChange]) -> SettingsJson:
    """Change settings at run time. They hold from the next pass over what is old on, also after a restart."""
    if not data.retention and data.currency is None:
        raise Refused(400, "nothing to change", "send `retention` or `currency`")
    unknown = data.retention.keys() - kept.NAMES
    if unknown:
        raise Refused(400, "unknown setting", f"{min(unknown)!r:.60}: use one of {', '.join(sorted(kept.NAMES))}")
    # Raises for a value that cannot be, whatever else is in force.
    kept.over(services.settings, {name: value for name, value in data.retention.items() if value is not None})
    values: dict[str, Any] = dict(data.retention)
    if data.currency is not None:
        values["currency"] = data.currency
    unit = partial(
        stored.change,
        moment=services.moment(),
        values=values,
        environment=kept.environment(services.settings),
        actor=principal.id,
    )
    await services.db.write(unit)
    return await _now(services)


@put("/api/settings/gpu-prices", status_code=200, tags=["Settings"])
async def price_gpu(services: Given, principal: Caller, data: JSONBody[GpuPrice]) -> SettingsJson:
    """Say what an hour of workers with such a GPU costs, or forget it."""
    unit = partial(
        stored.set_gpu_price, moment=services.moment(), gpu=data.gpu, price=data.price_per_hour, actor=principal.id
    )
    await services.db.write(unit)
    return await _now(services)


async def _now(services: Services) -> SettingsJson:
    return await services.db.read(partial(_settings_json, settings=services.settings))


def _settings_json(connection: Connection, settings: Settings) -> SettingsJson:
    known = stored_settings(connection)
    now = kept.over(settings, known)
    return SettingsJson(
        retention=[
            SpanJson(
                name=span.name,
                unit=span.unit,
                what=span.what,
                value=getattr(now, span.name),
                environment=getattr(settings, span.name),
                stored=span.name in known,
                variable=span.variable,
            )
            for span in kept.SPANS
        ],
        currency=currency(connection),
        gpu_prices=gpu_prices(connection),
    )

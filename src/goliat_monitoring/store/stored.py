"""Settings and prices that people change while the server runs. Each change is an event."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from goliat_monitoring.store import tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.prices import gpu_prices
from goliat_monitoring.store.read.stored import stored_settings
from goliat_monitoring.store.workers import MOST_PER_HOUR
from goliat_monitoring.wire.errors import Refused

LONGEST_GPU = 100
MOST_GPUS = 200


def change(
    connection: Connection,
    moment: Moment,
    *,
    values: Mapping[str, Any],
    environment: Mapping[str, float],
    actor: str,
) -> None:
    """Store settings; None forgets one, so that `environment`, what counts without, does so again.

    Each value alone was checked by the caller. Raises `Refused` 400 when they do not fit those in force.
    """
    _check_samples(environment, {**stored_settings(connection), **values})
    table = tables.stored_settings
    for name, value in values.items():
        old = connection.execute(select(table.c.value).where(table.c.name == name)).scalar_one_or_none()
        text = None if value is None else msgspec.json.encode(value).decode()
        if text == old:
            continue
        connection.execute(delete(table).where(table.c.name == name))
        if text is not None:
            connection.execute(insert(table).values(name=name, value=text, stored_by=actor, updated_at=moment.now))
        was = None if old is None else msgspec.json.decode(old)
        record(connection, moment.now, "setting_changed", actor=actor, name=name, was=was, value=value)
    # A currency stands beside prices of workers and costs of studies.
    touch(connection, "settings", "fleet", "studies")


def set_gpu_price(connection: Connection, moment: Moment, gpu: str, price: float | None, actor: str) -> None:
    """What an hour of workers with such a GPU costs; None forgets it. Raises `Refused` 400, 404 or 409."""
    gpu, table = " ".join(gpu.split()), tables.gpu_prices
    if not gpu or len(gpu) > LONGEST_GPU or not gpu.isprintable():
        raise Refused(400, "no GPU", f"write part of a GPU's name, such as RTX 4090, in at most {LONGEST_GPU} letters")
    if price is not None and not 0 <= price < MOST_PER_HOUR:
        raise Refused(400, "no price", f"{price}: an amount an hour, from 0 to {MOST_PER_HOUR}, is needed")
    known = gpu_prices(connection)
    gpu = next((it for it in known if it.casefold() == gpu.casefold()), gpu)
    if price is None:
        if gpu not in known:
            raise Refused(404, "this GPU has no price", gpu)
        connection.execute(delete(table).where(table.c.gpu == gpu))
    elif gpu in known:
        connection.execute(update(table).where(table.c.gpu == gpu).values(price_per_hour=price, updated_at=moment.now))
    elif len(known) >= MOST_GPUS:
        raise Refused(409, "too many prices", f"at most {MOST_GPUS} GPUs have one; forget some first")
    else:
        connection.execute(insert(table).values(gpu=gpu, price_per_hour=price, updated_at=moment.now))
    record(connection, moment.now, "gpu_priced", actor=actor, gpu=gpu, was=known.get(gpu), price=price)
    touch(connection, "settings", "fleet", "studies")


def _check_samples(environment: Mapping[str, float], stored: Mapping[str, Any]) -> None:
    """Samples are rolled up from fine to coarse: the coarser, the longer they are kept. 0 is for ever."""
    wanted = {**environment, **{name: value for name, value in stored.items() if value is not None}}
    longest = (("keep_raw_samples_h", 24), ("keep_minute_samples_d", 1), ("keep_samples_d", 1))
    days = [(name, float(wanted[name]) / per or float("inf")) for name, per in longest]
    for (fine, short), (coarse, long) in pairwise(days):
        if short > long:
            raise Refused(400, "samples would be kept finer for longer", f"{fine} must not be more than {coarse}")

"""What workers cost, as people said: each by itself, or by its GPU."""

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet.prices import price_of
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.stored import stored_settings
from goliat_monitoring.wire.agent import Facts

DEFAULT_CURRENCY = "EUR"


def gpu_prices(connection: Connection) -> dict[str, float]:
    """An hour's price by part of a GPU's name."""
    table = tables.gpu_prices
    return {row.gpu: row.price_per_hour for row in connection.execute(select(table).order_by(table.c.gpu))}


def worker_prices(connection: Connection) -> dict[str, float]:
    """An hour's price by worker; those without one are left out."""
    table, by_gpu, found = tables.workers, gpu_prices(connection), {}
    for row in connection.execute(select(table.c.id, table.c.facts, table.c.price_per_hour)):
        if row.price_per_hour is not None:
            found[row.id] = row.price_per_hour
        elif by_gpu:
            price = price_of(None, msgspec.json.decode(row.facts, type=Facts).gpu_name, by_gpu)
            if price is not None:
                found[row.id] = price
    return found


def currency(connection: Connection) -> str:
    """The currency of all prices, three letters."""
    return str(stored_settings(connection).get("currency", DEFAULT_CURRENCY))

"""The list of workers, however much their runs have written."""

import time
from statistics import median, quantiles

import httpx

from bench.options import Options
from bench.product import product
from bench.rows import Row, at_most, whole
from bench.seed import assignments, database, fill, fleet

WORKERS = 1000
BAR_MS = 30


def workers(options: Options) -> list[Row]:
    """GET /api/workers, one after the other on one connection."""
    count, each = options.size(WORKERS, 50), options.size(100_000, 1000)
    with options.scratch() as folder:
        data = folder / "data"
        began = time.monotonic()
        with database(data) as db:
            assignments(db, count)
            for number, seat in enumerate(fleet(db, count)):
                fill(db, seat.run_id, number, each, same=True)
                if number % 50 == 0:
                    options.say(f"  {number} of {count} workers have their {whole(each)} lines")
        seeded = time.monotonic() - began
        on_disk = sum(path.stat().st_size for path in data.iterdir() if path.is_file())
        with product(data) as server, server.client() as http:
            times, size = ask(http, "/api/workers", rounds=options.rounds * 10)
    typical = median(times)
    return [
        Row(
            what=f"GET /api/workers, {whole(count)} workers of {whole(each)} lines each",
            verdict=at_most(typical, BAR_MS),
            ours=f"{typical:.1f} ms",
            bar=f"≤ {BAR_MS} ms",
            note=f"median of {len(times)} calls, 95 % under {quantiles(times, n=20)[-1]:.1f} ms; answer of "
            f"{size / 1e3:.0f} kB; database of {on_disk / 1e9:.1f} GB, written in {seeded:.0f} s",
        )
    ]


def ask(http: httpx.Client, path: str, rounds: int) -> tuple[list[float], int]:
    """Milliseconds of each call until its whole body is here, and the size of that. The first call is not counted."""
    times, size = [], 0
    for number in range(rounds + 1):
        began = time.perf_counter()
        answer = http.get(path)
        took = (time.perf_counter() - began) * 1000
        answer.raise_for_status()
        size = len(answer.content)
        if number:
            times.append(took)
    return times, size

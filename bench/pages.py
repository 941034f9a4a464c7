"""What a page costs the server, beside a page that shows nothing, and whether it grows with what runs have written."""

import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from statistics import median

import httpx

from bench.options import Options
from bench.product import product
from bench.rows import Row, at_most, whole
from bench.seed import assignments, database, fill, fleet, settle

WORKERS, LOUD, SAMPLES = 1000, 50, 15
# As many as a page of a run shows at once.
FEW = 1000
# Noise of a median on a shared machine; growth by the line would be a multiple.
BAR = 1.25
EMPTY = "/runs/there-is-no-such-run"
_names = count()


def pages(options: Options) -> list[Row]:
    """Each page with runs of few and of many lines, two servers taking turns."""
    samples, lines = options.size(SAMPLES, 3), options.size(50_000, 3000)
    with options.scratch() as folder:
        few_paths = _seed(folder / "few", options, FEW)
        many_paths = _seed(folder / "many", options, lines)
        with (
            product(folder / "few", trusted_hosts="*") as few,
            product(folder / "many", trusted_hosts="*") as many,
            few.client() as few_http,
            many.client() as many_http,
        ):
            bare = median(_ask(few_http, EMPTY)[0] for _ in range(samples))
            return [
                _row(name, lines, bare, list(_turns(samples, (few_http, path), (many_http, many_paths[name]))))
                for name, path in few_paths.items()
            ]


def _seed(data_dir: Path, options: Options, lines: int) -> Mapping[str, str]:
    """1,000 agents at work, the first 50 of which wrote `lines` each; the addresses of the pages."""
    workers = options.size(WORKERS, 60)
    options.say(f"  preparing {whole(workers)} workers, {LOUD} of them with {whole(lines)} lines")
    with database(data_dir) as db:
        assignments(db, workers + 200)
        seats = fleet(db, workers)
        for number, seat in enumerate(seats[:LOUD]):
            fill(db, seat.run_id, number, lines)
        settle(db)
        study = db.read_now(lambda c: c.exec_driver_sql("SELECT id FROM super_studies").scalars().first())
    first = seats[0]
    return {
        "overview": "/",
        "workers": "/workers",
        "worker": f"/workers/{first.worker_id}",
        "studies": "/studies",
        "study": f"/studies/{study}",
        "run": f"/runs/{first.run_id}",
    }


def _turns(samples: int, *pages: tuple[httpx.Client, str]) -> Iterator[list[tuple[float, int]]]:
    for _ in range(samples):
        yield [_ask(http, path) for http, path in pages]


def _ask(http: httpx.Client, path: str) -> tuple[float, int]:
    """Milliseconds until the whole page is here, and its bytes. Under a name of its own: not out of the cache."""
    began = time.perf_counter()
    answer = http.get(path, headers={"Host": f"n{next(_names)}.test"})
    took = (time.perf_counter() - began) * 1000
    if path != EMPTY:
        answer.raise_for_status()
    return took, len(answer.content)


def _row(name: str, lines: int, bare: float, asked: list[list[tuple[float, int]]]) -> Row:
    few, many = (median(turn[side][0] for turn in asked) for side in (0, 1))
    size = asked[-1][1][1]
    return Row(
        what=f"Page {name}, runs of {whole(lines)} lines against {whole(FEW)}",
        verdict=at_most(many / few, BAR),
        ours=f"{many:.1f} ms",
        limit=f"{whole(FEW)} lines {few:.1f} ms, a page without content {bare:.1f} ms",
        ratio=f"{many / few:.2f}",
        bar=f"≤ {BAR:.2f}",
        note=f"medians of {len(asked)} calls, each rendered anew; {size / 1e3:.0f} kB",
    )

"""The cost of a message must not grow with what its run, its worker or its study already holds."""

import shutil
from collections.abc import Callable
from pathlib import Path

from bench.ingest import Beside, loaded
from bench.options import Options
from bench.product import product
from bench.rounds import Turns, take_turns
from bench.rows import Row, at_least, spread, whole
from bench.seed import assignments, bare_run, database, fill, fleet
from bench.wrk import THREADS, Load, gui_updates

CLIENTS = 100
BAR = 0.90
MACHINES = 100


def long_run(options: Options) -> list[Row]:
    """Two bare clients, one for each thread of the generator, with an empty run and with one of a million lines."""
    each = options.size(1_000_000, 20_000)

    def seed(data: Path) -> None:
        with database(data) as db:
            for number in range(THREADS):
                run_id = bare_run(db, f"10.0.0.{number + 1}")
                fill(db, run_id, number, each)

    return _compare(options, seed, f"Log batches to runs of {whole(each)} lines, against empty ones", THREADS)


def big_database(options: Options) -> list[Row]:
    """100 bare clients, in an empty database and beside 100,000 assignments and 1,000 workers."""
    parts, workers = options.size(100_000, 500), options.size(1000, 50)

    def seed(data: Path) -> None:
        with database(data) as db:
            assignments(db, parts)
            fleet(db, workers)

    what = f"Log batches beside {whole(parts)} assignments and {whole(workers)} workers, against an empty database"
    return _compare(options, seed, what, MACHINES)


def _compare(options: Options, seed: Callable[[Path], None], what: str, machines: int) -> list[Row]:
    empty, full = Beside(), Beside()

    def turn(beside: Beside, prepared: Path | None) -> Load:
        def load(port: int, seconds: float, first: int) -> Load:
            return gui_updates(port, seconds, connections=CLIENTS, machines=machines, first=first)

        with options.scratch() as folder:
            if prepared is not None:
                shutil.copytree(prepared, folder / "data")
            with product(folder / "data") as server:
                return loaded(server, options.seconds, beside, load, CLIENTS)

    with options.scratch() as folder:
        prepared = folder / "prepared"
        options.say(f"  preparing: {what}")
        seed(prepared)
        turns = take_turns(
            options, {"empty": lambda _number: turn(empty, None), "full": lambda _number: turn(full, prepared)}
        )
    return [_row(what, turns, empty, full)]


def _row(what: str, turns: Turns, empty: Beside, full: Beside) -> Row:
    ratio = turns.ratio("full", "empty")
    return Row(
        what=what,
        verdict=at_least(ratio, BAR),
        ours=f"{whole(turns.rate('full'))} requests/s",
        limit=f"empty {whole(turns.rate('empty'))} requests/s",
        ratio=f"{ratio:.2f}",
        bar=f"≥ {BAR:.2f}",
        note=f"rounds {spread(turns.rates('full'))}, empty {spread(turns.rates('empty'))}; {full.note()}; "
        f"empty: {empty.note()}",
    )

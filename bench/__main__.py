"""`python -m bench [NAME ...]`: measure, print one table, write docs/benchmarks.md."""

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import agents, claims, fleet_list, growth, ingest, latency, live, log_store, log_viewer, pages, soak
from bench.machine import commit, facts
from bench.options import Options, on_disk
from bench.processes import Others
from bench.report import Measured, print_table, write
from bench.rows import NoFigure, Row, Verdict, not_measured
from bench.wrk import Missing

MEASUREMENTS: dict[str, Callable[[Options], list[Row]]] = {
    "ingest-sqlite": ingest.sqlite,
    "ingest-postgresql": ingest.postgresql,
    "agents-sqlite": agents.sqlite,
    "claims-sqlite": claims.sqlite,
    "claims-postgresql": claims.postgresql,
    "p99": latency.p99,
    "long-run": growth.long_run,
    "big-database": growth.big_database,
    "log-store": log_store.log_store,
    "log-viewer": log_viewer.log_viewer,
    "live": live.live,
    "workers": fleet_list.workers,
    "pages": pages.pages,
    "soak": soak.soak,
}
# Where the output is no terminal the table keeps a width at which it can be read.
console = Console(width=None if sys.stdout.isatty() else 150)


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which of: {', '.join(MEASUREMENTS)}. All by default.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="How often limit and server take turns.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, max=600, help="Length of each load.")] = 6.0,
    minutes: Annotated[float, typer.Option(min=0.5, max=24 * 60, help="Length of the soak.")] = 60.0,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small and short, to see that it runs. Writes nothing.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Where to write; must be on a disk.")] = None,
) -> None:
    """How fast the server is, as ratios against limits measured in the same run."""
    unknown = [name for name in names or () if name not in MEASUREMENTS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(MEASUREMENTS)}")
    place = folder or Path(tempfile.gettempdir())
    if not on_disk(place):
        raise typer.BadParameter(
            f"{place} is kept in memory: a commit there proves nothing; name another with --folder"
        )
    if quick:
        rounds, seconds, minutes = 1, 2.0, 0.5
    options = Options(rounds, seconds, minutes, quick, place, lambda text: console.print(text, highlight=False))
    measured = [_measure(name, options) for name in names or MEASUREMENTS]
    print_table(console, measured)
    if quick:
        console.print("These figures of a quick run mean nothing and are not written down.")
    else:
        write(facts(place), measured, list(MEASUREMENTS))
        console.print("Written to docs/benchmarks.md.")
    if any(row.verdict not in (Verdict.PASS, Verdict.SHOWN) for one in measured for row in one.rows):
        sys.exit(1)


def _measure(name: str, options: Options) -> Measured:
    options.say(name)
    began, machine = time.monotonic(), Others()
    try:
        rows = MEASUREMENTS[name](options)
    except* NoFigure as problems:
        rows = [not_measured(name, str(problem)) for problem in problems.exceptions]
    others = machine.cores()
    options.say(f"  other programs used {others:.2f} cores meanwhile")
    return Measured(
        name=name,
        rows=rows,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=commit(),
        rounds=options.rounds,
        seconds=options.seconds,
        took_s=time.monotonic() - began,
        others=others,
    )


def _stopped(number: int, _frame: object) -> None:
    """End by way of every block, so that each ends the processes it started."""
    sys.exit(128 + number)


if __name__ == "__main__":
    for wish in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(wish, _stopped)
    try:
        typer.run(main)
    except Missing as missing:
        sys.exit(str(missing))

"""`make chaos`: the long form. Loopback only; ends by itself; exit code 1 where anything is wrong."""

import signal
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.chaos.storm import SHORT, Plan, Storm
from tests.chaos.verdict import judge


def main(
    short: Annotated[bool, typer.Option("--short", help="30 agents, 200 assignments, 40 s, as in the tests.")] = False,
    seconds: Annotated[float | None, typer.Option(min=5, max=3600, help="How long the storm lasts.")] = None,
    database_url: Annotated[str, typer.Option(help="An empty PostgreSQL database; SQLite without.")] = "",
    seed: Annotated[int, typer.Option(help="Of the dice. Times still differ, so no two storms are the same.")] = 1,
) -> None:
    """Kill agents, server and connections at random while studies are worked off; then check everything."""
    console, plan = Console(), replace(SHORT if short else Plan(), seed=seed)
    plan = plan if seconds is None else replace(plan, seconds=seconds)
    console.print(
        f"{plan.agents} simulated agents, {plan.together} in a process: light clients of the real protocol, no GOLIAT. "
        f"{plan.assignments} assignments, {plan.seconds:.0f} s of kills, {plan.patience:.0f} s of rest at most."
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="goliat-chaos-", ignore_cleanup_errors=True) as folder:
        storm = Storm(plan, Path(folder), lambda text: console.print(text, highlight=False), database_url)
        server = storm.run()
        try:
            worked = time.monotonic() - began
            console.print("  looking at what is there")
            with server.client() as http:
                verdict = judge(http, Path(folder) / "agents", plan.assignments)
        finally:
            server.close()
    table = Table("What", "Count", title=f"{worked:.0f} s of work, {time.monotonic() - began:.0f} s in all")
    for what, count in {**storm.done, **verdict.seen, "faults": len(verdict.faults)}.items():
        table.add_row(what, f"{count:,}")
    console.print(table)
    for fault in verdict.faults[:50]:
        console.print(f"[red]{fault}[/red]")
    sys.exit(bool(verdict.faults))


if __name__ == "__main__":
    # Whoever stops it stops what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    typer.run(main)

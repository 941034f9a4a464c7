"""Acknowledged batches of agents: 100 agents, each with a run and a stream of its own, ten lines each time."""

from pathlib import Path

from bench.ingest import Beside, loaded
from bench.options import Options
from bench.product import product
from bench.rounds import against_echo, ceiling_row, echo_row
from bench.rows import Row
from bench.seed import Seat, assignments, database, fleet
from bench.wrk import Load, wrk

AGENTS = 100
BAR = 0.50


def sqlite(options: Options) -> list[Row]:
    """A new connection each time, so that the echo is the same as that of bare clients."""
    beside = Beside()
    with options.scratch() as folder:
        # What answers without looking needs credentials of the same length.
        seats = [Seat("w" * 36, "s" * 36, "c" * 43, f"{number:036d}", "f" * 43) for number in range(AGENTS)]
        write_seats(folder / "nobody", seats)
        turns = against_echo(
            options,
            lambda port, seconds: batches(port, seconds, folder / "nobody", 0),
            {"ours": lambda _number: _one_round(options, beside)},
        )
    row = echo_row("Agents' batches, SQLite", turns, "ours", BAR, beside.note())
    return [ceiling_row("Agents' batches", turns), row]


def batches(port: int, seconds: float, seats: Path, first: int) -> Load:
    """A load of batches; one thread and one connection for each agent, because a stream has one order."""
    url = f"http://127.0.0.1:{port}/"
    arguments: list[str | int] = [str(seats), f"from-{first}", "close", first]
    return wrk(url, "agent_batch", arguments, connections=AGENTS, seconds=seconds, threads=AGENTS)


def write_seats(path: Path, seats: list[Seat]) -> None:
    """What the load generator's script reads: a line for each agent."""
    rows = (f"/api/agent/v1/runs/{seat.run_id}/batch {seat.credential} {seat.fence}\n" for seat in seats)
    path.write_text("".join(rows), "utf-8")


def _one_round(options: Options, beside: Beside) -> Load:
    with options.scratch() as folder:
        with database(folder / "data") as db:
            assignments(db, AGENTS)
            write_seats(folder / "seats", fleet(db, AGENTS))

        def load(port: int, seconds: float, first: int) -> Load:
            return batches(port, seconds, folder / "seats", first)

        with product(folder / "data") as server:
            return loaded(server, options.seconds, beside, load, AGENTS)

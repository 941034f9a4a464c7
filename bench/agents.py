"""Acknowledged batches of agents: 100 agents, each with a run and a stream of its own, ten lines each time."""

from functools import partial
from pathlib import Path

from bench.ingest import Beside, refuse_failures, settled
from bench.options import Options
from bench.product import drained, product, usage_of
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
            lambda port, seconds: batches(port, seconds, folder / "nobody", "s"),
            {"ours": lambda _number: _one_round(options, beside)},
        )
    row = echo_row("Agents' batches, SQLite", turns, "ours", BAR, beside.note())
    return [ceiling_row(turns), row]


def batches(port: int, seconds: float, seats: Path, stream: str) -> Load:
    """A load of batches; one thread and one connection for each agent, because a stream has one order."""
    url = f"http://127.0.0.1:{port}/"
    arguments = (seats, stream, "close")
    return wrk(url, "agent_batch", [str(one) for one in arguments], connections=AGENTS, seconds=seconds, threads=AGENTS)


def write_seats(path: Path, seats: list[Seat]) -> None:
    """What the load generator's script reads: a line for each agent."""
    rows = (f"/api/agent/v1/runs/{seat.run_id}/batch {seat.credential} {seat.fence}\n" for seat in seats)
    path.write_text("".join(rows), "utf-8")


def _one_round(options: Options, beside: Beside) -> Load:
    with options.scratch() as folder:
        with database(folder / "data") as db:
            assignments(db, AGENTS)
            write_seats(folder / "seats", fleet(db, AGENTS))
        load = partial(batches, seats=folder / "seats")
        with product(folder / "data") as server:
            load(server.port, 1.0, stream="warm-up")
            before, usage = settled(server), usage_of(server)
            seen = load(server.port, options.seconds, stream="measured")
            beside.cores.append(usage.cores())
            beside.rss_mb.append(usage.peak_rss() / 1e6)
            refuse_failures(seen)
            beside.drain_s.append(drained(server, before, seen.requests, AGENTS))
            return seen

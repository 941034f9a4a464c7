"""The server's memory over an hour of work, as a plot."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

from bench.options import Options
from bench.product import line_counts, product, usage_of
from bench.rows import NoFigure, Row, at_most, whole
from bench.seed import Seat, assignments, database, fleet
from bench.svg import plot
from bench.swarm import Sent, swarm
from bench.viewers import viewers
from tests.support.server import ServerProcess

AGENTS = 100
PAGES = 10
SAMPLE_S = 10.0
PLOT = Path("docs/img/soak.svg")
# Of the middle tenth against the last one: what grows with time grows between them.
BAR = 1.05


def soak(options: Options) -> list[Row]:
    """100 agents and 10 open pages for `--minutes`."""
    agents = options.size(AGENTS, 10)
    with options.scratch() as folder:
        with database(folder / "data") as db:
            assignments(db, agents)
            seats = fleet(db, agents)
        with product(folder / "data") as server:
            every = min(SAMPLE_S, options.minutes * 60 / 20)
            samples, sent, cores = asyncio.run(_watch(server, seats, options.minutes * 60, every, options))
            kept = sum(line_counts(server).values())
    if sent.failures or kept != sent.lines:
        raise NoFigure(f"{sent.failures} calls failed, {sent.lines} lines acknowledged, {kept} kept")
    tenth = max(len(samples) // 10, 1)
    half = len(samples) // 2
    middle, last = median(samples[half : half + tenth]), median(samples[-tenth:])
    minutes = [number * every / 60 for number in range(len(samples))]
    title = f"Memory of the server (MB), {agents} agents, {PAGES} open pages"
    if not options.quick:
        PLOT.write_text(plot(title, "minutes", minutes, samples), "utf-8")
    return [
        Row(
            what=f"Memory over {options.minutes:g} min, {agents} agents: end against middle",
            verdict=at_most(last / middle, BAR),
            ours=f"{last:.0f} MB",
            limit=f"middle {middle:.0f} MB",
            ratio=f"{last / middle:.3f}",
            bar=f"≤ {BAR:.2f}",
            note=f"{min(samples):.0f} to {max(samples):.0f} MB, plot in {PLOT}; {whole(sent.lines)} lines; "
            f"server {cores:.2f} cores",
        )
    ]


async def _watch(
    server: ServerProcess, seats: list[Seat], seconds: float, every: float, options: Options
) -> tuple[list[float], Sent, float]:
    sent, samples, usage = Sent(), list[float](), usage_of(server)
    async with _busy(server.port, seats, sent):
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (due := began + len(samples) * every) <= began + seconds:
            await asyncio.sleep(max(due - loop.time(), 0))
            samples.append(usage.rss() / 1e6)
            if len(samples) % 30 == 0:
                options.say(f"  {len(samples) * every / 60:.0f} min: {samples[-1]:.0f} MB, {whole(sent.lines)} lines")
        return samples, sent, usage.cores()


@contextlib.asynccontextmanager
async def _busy(port: int, seats: list[Seat], sent: Sent) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(swarm(port, seats, sent, stop))
        _, looking = await viewers(port, [seat.run_id for seat in seats[:PAGES]])
        try:
            yield
        finally:
            stop.set()
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)

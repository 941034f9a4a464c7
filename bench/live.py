"""From a line's sending to its being seen in an open page, while 200 agents send and 100 pages are open."""

import asyncio
from statistics import quantiles

from bench.options import Options
from bench.product import line_counts, product, usage_of
from bench.rows import NoFigure, Row, at_most, whole
from bench.seed import Seat, assignments, database, fleet
from bench.swarm import LINES_A_BATCH, Sent, swarm
from bench.viewers import viewers
from tests.support.server import ServerProcess

AGENTS = 200
PAGES = 100
BAR_MS = 500
# All pages have been opened at once by then, which keeps a slow server busy for a while.
WARM_UP_S = 15.0


def live(options: Options) -> list[Row]:
    """One long measurement: as many rounds as others have, without a pause between them."""
    agents, pages = options.size(AGENTS, 20), options.size(PAGES, 10)
    with options.scratch() as folder:
        with database(folder / "data") as db:
            assignments(db, agents)
            seats = fleet(db, agents)
        with product(folder / "data") as server:
            delays, sent, cores = asyncio.run(_watch(server, seats, pages, options.seconds * options.rounds))
            kept = sum(line_counts(server).values())
    if sent.failures or kept != sent.lines or len(delays) < 100:
        raise NoFigure(
            f"{sent.failures} calls failed, {sent.lines} lines acknowledged, {kept} kept, {len(delays)} seen"
        )
    cuts = quantiles(delays, n=100)
    return [
        Row(
            what=f"Line sent to line seen, {agents} agents, {pages} open pages, 95th percentile",
            verdict=at_most(cuts[94] * 1000, BAR_MS),
            ours=f"{cuts[94] * 1000:.0f} ms",
            bar=f"≤ {BAR_MS} ms",
            note=f"median {cuts[49] * 1000:.0f} ms, 99 % under {cuts[98] * 1000:.0f} ms, {whole(len(delays))} "
            f"lines seen; {whole(sent.batches)} batches of {LINES_A_BATCH} lines, {whole(sent.beats)} heartbeats sent; "
            f"each page fetches new lines after a `log` event and its two live parts at most once a second; "
            f"server {cores:.2f} cores",
        )
    ]


async def _watch(
    server: ServerProcess, seats: list[Seat], pages: int, seconds: float
) -> tuple[list[float], Sent, float]:
    sent, stop = Sent(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(swarm(server.port, seats, sent, stop))
        opened, looking = await viewers(server.port, [seat.run_id for seat in seats[:pages]])
        await asyncio.sleep(WARM_UP_S)
        for page in opened:
            page.delays.clear()
        usage = usage_of(server)
        await asyncio.sleep(seconds)
        cores = usage.cores()
        delays = [delay for page in opened for delay in page.delays]
        stop.set()
        failed = [str(task.exception()) for task in looking if task.done() and not task.cancelled()]
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
    if failed:
        raise NoFigure(f"{len(failed)} pages gave up: {failed[0]}")
    return delays, sent, cores

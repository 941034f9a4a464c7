"""Claims over HTTP: how many a second 50 claimers get, and how long one waits beside 50,000 assignments.

Each claim comes from another enrolled agent, over a connection of its own, so that nothing but claims happens.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from bench import raw_claims
from bench.http import Connection
from bench.options import Options
from bench.postgres import NoPostgres, databases
from bench.product import product, usage_of
from bench.rows import NoFigure, Row, Verdict, at_least, at_most, not_measured, ratio_of, spread, whole
from bench.seed import assignments, database_at, idle_agents
from goliat_monitoring.store.database import sqlite_url
from goliat_monitoring.wire import agent as wire

CLAIMERS, WORKERS = 50, 100
PENDING, A_ROUND, RAW_A_ROUND, PACED = 50_000, 3_000, 3_000, 2_000
# Claims a second of the paced load: 100 workers that each finish something every half a second.
PACE = 200.0
RATE_BAR, P99_BAR_MS = 1_000, 20
Raw = Callable[[int], float]
Agents = Sequence[tuple[str, str]]


def sqlite(options: Options) -> list[Row]:
    """Of a server with SQLite."""
    with options.scratch() as folder:
        (folder / "data").mkdir()
        url = sqlite_url(folder / "data")
        raw = partial(raw_claims.sqlite, url.removeprefix("sqlite:///"))
        return _measure(options, "SQLite", url, raw, folder=folder)


def postgresql(options: Options) -> list[Row]:
    """The same with PostgreSQL."""
    try:
        with databases(options.folder) as new_database, options.scratch() as folder:
            url = new_database()
            raw = partial(raw_claims.postgresql, url)
            return _measure(options, "PostgreSQL", url, raw, folder=folder, database_url=url)
    except NoPostgres as problem:
        return [not_measured("Claims, PostgreSQL", str(problem), f"≥ {RATE_BAR} claims/s")]


def _measure(options: Options, kind: str, url: str, raw: Raw, *, folder: Path, **settings: object) -> list[Row]:
    pending = options.size(PENDING, 2_000)
    a_round, of_raw = options.size(A_ROUND, 300), options.size(RAW_A_ROUND, 300)
    paced = options.size(PACED, 200)
    options.say(f"  preparing: {whole(pending)} assignments, {kind}")
    with database_at(url) as db:
        assignments(db, pending)
        agents = iter(idle_agents(db, options.rounds * (a_round + a_round) + paced))
    rates, raws, p99s, cores = list[float](), list[float](), list[float](), list[float]()
    taken = set[str]()
    with product(folder / "data", **settings) as server:
        asyncio.run(_closed(server.port, [next(agents) for _ in range(CLAIMERS)], CLAIMERS, taken))
        for number in range(options.rounds):
            raws.append(raw(of_raw))
            usage = usage_of(server)
            began = time.monotonic()
            waits = asyncio.run(_closed(server.port, _next(agents, a_round - CLAIMERS), CLAIMERS, taken))
            rates.append(len(waits) / (time.monotonic() - began))
            cores.append(usage.cores())
            p99s.append(_p99(asyncio.run(_closed(server.port, _next(agents, a_round), WORKERS, taken))))
            both = f"bare writes {whole(raws[-1])}/s, claims {whole(rates[-1])}/s"
            options.say(f"  round {number + 1} of {options.rounds}: {both}")
        waits = asyncio.run(_paced(server.port, _next(agents, paced), taken))
    what = f"Claims, {kind}"
    return [
        Row(
            what=f"{what}, {CLAIMERS} claimers, {whole(pending)} assignments",
            verdict=at_least(median(rates), RATE_BAR),
            ours=f"{whole(median(rates))} claims/s",
            limit=f"bare writes {whole(median(raws))}/s",
            ratio=f"{ratio_of(rates, raws):.2f}",
            bar=f"≥ {whole(RATE_BAR)} claims/s",
            note=f"rounds {spread(rates)}; no assignment twice; server {median(cores):.2f} cores; bare writes: the "
            f"same three rows a claim, {raw_claims.GROUP} a commit, one connection, no HTTP",
        ),
        Row(
            what=f"{what}, p99, {WORKERS} workers, {whole(pending)} assignments, {PACE:.0f} claims/s",
            verdict=at_most(_p99(waits), P99_BAR_MS),
            ours=f"{_p99(waits):.1f} ms",
            bar=f"≤ {P99_BAR_MS} ms",
            note=f"median {median(waits):.1f} ms, longest {max(waits):.1f} ms, with the connection of each; sent when "
            "it is due, whatever was answered",
        ),
        Row(
            what=f"{what}, p99, {WORKERS} workers that ask again at once",
            verdict=Verdict.SHOWN,
            ours=f"{median(p99s):.0f} ms",
            note=f"rounds {spread(p99s)} ms; all {WORKERS} always wait, so this is their number over the rate",
        ),
    ]


def _next(agents: Iterator[tuple[str, str]], count: int) -> Agents:
    return [next(agents) for _ in range(count)]


async def _closed(port: int, agents: Agents, claimers: int, taken: set[str]) -> list[float]:
    """`claimers` at a time, each asking anew once it was answered. Returns the wait of each claim, ms."""
    left, waits = iter(agents), list[float]()

    async def claimer() -> None:
        for credential, session in left:
            waits.append(await _claim(port, credential, session, taken))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(claimers):
            tasks.create_task(claimer())
    return waits


async def _paced(port: int, agents: Agents, taken: set[str]) -> list[float]:
    """`PACE` claims a second, each when it is due."""
    began, calls = time.monotonic(), list[asyncio.Task[float]]()
    async with asyncio.TaskGroup() as tasks:
        for number, (credential, session) in enumerate(agents):
            await asyncio.sleep(max(began + number / PACE - time.monotonic(), 0))
            calls.append(tasks.create_task(_claim(port, credential, session, taken)))
    return [call.result() for call in calls]


async def _claim(port: int, credential: str, session: str, taken: set[str]) -> float:
    """One claim; its wait in ms. Raises `NoFigure` where it got nothing, or what another has."""
    connection = Connection(port, {"Authorization": f"Bearer {credential}"})
    began = time.monotonic()
    status, body = await connection.call("POST", "/api/agent/v1/claim", msgspec.json.encode(wire.Claim(session)))
    wait = (time.monotonic() - began) * 1000
    await connection.close()
    if status != 200:
        raise NoFigure(f"a claim was answered {status}: {body[:200]!r}")
    job = msgspec.json.decode(body, type=wire.Claimed).job
    if job is None or job.assignment_id in taken:
        raise NoFigure("a claim got nothing" if job is None else f"assignment {job.assignment_id} was given out twice")
    taken.add(job.assignment_id)
    return wait


def _p99(waits: Sequence[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]

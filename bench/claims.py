"""Claims over HTTP: how many a second 50 claimers get, and how long one waits beside 50,000 assignments.

For the rate each claim comes from another enrolled agent, over a connection of its own, so that nothing but claims
happens; they are made by wrk, which takes little of the machine that the server runs on. For the wait 100 agents claim,
prove and end one assignment after the other.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import msgspec
from sqlalchemy import update

from bench import raw_claims, wrk
from bench.http import Connection
from bench.options import Options
from bench.postgres import NoPostgres, databases
from bench.product import product, usage_of
from bench.rows import NoFigure, Row, Verdict, at_least, at_most, not_measured, ratio_of, spread, whole
from bench.seed import assignments, database_at, idle_agents
from bench.swarm import micros
from bench.wrk import Load
from goliat_monitoring.store import tables
from goliat_monitoring.store.database import sqlite_url
from goliat_monitoring.store.engine import make_engine
from goliat_monitoring.wire import agent as wire

CLAIMERS, WORKERS = 50, 100
PENDING, TURNS = 50_000, 5
# Length of a load in seconds, and how many agents one has: more than the fastest server gives work to.
LOAD_S, A_ROUND = 2, 6_000
# Claims of a bare load.
RAW = 3_000
# Seconds between two claims of one worker in the paced load, where real ones take hours.
PACE_S = 5.0
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
    pending, turns = options.size(PENDING, 10_000), options.size(TURNS, 3)
    seconds = options.size(LOAD_S, 1)
    options.say(f"  preparing: {whole(pending)} assignments, {kind}")
    with database_at(url) as db:
        assignments(db, pending)
        if kind == "PostgreSQL":
            # As it does by itself within a minute after so many rows came. SQLite never does.
            db.submit(lambda connection: connection.exec_driver_sql("ANALYZE")).result()
    rates, raws, p99s, cores = list[float](), list[float](), list[float](), list[float]()
    taken = set[str]()
    with product(folder / "data", **settings) as server:
        waits = asyncio.run(_paced(server.port, idle_agents(url, WORKERS), turns, taken))
        for number in range(options.rounds):
            raws.append(raw(RAW))
            loads = list[Load]()
            for claimers in (CLAIMERS, WORKERS):
                _end_all(url)
                agents = idle_agents(url, A_ROUND)
                usage = usage_of(server)
                loads.append(_closed(server.port, folder, agents, claimers, seconds, taken))
                if claimers == CLAIMERS:
                    cores.append(usage.cores())
            rates.append(loads[0].rate)
            p99s.append(loads[1].p99 / 1000)
            both = f"bare writes {whole(raws[-1])}/s, claims {whole(rates[-1])}/s"
            options.say(f"  round {number + 1} of {options.rounds}: {both}")
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
            what=f"{what}, p99, {WORKERS} workers, {whole(pending)} assignments",
            verdict=at_most(_p99(waits), P99_BAR_MS),
            ours=f"{_p99(waits):.1f} ms",
            bar=f"≤ {P99_BAR_MS} ms",
            note=f"median {median(waits):.1f} ms, longest {max(waits):.1f} ms, {WORKERS / PACE_S:.0f} claims/s: each "
            f"worker claims every {PACE_S:g} s, and in between proves and ends its run",
        ),
        Row(
            what=f"{what}, p99, {WORKERS} workers that ask again at once",
            verdict=Verdict.SHOWN,
            ours=f"{median(p99s):.0f} ms",
            note=f"rounds {spread(p99s)} ms; all {WORKERS} always wait, so this is their number over the rate",
        ),
    ]


def _closed(port: int, folder: Path, agents: Agents, claimers: int, seconds: float, taken: set[str]) -> Load:
    """`claimers` at a time, each asking anew once it was answered. Raises `NoFigure` where one got nothing, or what
    another has."""
    file = folder / "agents"
    lines = (f"{credential} {msgspec.json.encode(wire.Claim(session)).decode()}" for credential, session in agents)
    file.write_text("".join(f"{line}\n" for line in lines))
    load, given = wrk.claims(port, seconds, file, connections=claimers)
    if load.failures or "nothing" in given:
        raise NoFigure(f"{load.failures} claims failed, {given.count('nothing')} got nothing")
    twice = len(given) - len(set(given)) + len(taken.intersection(given))
    if twice:
        raise NoFigure(f"{twice} assignments were given out twice")
    taken.update(given)
    return load


async def _paced(port: int, agents: Agents, turns: int, taken: set[str]) -> list[float]:
    """Workers that claim every `PACE_S`, one after the other, and end what they got. Returns the waits, ms, but for the
    first turn, in which all is new to the server."""
    waits, began = list[float](), time.monotonic()

    async def worker(number: int, credential: str, session: str) -> None:
        connection = Connection(port, {"Authorization": f"Bearer {credential}"})
        for turn in range(turns + 1):
            await asyncio.sleep(max(began + (turn + number / len(agents)) * PACE_S - time.monotonic(), 0))
            wait, job = await _claim(connection, session, taken)
            if turn:
                waits.append(wait)
            await _end(port, credential, job)
        await connection.close()

    async with asyncio.TaskGroup() as tasks:
        for number, (credential, session) in enumerate(agents):
            tasks.create_task(worker(number, credential, session))
    return waits


async def _end(port: int, credential: str, job: wire.Job) -> None:
    """Prove each case of the run and end it."""
    connection = Connection(port, {"Authorization": f"Bearer {credential}", wire.FENCE_HEADER: job.fence})
    items = list[wire.Item]()
    for number, case in enumerate(job.cases, 1):
        for message in (
            {"type": "sim_details", "count": number, "total": len(job.cases), "details": case.details},
            {"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1},
        ):
            items.append(wire.MessageItem(micros() + len(items), message))
    batch = wire.Batch("s", 0, items)
    end = wire.End("exited", 0, micros(), "s", len(items))
    for path, said in (("batch", batch), ("end", end)):
        status, body = await connection.call(
            "POST", f"/api/agent/v1/runs/{job.run_id}/{path}", msgspec.json.encode(said)
        )
        if status != 200 or (path == "end" and b"succeeded" not in body):
            raise NoFigure(f"a run could not be ended: {status}: {body[:200]!r}")
    await connection.close()


def _end_all(url: str) -> None:
    """End what is claimed, behind the server's back: 100 workers never hold thousands of runs."""
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(update(tables.runs).where(tables.LIVE_RUN).values(state="succeeded", ended_at=micros()))
        running = tables.assignments.c.state == "RUNNING"
        connection.execute(update(tables.assignments).where(running).values(state="COMPLETED"))
    engine.dispose()


async def _claim(connection: Connection, session: str, taken: set[str]) -> tuple[float, wire.Job]:
    """The wait of one claim in ms, and what it got. Raises `NoFigure` where that is nothing, or what another has."""
    began = time.monotonic()
    status, body = await connection.call("POST", "/api/agent/v1/claim", msgspec.json.encode(wire.Claim(session)))
    wait = (time.monotonic() - began) * 1000
    if status != 200:
        raise NoFigure(f"a claim was answered {status}: {body[:200]!r}")
    job = msgspec.json.decode(body, type=wire.Claimed).job
    if job is None or job.assignment_id in taken:
        raise NoFigure("a claim got nothing" if job is None else f"assignment {job.assignment_id} was given out twice")
    taken.add(job.assignment_id)
    return wait, job


def _p99(waits: Sequence[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]

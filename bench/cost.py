"""`python -m bench.cost`: what one message of ten lines costs in CPU time, step by step, without HTTP.

CPU time of the thread that works, and of PostgreSQL's processes: other load on the machine hardly shows in it, so that
two versions can be compared anywhere. It is no rate: threads that wait for each other and for the disk are not in it.
"""

import itertools
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
import typer
from sqlalchemy import Engine

from bench import seed
from bench.lines import TEXTS
from bench.postgres import databases
from goliat_monitoring.store.changes import take
from goliat_monitoring.store.database import sqlite_url
from goliat_monitoring.store.engine import make_engine
from goliat_monitoring.store.ingest.hear import Heard, hear
from goliat_monitoring.store.ingest.posts import BatchPost, GuiPost, read_post
from goliat_monitoring.store.log import window
from goliat_monitoring.store.migrate import migrate
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.clock import SECOND

SENDERS = 100
# Messages of each sender that are numbered together: what a server under full load finds when it looks.
HELD_OF_EACH = 40
BEGAN = 1_800_000_000 * SECOND
_random = random.Random(1)  # noqa: S311 - no secret


@dataclass(slots=True)
class Costs:
    """CPU seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Add what the block uses on this thread."""
        began = time.thread_time()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.thread_time() - began


def realistic(number: int, sequence: int) -> list[tuple[str, str]]:
    """Level and text of the ten lines that all of `bench` sends."""
    found = []
    for i, (level, head, middle, tail) in enumerate(TEXTS, 1):
        first, second = _random.randrange(1000), _random.randrange(1000)
        found.append((level, f"{head}{first}{middle}{second:03d}{tail}  [{number}/{sequence}/{i}]"))
    return found


def distinct(number: int, sequence: int) -> list[tuple[str, str]]:
    """Lines of which none begins like another."""
    return [("info", f"{chr(97 + i) * 4} of machine {number}: message {sequence}, all is well") for i in range(10)]


def alike(number: int, sequence: int) -> list[tuple[str, str]]:
    """Lines that differ in their numbers alone, and do not fold."""
    return [
        ("progress", f"    - Extracting tissue {sequence * 10 + i} of {number}: {_random.random():.4f} W/kg")
        for i in range(10)
    ]


TEXTS_OF: dict[str, Callable[[int, int], list[tuple[str, str]]]] = {
    "realistic": realistic,
    "distinct": distinct,
    "alike": alike,
}


def gui_bodies(of: str, sequence: int, at: int) -> list[bytes]:
    """A message of each bare client as it arrives."""
    return [
        msgspec.json.encode(GuiUpdate(
            machine_id=f"10.0.0.{number}",
            message={
                "type": "log_batch",
                "sequence": sequence,
                "logs": [
                    {"type": "status", "message": text, "log_type": level, "timestamp": at / SECOND}
                    for level, text in TEXTS_OF[of](number, sequence)
                ],
            },
            timestamp=at / SECOND,
        ))
        for number in range(SENDERS)
    ]  # fmt: skip


def batch_bodies(of: str, sequence: int, at: int) -> list[bytes]:
    """A batch of each agent as it arrives."""
    return [
        msgspec.json.encode({
            "stream": "s",
            "offset": sequence * 10,
            "items": [
                {"k": "line", "time": at + i, "level": level, "source": "status", "text": text}
                for i, (level, text) in enumerate(TEXTS_OF[of](number, sequence))
            ],
        })
        for number in range(SENDERS)
    ]  # fmt: skip


def apply(engine: Engine, costs: Costs, group: list[Heard]) -> None:
    """One commit, as the writer does it."""
    with engine.connect() as connection:
        with costs.of("begin"):
            transaction = connection.begin()
        with costs.of("hear"), connection.begin_nested():
            hear(connection, group)
        with costs.of("commit"):
            transaction.commit()
        take(connection)


def number(engine: Engine, costs: Costs, moment: Moment) -> None:
    """Number all that is due, as the sweeper does it."""
    with costs.of("release"):
        with engine.connect() as connection:
            portions = window.due(connection, moment)
        for portion in portions:
            with engine.connect() as connection, connection.begin():
                window.release(connection, portion)
                take(connection)
        more = True
        while more:
            with engine.connect() as connection, connection.begin():
                more = window.forget(connection, moment)


def heard_of(bodies: list[bytes], moment: Moment, seats: list[seed.Seat], *, agents: bool) -> list[Heard]:
    """What the HTTP side hands to the writer."""
    if not agents:
        return [_heard(GuiPost(body, moment.now, moment, "127.0.0.1")) for body in bodies]
    return [
        _heard(BatchPost(body, moment.now, moment, seat.worker_id, seat.run_id, seat.fence))
        for body, seat in zip(bodies, seats, strict=True)
    ]


def _heard(post: GuiPost | BatchPost) -> Heard:
    heard = read_post(post)
    if isinstance(heard, Exception):
        raise heard
    return heard


def measure(url: str, of: str, size: int, blocks: int, *, agents: bool) -> dict[str, float]:
    """Microseconds a message by step, in groups of `size`: of each step the least of all blocks, as whatever else runs
    on the machine only adds to it.
    """
    migrate(url)
    engine = make_engine(url)
    seats: list[seed.Seat] = []
    if agents:
        with seed.database_at(url) as db:
            seed.assignments(db, SENDERS)
            seats = seed.fleet(db, SENDERS)
    clock, waiting = itertools.count(BEGAN, SECOND // 20), list[Heard]()
    server = postgres_processes(engine)
    found: list[dict[str, float]] = []
    for block in range(1 + blocks):
        costs, before, done = Costs(), cpu_of(server), -len(waiting)
        for sequence in range(block * HELD_OF_EACH, (block + 1) * HELD_OF_EACH):
            at = next(clock)
            bodies = (batch_bodies if agents else gui_bodies)(of, sequence, at)
            with costs.of("read"):
                waiting += heard_of(bodies, Moment(at, reorder_window=SECOND), seats, agents=agents)
            while len(waiting) >= size:
                apply(engine, costs, waiting[:size])
                del waiting[:size]
        number(engine, costs, Moment(at + 2 * SECOND, reorder_window=SECOND))
        if server:
            costs.seconds["postgres"] = cpu_of(server) - before
        done += HELD_OF_EACH * SENDERS - len(waiting)
        # The first block opens the runs.
        if block:
            found.append({step: seconds / done * 1e6 for step, seconds in costs.seconds.items()})
    engine.dispose()
    return {step: min(costs[step] for costs in found) for step in found[0]}


def postgres_processes(engine: Engine) -> psutil.Process | None:
    """The head of the processes that serve `engine`; None for SQLite, which has none."""
    if engine.dialect.name == "sqlite":
        return None
    with engine.connect() as connection:
        pid: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return psutil.Process(pid).parent()


def cpu_of(head: psutil.Process | None) -> float:
    """CPU seconds of all of a server's processes that are there now."""
    times = [] if head is None else [process.cpu_times() for process in (head, *head.children(recursive=True))]
    return sum(it.user + it.system for it in times)


def main(
    of: Annotated[list[str] | None, typer.Argument(help=f"Which lines: {', '.join(TEXTS_OF)}.")] = None,
    size: Annotated[list[int] | None, typer.Option(help="Messages a commit.")] = None,
    blocks: Annotated[int, typer.Option(help="How often 40 messages of each of 100 senders.")] = 5,
    postgres: Annotated[bool, typer.Option("--postgres", help="On PostgreSQL instead of SQLite.")] = False,
    agents: Annotated[bool, typer.Option("--agents", help="Agents' batches, not bare clients' messages.")] = False,
) -> None:
    """Print microseconds of CPU a message."""
    with tempfile.TemporaryDirectory(prefix="goliat-cost-") as name:
        run = partial(_report, of or list(TEXTS_OF), size or [64], blocks, agents=agents)
        if postgres:
            with databases(Path(name)) as new:
                run(new)
        else:
            run(lambda: sqlite_url(Path(tempfile.mkdtemp(dir=name))))


def _report(kinds: list[str], sizes: list[int], blocks: int, new: Callable[[], str], *, agents: bool) -> None:
    for of, size in itertools.product(kinds, sizes):
        each = measure(new(), of, size, blocks, agents=agents)
        parts = "  ".join(f"{step} {micros:.1f}" for step, micros in each.items())
        typer.echo(f"{of}, {size} a commit: {parts}  writer {sum(each.values()) - each['read']:.1f} µs a message")


if __name__ == "__main__":
    typer.run(main)

"""The server under load: started as a user starts it, and asked afterwards what it holds."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.processes import Usage
from bench.rows import NoFigure
from tests.support.server import ServerProcess

# Bare lines are numbered when this window has passed over them, so that numbering is part of what is measured.
REORDER_WINDOW_S = 1
LINES = 10
RUNS_READ = 5
# What the generator's lines end with: machine, batch, position.
TAG = re.compile(r"\[(\d+)/(\d+)/(\d+)\]")


@contextmanager
def product(folder: Path, **options: object) -> Iterator[ServerProcess]:
    """`goliat-monitoring serve` on `folder`; ended with its block. `options` are settings."""
    try:
        server = ServerProcess(folder, reorder_window_s=REORDER_WINDOW_S, log_level="warning", **options)
    except AssertionError as problem:
        raise NoFigure(f"{problem} (what it said stands above)") from None
    try:
        yield server
        server.stop()
    finally:
        server.close()


def usage_of(server: ServerProcess) -> Usage:
    """What the server's process uses from now on."""
    assert server.process is not None  # noqa: S101 - it was started
    return Usage(server.process.pid)


def line_counts(server: ServerProcess) -> dict[str, int]:
    """Numbered lines of the newest 1,000 runs."""
    with server.client() as http:
        answer = http.get("/api/runs", params={"limit": 1000})
        answer.raise_for_status()
        runs: list[dict[str, Any]] = answer.json()
    return {str(run["id"]): int(run["lines"]) for run in runs}


def drained(server: ServerProcess, before: int, acknowledged: int, connections: int, patience: float = 120.0) -> float:
    """Wait until every acknowledged line has its number; return the seconds that took.

    Each acknowledged request brought ten lines; one more per connection may have been under way when the load stopped.
    Raises `NoFigure` when lines are missing or more than were sent: a fast wrong answer is none.
    """
    began = changed = time.monotonic()
    least, most = before + LINES * acknowledged, before + LINES * (acknowledged + connections)
    have = -1
    while time.monotonic() < began + patience:
        now = sum(line_counts(server).values())
        if now != have:
            have, changed = now, time.monotonic()
        elif have >= least and time.monotonic() > changed + REORDER_WINDOW_S + 2:
            break
        time.sleep(0.2)
    if not least <= have <= most:
        raise NoFigure(f"{have} lines are there, {least} to {most} should be ({acknowledged} requests acknowledged)")
    _refuse_repeats(server)
    return changed - began


def _refuse_repeats(server: ServerProcess) -> None:
    """Read the newest lines of some runs: batches are whole, and none is there twice. Raises `NoFigure`."""
    with server.client() as http:
        for run_id in list(line_counts(server))[:RUNS_READ]:
            answer = http.get(f"/api/runs/{run_id}/log", params={"tail": True, "limit": 10_000})
            answer.raise_for_status()
            tags = [tuple(map(int, tag)) for tag in TAG.findall(answer.text)]
            # The first ones may be the rest of a batch that begins before the page.
            whole = tags[next((i for i, tag in enumerate(tags) if tag[2] == 1), len(tags)) :]
            heads = [tag[:2] for tag in whole[::LINES]]
            if len(heads) != len(set(heads)):
                raise NoFigure(f"run {run_id} holds a batch twice")
            for number, head in enumerate(heads):
                batch = whole[number * LINES : (number + 1) * LINES]
                if batch != [(*head, position) for position in range(1, LINES + 1)]:
                    raise NoFigure(f"run {run_id} holds a batch in pieces: {batch}")

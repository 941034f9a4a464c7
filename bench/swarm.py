"""Agents at their usual rate: each sends what its study wrote in half a second, and beats every five seconds."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import msgspec

from bench.http import Connection
from bench.lines import lines
from bench.seed import Seat
from goliat_monitoring.agent.settings import Intervals
from goliat_monitoring.fleet.timing import AGENT_HEARTBEAT
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND

# A study with short phases writes some ten lines a second; the solver alone far fewer.
LINES_A_BATCH = 5


@dataclass(slots=True)
class Sent:
    """What the server acknowledged, and what it did not."""

    lines: int = 0
    batches: int = 0
    beats: int = 0
    failures: int = 0


def micros() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1000


async def swarm(port: int, seats: Sequence[Seat], sent: Sent, stop: asyncio.Event) -> None:
    """All agents until `stop`; they begin one after the other within a heartbeat's time."""
    async with asyncio.TaskGroup() as tasks:
        for number, seat in enumerate(seats):
            tasks.create_task(_agent(port, seat, number, number / len(seats), sent, stop))


async def _agent(port: int, seat: Seat, number: int, phase: float, sent: Sent, stop: asyncio.Event) -> None:
    pause, beat_every = Intervals().ship_s, AGENT_HEARTBEAT / SECOND
    headers = {"Authorization": f"Bearer {seat.credential}", wire.FENCE_HEADER: seat.fence}
    connection = Connection(port, headers)
    due = time.monotonic() + pause * phase
    next_beat = time.monotonic() + beat_every * phase
    offset = 0
    for _ in count():
        if await _stopped(stop, due - time.monotonic()):
            await connection.close()
            return
        due = max(due + pause, time.monotonic())
        if time.monotonic() >= next_beat:
            next_beat += beat_every
            heard = await _call(connection, "heartbeat", _beat(seat), sent)
            sent.beats += heard
        items: list[wire.Item] = [
            wire.LineItem(line.time, line.level, line.source, f"{line.text} @{line.time}")
            for line in lines(number, offset + 1, LINES_A_BATCH, micros(), 0)
        ]
        batch = msgspec.json.encode(wire.Batch("bench", offset, items))
        if await _call(connection, f"runs/{seat.run_id}/batch", batch, sent):
            offset += LINES_A_BATCH
            sent.batches += 1
            sent.lines += LINES_A_BATCH


async def _call(connection: Connection, path: str, body: bytes, sent: Sent) -> bool:
    try:
        status, _ = await connection.call("POST", f"/api/agent/v1/{path}", body)
    except (OSError, asyncio.IncompleteReadError):
        await connection.close()
        status = 0
    sent.failures += status != 200
    return status == 200


def _beat(seat: Seat) -> bytes:
    vitals = {"cpu": 12.5, "ram": 40.0, "gpu": 98.0, "vram": 61.0, "disk_free": 4e11, "gpu_temp": 71.0}
    run = wire.RunSummary(seat.run_id, goliat_alive=True)
    return msgspec.json.encode(wire.Beat(seat.session_id, micros(), run, vitals))


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    if seconds <= 0:
        # Others must have their turn even when this one is late.
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True

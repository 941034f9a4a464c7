"""Who computes what, when workers take the next assignment as soon as they are free: the way claims are given out."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple


class Turn(NamedTuple):
    """One assignment on one worker, both by position; times from a common start, in the unit of the durations."""

    worker: int
    start: float
    end: float


def next_free(durations: Sequence[Sequence[float]]) -> list[Turn]:
    """When each assignment runs, and where. `durations[w][a]`: how long worker w needs for assignment a.

    Assignments are taken in their order, each by the worker that is free first (of equals, the first).
    """
    free = [(0.0, worker) for worker in range(len(durations))]
    turns: list[Turn] = []
    for assignment in range(len(durations[0]) if durations else 0):
        start, worker = free[0]
        end = start + durations[worker][assignment]
        heapq.heapreplace(free, (end, worker))
        turns.append(Turn(worker, start, end))
    return turns


def makespan(durations: Sequence[float], workers: int) -> float:
    """When the last of `workers` equal workers has finished."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)

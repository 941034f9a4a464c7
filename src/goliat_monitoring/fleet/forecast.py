"""When the work will be done: workers take the next of what they may take as soon as they are free, with chance in it.

The queue is played a few times, once without chance for starts and GPU hours and some times with, and the outcomes
give a median and a spread. Chance comes from a fixed table, so that equal facts give equal answers. What is doubtful
about all simulations of a study alike stretches everything in proportion, so it is added at the end and not played.
"""

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import NamedTuple

# The 90th percentile of the normal distribution.
Z90 = 1.2816
# How many tasks are placed in all plays with chance together; each play more costs as much as it tells.
PLACINGS = 20_000
PLAYS = (3, 48)
_TABLE = 4096
_SHORTEST = 0.1
# Tasks that wait, for a time or for better machines, are told apart by how long and for whom, to so many seconds and
# in so many ways; beyond that they wait for nobody. Each way costs a look of every machine at each task it takes.
_PATIENCE = 600.0
_PREFERENCES = 16


def _chances() -> list[float]:
    values = [NormalDist().inv_cdf((i + 0.5) / _TABLE) for i in range(_TABLE)]
    Random(1).shuffle(values)  # noqa: S311 - chance that is the same each time
    return values


_CHANCE = _chances()


class Spread(NamedTuple):
    """Seconds from now: one in ten is sooner than `p10`, half are sooner than `p50`, nine in ten than `p90`."""

    p10: float
    p50: float
    p90: float


class Machine(NamedTuple):
    """A worker. `gpu`: position in `Task.seconds`; `factor` on these, with the spread of its logarithm. `busy`:
    seconds until it is free, with their relative spread, and the group it works for until then (-1: none). `takes`:
    whether it takes another task then.
    """

    gpu: int
    factor: float
    spread: float
    busy: float = 0.0
    busy_spread: float = 0.0
    group: int = -1
    takes: bool = True


class Task(NamedTuple):
    """Something to do, in the order of the queue. `seconds` by GPU; `spread` relative, its own alone. `group`: what it
    is part of. `only`: positions of the machines that may take it; None for any. `ready`: not before, in seconds.
    `first`: for `patient` seconds only these of them may take it; None for all.
    """

    seconds: Sequence[float]
    spread: float
    group: int
    only: frozenset[int] | None = None
    ready: float = 0.0
    first: frozenset[int] | None = None
    patient: float = 0.0


@dataclass(frozen=True, slots=True)
class _Play:
    starts: list[float]
    ends: list[float]
    finish: list[float]
    takers: list[int]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What was played. Positions are those of the tasks, machines and groups that were handed in."""

    doubts: Sequence[float]
    groups: Sequence[int]
    calm: _Play
    plays: Sequence[_Play]

    def of_group(self, group: int) -> Spread | None:
        """When all of a group is done; None if something of it can be taken by nobody."""
        return self._spread([play.finish[group] for play in self.plays], group)

    def of_task(self, task: int) -> Spread | None:
        """When a task is done; None if nobody can take it."""
        return self._spread([play.ends[task] for play in self.plays], self.groups[task])

    def work(self) -> list[dict[int, float]]:
        """By group, seconds that each machine spends on what it takes from the queue."""
        spent: list[dict[int, float]] = [{} for _ in self.doubts]
        calm = self.calm
        for group, machine, start, end in zip(self.groups, calm.takers, calm.starts, calm.ends, strict=True):
            if machine >= 0:
                spent[group][machine] = spent[group].get(machine, 0.0) + end - start
        return spent

    def _spread(self, outcomes: Sequence[float], group: int) -> Spread | None:
        if max(outcomes) == math.inf:
            return None
        middle = math.fsum(outcomes) / len(outcomes)
        if middle <= 0:
            return Spread(0.0, 0.0, 0.0)
        own = math.sqrt(math.fsum((it - middle) ** 2 for it in outcomes) / len(outcomes)) / middle
        return spread(middle, math.hypot(own, self.doubts[group]))


def spread(median: float, relative: float) -> Spread:
    """A lognormal spread around a median."""
    stretch = math.exp(Z90 * min(relative, 3.0))
    return Spread(median / stretch, median, median * stretch)


def forecast(machines: Sequence[Machine], tasks: Sequence[Task], doubts: Sequence[float]) -> Forecast:
    """Play the queue. `doubts`: by group, the relative spread that all its simulations share."""
    plays = min(max(PLACINGS // max(len(tasks), 1), PLAYS[0]), PLAYS[1])
    table = _Table(machines, tasks, len(doubts))
    return Forecast(
        doubts, [task.group for task in tasks], table.play(None), [table.play(number) for number in range(plays)]
    )


class _Table:
    """What is the same in each play."""

    def __init__(self, machines: Sequence[Machine], tasks: Sequence[Task], groups: int) -> None:
        self._machines, self._tasks, self._groups = machines, tasks, groups
        queues: dict[tuple[frozenset[int] | None, frozenset[int] | None, float, float], list[int]] = {}
        preferences = set[tuple[frozenset[int] | None, float, float]]()
        for position, task in enumerate(tasks):
            # Not later than it is: who takes it a little too early waits.
            ready = math.floor(task.ready / _PATIENCE) * _PATIENCE
            patient = 0.0 if task.first is None else math.ceil(task.patient / _PATIENCE) * _PATIENCE
            wish = task.first, patient, ready
            if wish not in preferences and len(preferences) >= _PREFERENCES:
                wish = (None, 0.0, 0.0)
            preferences.add(wish)
            queues.setdefault((task.only, *wish), []).append(position)
        self._open = list(queues.values())
        # Which queues a machine may take from, and from when on.
        self._may = [
            [
                (number, ready if first is None or position in first else max(patient, ready))
                for number, (only, first, patient, ready) in enumerate(queues)
                if only is None or position in only
            ]
            for position in range(len(machines))
        ]

    def play(self, number: int | None) -> _Play:
        """One play; without a number, without chance."""
        machines, tasks = self._machines, self._tasks
        starts, ends = [math.inf] * len(tasks), [math.inf] * len(tasks)
        finish = [0.0] * self._groups
        takers, factors = [-1] * len(tasks), [0.0] * len(machines)
        heap = []
        offset = 0 if number is None else 997 * number + 1
        calm = number is None
        for position, machine in enumerate(machines):
            luck = 0.0 if calm else _CHANCE[(offset + 31 * position) % _TABLE]
            late = 0.0 if calm else _CHANCE[(offset + 31 * position + 17) % _TABLE]
            factors[position] = machine.factor * math.exp(machine.spread * luck)
            free = machine.busy * max(_SHORTEST, 1 + machine.busy_spread * late)
            if machine.group >= 0:
                finish[machine.group] = max(finish[machine.group], free)
            if machine.takes and self._may[position]:
                heap.append((free, position))
        heapq.heapify(heap)
        heads = [0] * len(self._open)
        while heap:
            now, position = heap[0]
            taken, again = self._next(heads, position, now)
            if taken is None:
                if again == math.inf:
                    heapq.heappop(heap)
                else:
                    heapq.heapreplace(heap, (again, position))
                continue
            seconds, own, group, _, ready, _, _ = tasks[taken]
            duration = seconds[machines[position].gpu] * factors[position]
            if not calm:
                duration *= max(_SHORTEST, 1 + own * _CHANCE[(offset + 7 * taken) % _TABLE])
            start = max(ready, now)
            end = start + duration
            starts[taken], ends[taken], takers[taken] = start, end, position
            finish[group] = max(finish[group], end)
            heapq.heapreplace(heap, (end, position))
        for task, end in zip(tasks, ends, strict=True):
            if end == math.inf:
                finish[task.group] = math.inf
        return _Play(starts, ends, finish, takers)

    def _next(self, heads: list[int], position: int, now: float) -> tuple[int | None, float]:
        """The first task that a machine may take; it is taken. Without one, when to look again: another machine is
        preferred until then."""
        best, first, again = -1, len(self._tasks), math.inf
        for number, since in self._may[position]:
            queue = self._open[number]
            if heads[number] >= len(queue):
                continue
            if since > now:
                again = min(again, since)
            elif queue[heads[number]] < first:
                best, first = number, queue[heads[number]]
        if best < 0:
            return None, again
        heads[best] += 1
        return first, now

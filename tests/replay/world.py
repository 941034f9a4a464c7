"""A study on a mixed fleet as it might really go, for asking the forecast how wrong it is. A clock is stepped.

How long a simulation takes comes from measured tables, never from the cost model that predicts:

- by frequency, one of two. `timing table`: run phases of 136 to 1024 s on one phantom at 450 to 2450 MHz, as a log of
  2025 has them, and beyond with the exponent 1.2 that they follow. `paper`: under 5 minutes at 450 MHz and about 25 at
  5800 MHz for an adult, as published, and between the two a power of the frequency.
- phases: setup, run and extraction take 19, 52 and 28 % as in a logged study, taken to be so everywhere.
- machines: the run follows the throughput that was measured for the GPU, anywhere in its range; setup and extraction
  follow the machine's disk, which is up to us.

Ours, for want of a measurement: how much longer larger phantoms take, the noise, how many simulations fail, and when
one machine is lost.
"""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec

from goliat_monitoring.fleet import outlook as ahead
from goliat_monitoring.fleet.progress import Current, Phases, case_span, phases_of_cost, run_progress, study_progress
from goliat_monitoring.fleet.rates import Kind, Speed, Timing, learn
from goliat_monitoring.study.cases import Case, enumerate_cases
from goliat_monitoring.study.plan import plan
from goliat_monitoring.study.split import SplitRequest
from goliat_monitoring.study.weights import GPU_RATE, CaseCost, case_cost

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMING_TABLE = {450: 136.0, 700: 252.0, 835: 370.0, 1450: 492.0, 2140: 734.0, 2450: 1024.0}
SETUP, RUN = 0.19, 0.52
SIZE = {"thelonious": 1.0, "eartha": 1.2, "ella": 1.4, "duke": 1.5}
# Measured throughput, 10⁹ cells a second, and how many of them this fleet has.
FLEET = {
    "RTX 4090": (6.7, 8.4, 4), "RTX 6000 Ada": (4.4, 5.3, 2), "L40S": (5.0, 5.0, 2), "RTX 4000": (3.0, 3.0, 2),
    "A100": (9.2, 9.2, 1), "H100": (16.0, 18.0, 1),
}  # fmt: skip
USUAL = 7.5
NOISE = 0.15
DISK = 0.15
FAILING = 0.02
START_S = 90.0
# After a lost machine was last heard its lease ends, its work is offered after all other work, and then in its turn.
# After a failure: back-off.
LEASE_S = 600.0
OFFERED_S = 1800.0
IN_TURN_S = 4200.0
BACK_OFF_S = 120.0
STUDY = "study"


def timing_table(phantom: str, frequency: float) -> float:
    """Seconds on a usual machine, from the timing table."""
    nodes = list(TIMING_TABLE.items())
    if frequency >= nodes[-1][0]:
        run = nodes[-1][1] * (frequency / nodes[-1][0]) ** 1.2
    else:
        (low, fast), (high, slow) = next(pair for pair in pairwise(nodes) if pair[0][0] <= frequency <= pair[1][0])
        run = fast * (slow / fast) ** (math.log(frequency / low) / math.log(high / low))
    return float(run / RUN * SIZE[phantom])


def paper(phantom: str, frequency: float) -> float:
    """Seconds on a usual machine, between the published ends."""
    adult: float = 290 * (1500 / 290) ** (math.log(frequency / 450) / math.log(5800 / 450))
    return adult * SIZE[phantom] / SIZE["duke"]


TRUTHS: Mapping[str, Callable[[str, float], float]] = {"timing table": timing_table, "paper": paper}


@cache
def config() -> dict[str, Any]:
    """The example campaign: 432 simulations."""
    base = msgspec.json.decode((EXAMPLES / "far_field_base.json").read_bytes())
    own = msgspec.json.decode((EXAMPLES / "far_field_campaign.json").read_bytes())
    del own["extends"]
    return {**base, **own}


@cache
def assignments(by: str, number: int) -> list[list[Case]]:
    """Its cases by assignment, in the order of claims."""
    return [enumerate_cases(it.config) for it in plan(config(), SplitRequest(by, number or None)).assignments]


@cache
def cost(phantom: str, frequency: str, gpu: str) -> CaseCost:
    """What the cost model predicts."""
    return case_cost(config(), phantom, frequency, gpu or None)


def on_gpu(kind: Kind, gpu: str) -> float:
    """The same over the weights' model GPU."""
    return cost(kind.phantom, kind.frequency, gpu).seconds / cost(kind.phantom, kind.frequency, "").seconds


class Look(NamedTuple):
    """What the forecast said at one moment: seconds since the start, `progress` in percent, and seconds from then."""

    at: float
    progress: float
    p10: float
    p50: float
    p90: float


@dataclass
class Replay:
    """One way it went: what was said on the way, and when it was over."""

    looks: list[Look] = field(default_factory=list)
    end: float = 0.0

    def error(self, look: Look) -> float:
        """How far the predicted time to the end was off, over the true one; negative: predicted too short."""
        return look.p50 / (self.end - look.at) - 1

    def at(self, progress: float) -> Look:
        """The first look at or past a progress in percent."""
        return next(look for look in self.looks if look.progress >= progress)


@dataclass
class _Worker:
    name: str
    gpu: str
    throughput: float
    disk: float
    assignment: int = -1
    claimed: float = 0.0
    case: Case | None = None
    began: float = 0.0
    ends: float = 0.0
    fails: bool = False
    lost: bool = False
    heard: float = math.inf


class _World:
    def __init__(self, seed: int, truth: Callable[[str, float], float], parts: list[list[Case]]) -> None:
        self.chance, self.truth = Random(seed), truth
        self.parts = parts
        self.done: list[set[str]] = [set() for _ in parts]
        self.ready = dict.fromkeys(range(len(parts)), 0.0)
        # What a lost machine holds, from when on another may have it.
        self.offered: dict[int, float] = {}
        self.workers = [
            _Worker(f"{gpu} {number}", gpu, self.chance.uniform(low, high), self.chance.lognormvariate(0, DISK))
            for gpu, (low, high, count) in FLEET.items()
            for number in range(count)
        ]
        self.timings: list[Timing] = []
        self.now = 0.0
        self.left = sum(map(len, parts))

    def duration(self, worker: _Worker, case: Case) -> float:
        """Of one simulation, drawn."""
        usual = self.truth(case.phantom, float(case.frequency))
        seconds = usual * (RUN * USUAL / worker.throughput + (1 - RUN) * worker.disk)
        return seconds * self.chance.lognormvariate(0, NOISE)

    def run(self, looks: Iterator[float]) -> Replay:
        replay, due = Replay(), next(looks, math.inf)
        usual = sum(self.truth(it.phantom, float(it.frequency)) for part in self.parts for it in part)
        unlucky = self.chance.choice(self.workers)
        events = [(self.chance.uniform(0.1, 0.7) * usual / len(self.workers), 0, unlucky.name, "lost")]
        events += [(self.chance.uniform(0, 60), number, it.name, "free") for number, it in enumerate(self.workers)]
        heapq.heapify(events)
        names = {worker.name: worker for worker in self.workers}
        ticket = 1000
        while self.left:
            self.now, _, name, what = heapq.heappop(events)
            worker = names[name]
            if worker.lost:
                continue
            if what == "lost":
                worker.lost, worker.heard = True, self.now
                if worker.assignment >= 0:
                    self.offered[worker.assignment] = self.now + OFFERED_S
                continue
            if what == "done":
                self._end(worker)
            when, what = self._next(worker)
            ticket += 1
            heapq.heappush(events, (when, ticket, name, what))
            progress = 100 * self.progress()
            if progress >= due:
                look = self.look(progress)
                if look is not None:
                    replay.looks.append(look)
                while progress >= due:
                    due = next(looks, math.inf)
        replay.end = self.now
        return replay

    def _end(self, worker: _Worker) -> None:
        case = worker.case
        assert case is not None
        if worker.fails:
            self.ready[worker.assignment] = self.now + BACK_OFF_S
            worker.assignment, worker.case = -1, None
            return
        self.done[worker.assignment].add(case.key)
        self.left -= 1
        predicted = cost(case.phantom, case.frequency, worker.gpu).seconds
        kind = Kind(STUDY, case.phantom, case.frequency)
        self.timings.append(Timing(worker.name, worker.gpu, kind, predicted, self.now - worker.began))

    def _next(self, worker: _Worker) -> tuple[float, str]:
        """What the worker does now, and when that is over."""
        start = self.now
        if worker.assignment < 0 or not self.missing(worker.assignment):
            worker.assignment, worker.case = -1, None
            waiting = self.claimable()
            if not waiting:
                later = min([*self.ready.values(), *self.offered.values()], default=self.now + 60)
                return max(later, self.now + 1), "free"
            worker.assignment = waiting[0]
            self.ready.pop(worker.assignment, None)
            self.offered.pop(worker.assignment, None)
            worker.claimed, start = self.now, self.now + START_S
        worker.case = self.missing(worker.assignment)[0]
        worker.began = start
        seconds = self.duration(worker, worker.case)
        worker.fails = self.chance.random() < FAILING
        worker.ends = start + seconds * (self.chance.random() if worker.fails else 1)
        return worker.ends, "done"

    def missing(self, number: int) -> list[Case]:
        """What is not done of an assignment, in order."""
        return [case for case in self.parts[number] if case.key not in self.done[number]]

    def stage(self, worker: _Worker) -> tuple[str, float, Phases]:
        """What the server hears of the simulation at work: its stage, and how far the solver is, 0 to 1."""
        assert worker.case is not None
        it = cost(worker.case.phantom, worker.case.frequency, worker.gpu)
        phases = phases_of_cost(it.overhead_s, it.solver_s)
        now = min(self.now, worker.heard)
        reached = (now - worker.began) / max(worker.ends - worker.began, 1e-9)
        if reached < SETUP:
            return "Setup", 0.0, phases
        if reached < SETUP + RUN:
            return "Run", (reached - SETUP) / RUN, phases
        return "Extract", 0.0, phases

    def claimable(self) -> list[int]:
        """What a worker may have, in the order in which it gets it."""
        waiting = [number for number, ready in self.ready.items() if ready <= self.now]
        late = [number for number, ready in self.offered.items() if ready <= self.now]
        in_turn = [number for number in late if self.offered[number] - OFFERED_S + IN_TURN_S <= self.now]
        return [*sorted([*waiting, *in_turn]), *sorted(late)]

    def heard_of(self) -> list[_Worker]:
        """Workers whose run is not unreachable; of one that is lost nobody knows before its lease ends."""
        return [it for it in self.workers if not it.lost or (it.assignment in self.offered and self.is_leased(it))]

    def is_leased(self, worker: _Worker) -> bool:
        """Whether what it holds is still its own."""
        return self.now < worker.heard + LEASE_S

    def progress(self) -> float:
        """Of the study, 0 to 1, as the server tells it."""
        shares = []
        at_work = {worker.assignment: worker for worker in self.heard_of() if worker.case is not None}
        for number, part in enumerate(self.parts):
            weights = {case.key: case.weight for case in part}
            current, worker = None, at_work.get(number)
            if worker is not None and worker.case is not None and worker.began <= self.now:
                current = Current(worker.case.key, *self.stage(worker))
            shares.append((sum(weights.values()), run_progress(weights, self.done[number], current)))
        return study_progress(shares)

    def look(self, progress: float) -> Look | None:
        """Ask the rules of the product."""
        busy = [worker for worker in self.heard_of() if worker.assignment >= 0]
        speeds = []
        live = []
        for worker in busy:
            case = worker.case
            assert case is not None
            underway = None
            if worker.began <= self.now:
                stage, solver, phases = self.stage(worker)
                begin, end = case_span(stage, phases)
                if stage == "Run":
                    begin = end = begin + (end - begin) * solver
                    it = cost(case.phantom, case.frequency, worker.gpu)
                    ratio = worker.throughput * 1e9 / GPU_RATE[worker.gpu]
                    speeds.append(Speed(worker.name, ratio, it.solver_s / it.seconds))
                kind = Kind(STUDY, case.phantom, case.frequency)
                underway = ahead.Underway(kind, case.weight, self.now - worker.began, begin, end)
            rest = [it for it in self.missing(worker.assignment) if it.key != case.key or underway is None]
            live.append(ahead.RunFacts(worker.name, str(worker.assignment), STUDY, worker.name, _blocks(rest),
                                       underway, self.now - worker.claimed))  # fmt: skip
        held = {worker.assignment for worker in busy}
        later = IN_TURN_S - OFFERED_S if self.ready else 0.0
        waiting = [(number, ready + later) for number, ready in sorted(self.offered.items()) if number not in held]
        queue = [
            ahead.Waiting(str(number), STUDY, _blocks(self.missing(number)), ready=max(ready - self.now, 0.0))
            for number, ready in [*waiting, *sorted(self.ready.items())]
        ]
        facts = [ahead.WorkerFacts(worker.name, worker.gpu, not worker.lost) for worker in self.workers]
        told = ahead.outlook(learn(self.timings, speeds), facts, live, queue, on_gpu)
        eta = told.studies[STUDY].eta if STUDY in told.studies else None
        return None if eta is None else Look(self.now, progress, *eta)


def _blocks(cases: list[Case]) -> list[ahead.Block]:
    kinds: dict[Kind, list[float]] = {}
    for case in cases:
        kinds.setdefault(Kind(STUDY, case.phantom, case.frequency), []).append(case.weight)
    return [ahead.Block(kind, math.fsum(weights), len(weights)) for kind, weights in kinds.items()]


def replay(seed: int, truth: str, looks: Iterator[float], by: str = "balanced", number: int = 12) -> Replay:
    """The example study on a mixed fleet of twelve, asked at the progresses (percent) of `looks`."""
    return _World(seed, TRUTHS[truth], assignments(by, number)).run(looks)

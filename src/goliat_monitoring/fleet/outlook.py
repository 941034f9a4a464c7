"""When each run, assignment and super study will be done, and in how many GPU hours: rates and forecast, together."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from goliat_monitoring.fleet.forecast import Forecast, Machine, Spread, Task, forecast, spread
from goliat_monitoring.fleet.rates import Factor, Kind, Rates

# From a claim to the first simulation: the program and its window start.
START_S = 60.0
# What no fact foretells, machines that are lost above all, as a relative spread of what remains of a study. It only
# ever delays, and of what is spread so to one side half is later than by that share (half-normal distribution).
UNFORESEEN = 0.1
DELAYS = 0.6745 * UNFORESEEN
# A simulation that should be over takes at least this share of its time more.
LAST_SHARE = 0.05

# (kind, GPU) -> what the cost model predicts for that GPU, over what the weights say.
OnGpu = Callable[[Kind, str], float]


class Block(NamedTuple):
    """Simulations of one kind that are still to be done: their weights together, in seconds, and how many."""

    kind: Kind
    weight: float
    simulations: int


class Underway(NamedTuple):
    """The simulation at work: its weight, for how many seconds, and between which fractions of it, 0 to 1, it proves
    to be; equal where its solver tells."""

    kind: Kind
    weight: float
    elapsed: float
    proven: float
    at_most: float


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """A worker. `takes`: it is there and claims work."""

    worker: str
    gpu: str
    takes: bool = True


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A live run of an assignment. `rest`: what it does after the simulation at work. `age`: since the claim, s."""

    run: str
    assignment: str
    study: str
    worker: str
    rest: Sequence[Block]
    underway: Underway | None = None
    age: float = 0.0


class Waiting(NamedTuple):
    """An assignment that waits, in the order of claims. `only`: ids of the workers that may take it, None for all.

    `ready`: seconds until it can be claimed. For `patient` seconds only those of `first` may take it.
    """

    assignment: str
    study: str
    blocks: Sequence[Block]
    only: frozenset[str] | None = None
    ready: float = 0.0
    first: frozenset[str] | None = None
    patient: float = 0.0


class Future(NamedTuple):
    """What lies ahead of a super study. `eta` is None before its first simulation is done, or if `stuck`: something of
    it can be taken by nobody. `machine_s`: by worker, the seconds it is expected to spend on it from now on. `doubt`:
    the relative spread that all its simulations share.
    """

    eta: Spread | None
    machine_s: Mapping[str, float]
    stuck: bool = False
    doubt: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """By id. What is missing is not known yet. `takers`: how many workers took work then."""

    studies: Mapping[str, Future] = field(default_factory=dict)
    assignments: Mapping[str, Spread] = field(default_factory=dict)
    runs: Mapping[str, Spread] = field(default_factory=dict)
    takers: int = 0


def outlook(
    rates: Rates,
    workers: Sequence[WorkerFacts],
    live: Iterable[RunFacts],
    queue: Sequence[Waiting],
    on_gpu: OnGpu,
    planned: str = "",
) -> Outlook:
    """The future of everything that is under way or waits. Of a study none of whose simulations is done, nothing is
    told, but others wait for it all the same; except of `planned`, of which everybody knows that it is a guess."""
    return _Outlook(rates, workers, list(live), queue, on_gpu).told(planned)


def left_of(underway: Underway, expected: float) -> float:
    """Seconds until a simulation is done that should take `expected` of them.

    Time carries it on within what is proven, and the more of it is proven, the more counts how long that took.
    """
    proven = min(max(underway.proven, 0.0), 1.0)
    if not expected > 0 or proven >= 1:
        return 0.0
    elapsed = max(underway.elapsed, 0.0)
    # What was measured counts with the square of the part it covers: expected (1 - p²) + elapsed / p · p².
    whole = expected * (1 - proven**2) + elapsed * proven
    # But one stage that was told too late or too early does not tell everything.
    whole = min(max(whole, expected / 3), expected * 3)
    reached = min(max(elapsed / whole, proven), max(underway.at_most, proven))
    return max(whole * (1 - reached), LAST_SHARE * whole)


class _Outlook:
    def __init__(
        self,
        rates: Rates,
        workers: Sequence[WorkerFacts],
        live: list[RunFacts],
        queue: Sequence[Waiting],
        on_gpu: OnGpu,
    ) -> None:
        self._rates, self._live, self._queue, self._on_gpu = rates, live, queue, on_gpu
        self._kinds: dict[Kind, Factor] = {}
        self._predicted: dict[tuple[Kind, str], float] = {}
        self._workers = list(workers)
        self._places = {worker.worker: place for place, worker in enumerate(self._workers)}
        self._gpus = list(dict.fromkeys(worker.gpu for worker in self._workers))
        self._studies = list(dict.fromkeys([*(it.study for it in live), *(it.study for it in queue)]))
        self._factors = [rates.of_worker(worker.worker, worker.gpu) for worker in self._workers]
        self._left: dict[str, tuple[float, float]] = {}
        self._sets: dict[frozenset[str] | None, frozenset[int] | None] = {None: None}
        self._sizes: dict[tuple[Block, ...], tuple[list[float], float]] = {}

    def told(self, planned: str = "") -> Outlook:
        groups = {study: number for number, study in enumerate(self._studies)}
        machines = self._machines(groups)
        tasks = [self._task(it, groups[it.study]) for it in self._queue]
        doubts = self._doubts()
        played = forecast(machines, tasks, doubts)
        known = {study for study in self._studies if self._rates.seen(study) or study == planned}
        runs, assignments = {}, _Later(played, {
            it.assignment: number for number, it in enumerate(self._queue) if it.study in known
        })  # fmt: skip
        for run in self._live:
            if run.study in known:
                runs[run.run] = spread(*self._left[run.run])
                assignments.told[run.assignment] = runs[run.run]
        work = [{self._workers[place].worker: seconds for place, seconds in spent.items()} for spent in played.work()]
        for run in self._live:
            of_study = work[groups[run.study]]
            of_study[run.worker] = of_study.get(run.worker, 0.0) + self._left[run.run][0]
        studies = {}
        for study, number in groups.items():
            told = played.of_group(number)
            eta = Spread(*(it * (1 + DELAYS) for it in told)) if told is not None and study in known else None
            studies[study] = Future(eta, work[number], stuck=told is None, doubt=doubts[number])
        return Outlook(studies, assignments, runs, sum(worker.takes for worker in self._workers))

    def _machines(self, groups: Mapping[str, int]) -> list[Machine]:
        runs: dict[str, RunFacts] = {}
        for run in self._live:
            self._left[run.run] = self._run_left(run)
            # Several at once on one machine: it is free when the longest of them is over.
            if run.worker not in runs or self._left[run.run] > self._left[runs[run.worker].run]:
                runs[run.worker] = run
        machines = []
        for place, worker in enumerate(self._workers):
            factor = self._factors[place]
            at = runs.get(worker.worker)
            busy, doubt = self._left[at.run] if at is not None else (0.0, 0.0)
            group = groups[at.study] if at is not None else -1
            gpu = self._gpus.index(worker.gpu)
            machines.append(Machine(gpu, factor.value, factor.spread, busy, doubt, group, worker.takes))
        return machines

    def _run_left(self, run: RunFacts) -> tuple[float, float]:
        """Seconds, and their relative spread."""
        place = self._places.get(run.worker)
        factor = self._factors[place] if place is not None else self._rates.of_worker(run.worker, "")
        gpu = self._workers[place].gpu if place is not None else ""
        parts = [(self._seconds(block, gpu) * factor.value, block.simulations) for block in run.rest]
        if run.underway is not None:
            it = run.underway
            expected = self._seconds(Block(it.kind, it.weight, 1), gpu) * factor.value
            parts.append((left_of(it, expected), 1))
        else:
            parts.append((max(START_S - run.age, 0.0), 1))
        total = math.fsum(seconds for seconds, _ in parts)
        return total, math.hypot(factor.spread, self._chance(parts))

    def _task(self, it: Waiting, group: int) -> Task:
        seconds, own = self._size(tuple(it.blocks))
        only, first = self._positions(it.only), self._positions(it.first)
        return Task(seconds, own, group, only, it.ready, first, it.patient)

    def _size(self, blocks: tuple[Block, ...]) -> tuple[list[float], float]:
        """Seconds by GPU, and their relative spread: the same for most assignments of a study."""
        if blocks not in self._sizes:
            seconds = [START_S + math.fsum(self._seconds(block, gpu) for block in blocks) for gpu in self._gpus]
            own = self._chance([(block.weight, block.simulations) for block in blocks])
            self._sizes[blocks] = seconds, own
        return self._sizes[blocks]

    def _positions(self, workers: frozenset[str] | None) -> frozenset[int] | None:
        if workers not in self._sets:
            known = None if workers is None else frozenset(self._places[it] for it in workers if it in self._places)
            self._sets[workers] = known
        return self._sets[workers]

    def _seconds(self, block: Block, gpu: str) -> float:
        key = (block.kind, gpu)
        if key not in self._predicted:
            self._predicted[key] = self._of_kind(block.kind).value * self._on_gpu(block.kind, gpu)
        return block.weight * self._predicted[key]

    def _of_kind(self, kind: Kind) -> Factor:
        if kind not in self._kinds:
            self._kinds[kind] = self._rates.of_kind(kind)
        return self._kinds[kind]

    def _chance(self, parts: Sequence[tuple[float, int]]) -> float:
        """The relative spread of a sum of (seconds of all, how many) from the noise of each simulation alone."""
        total = math.fsum(seconds for seconds, _ in parts)
        if total <= 0:
            return 0.0
        return self._rates.noise * math.sqrt(math.fsum(s * s / max(count, 1) for s, count in parts)) / total

    def _doubts(self) -> list[float]:
        """By study, how doubtful its simulations are as a whole: what remains of a kind errs together."""
        weights: dict[str, dict[Kind, float]] = {study: {} for study in self._studies}
        for it in self._queue:
            for block in it.blocks:
                weights[it.study][block.kind] = weights[it.study].get(block.kind, 0.0) + block.weight
        for run in self._live:
            for block in run.rest:
                weights[run.study][block.kind] = weights[run.study].get(block.kind, 0.0) + block.weight
        found = []
        for kinds in weights.values():
            sized = [(weight * self._of_kind(kind).value, self._of_kind(kind).spread) for kind, weight in kinds.items()]
            total = math.fsum(seconds for seconds, _ in sized)
            # Between "all err alike" and "each for itself": frequencies of one study err alike for the most part.
            alike = math.fsum(seconds * own for seconds, own in sized) / total if total > 0 else 0.0
            found.append(math.hypot(alike, UNFORESEEN))
        return found


class _Later(Mapping[str, Spread]):
    """Of thousands of assignments that wait, only those somebody asks for are worked out."""

    def __init__(self, played: Forecast, places: Mapping[str, int]) -> None:
        self._played, self._places = played, places
        self.told: dict[str, Spread] = {}

    def __getitem__(self, assignment: str) -> Spread:
        if assignment not in self.told:
            found = self._played.of_task(self._places[assignment])
            if found is None:
                raise KeyError(assignment)
            self.told[assignment] = found
        return self.told[assignment]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._places, **self.told})

    def __len__(self) -> int:
        return len({**self._places, **self.told})

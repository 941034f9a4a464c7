"""How long simulations really take, learned from those that finished: what the cost model says, times what was seen.

    ln(seconds / predicted) = frequency + phantom + kind + GPU model + worker + noise

The first three belong to one super study, the others to the fleet. Each is drawn towards 0, the cost model's own
answer, by a prior that weighs as much as its spread below says, so that the model counts until there is evidence and
fades with it. A frequency is also drawn towards its neighbours: between frequencies that were seen the logarithm is
interpolated, beyond them it stays as at the last one.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import NamedTuple

# Spreads of the logarithm, before anything was seen.
FREQUENCY = 0.7  # how far the cost model may be off for a study as a whole
FREQUENCY_STEP = 0.5  # and how much of that changes from a frequency to one e times as high
PHANTOM = 0.2
KIND = 0.15
GPU = 0.15
WORKER = 0.2
# A solver's speed tells of the solver alone, on one grid.
SPEED = 0.3
# Of one simulation, and of a worker with simulations of one kind, where all else is known.
NOISE = 0.15
INTERACTION = 0.06
# So many simulations' worth of belief in NOISE.
NOISE_BELIEF = 10
# A difference of more spreads than this counts as if it were so much: one odd simulation moves little.
OUTLIER = 1.5
# Less than this share of what was predicted is no computation: its files were there. Unless so many of a study agree
# and none of it took longer: then that is its pace, a simulated fleet's above all.
CACHED_SHARE = 0.08
AGREEING = 3
SWEEPS = 25

Key = tuple[str, ...]


class Kind(NamedTuple):
    """Simulations that differ only in placement, and so take equally long."""

    study: str
    phantom: str
    frequency: str


class Timing(NamedTuple):
    """A finished simulation: `predicted` by the cost model for that GPU, and `seconds` measured."""

    worker: str
    gpu: str
    kind: Kind
    predicted: float
    seconds: float


class Speed(NamedTuple):
    """A solver at work: its speed over the predicted one, and the solver's share of the simulation's time."""

    worker: str
    ratio: float
    share: float


class Factor(NamedTuple):
    """What to multiply a prediction by, and the spread of its logarithm."""

    value: float
    spread: float


class _Effect(NamedTuple):
    value: float
    spread: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What was learned. Of what was never seen, the prior is told."""

    effects: Mapping[Key, _Effect]
    frequencies: Mapping[str, Sequence[float]]
    noise: float
    counts: Mapping[str, int]

    def seen(self, study: str) -> int:
        """How many simulations of a study taught something."""
        return self.counts.get(study, 0)

    def of_kind(self, kind: Kind) -> Factor:
        """What simulations of a kind take over their prediction, on any machine."""
        frequency = self._frequency(kind)
        phantom = self._effect(("phantom", kind.study, kind.phantom), PHANTOM)
        own = self._effect(("kind", *kind), KIND)
        return _factor(frequency, phantom, own)

    def of_worker(self, worker: str, gpu: str) -> Factor:
        """What a machine takes over the prediction for its GPU, whatever it computes."""
        return _factor(self._effect(("gpu", gpu), GPU), self._effect(("worker", worker), WORKER))

    def _effect(self, key: Key, prior: float) -> _Effect:
        return self.effects.get(key, _Effect(0.0, prior))

    def _frequency(self, kind: Kind) -> _Effect:
        seen = self.frequencies.get(kind.study, ())
        if not seen:
            return _Effect(0.0, FREQUENCY)
        at = log_frequency(kind.frequency)
        above = bisect_left(seen, at)
        low, high = seen[max(above - 1, 0)], seen[min(above, len(seen) - 1)]
        below, over = (self.effects[_frequency_key(kind.study, node)] for node in (low, high))
        if at <= low or at >= high:
            nearest, node = (below, low) if at <= low else (over, high)
            return _Effect(nearest.value, math.hypot(nearest.spread, FREQUENCY_STEP * math.sqrt(abs(at - node))))
        share = (at - low) / (high - low)
        between = FREQUENCY_STEP * math.sqrt((at - low) * (high - at) / (high - low))
        return _Effect(
            below.value + share * (over.value - below.value), math.hypot(max(below.spread, over.spread), between)
        )


def log_frequency(frequency: str) -> float:
    """The logarithm of MHz; of several tones, of the highest. 0 for what is no number."""
    try:
        highest = max(float(tone) for tone in frequency.split("+"))
    except ValueError:
        return 0.0
    return math.log(highest) if math.isfinite(highest) and highest > 0 else 0.0


def _usable(timing: Timing) -> bool:
    """Whether a simulation was computed, and its times are times. Cached ones fly by."""
    return _timed(timing) and timing.seconds > CACHED_SHARE * timing.predicted


def computed(timings: Iterable[Timing]) -> list[Timing]:
    """Those to learn from."""
    timed = [it for it in timings if _timed(it)]
    slow = {it.kind.study for it in timed if _usable(it)}
    fast = Counter(it.kind.study for it in timed if it.kind.study not in slow)
    return [it for it in timed if _usable(it) or fast[it.kind.study] >= AGREEING]


def _timed(timing: Timing) -> bool:
    return (
        math.isfinite(timing.seconds)
        and math.isfinite(timing.predicted)
        and timing.predicted > 0
        and timing.seconds > 0
    )


def learn(timings: Iterable[Timing], speeds: Iterable[Speed] = ()) -> Rates:
    """What finished simulations, and solvers at work, teach. The order of neither matters."""
    groups: dict[tuple[str, str, Kind], list[float]] = {}
    counts: dict[str, int] = {}
    for it in computed(timings):
        groups.setdefault((it.worker, it.gpu, it.kind), []).append(math.log(it.seconds / it.predicted))
        counts[it.kind.study] = counts.get(it.kind.study, 0) + 1
    noise = _noise(groups.values())
    fit = _Fit()
    for (worker, gpu, kind), logs in sorted(groups.items()):
        variance = noise**2 / len(logs) + INTERACTION**2
        fit.add(median(logs), variance, (
            (_frequency_key(kind.study, log_frequency(kind.frequency)), FREQUENCY),
            (("phantom", kind.study, kind.phantom), PHANTOM),
            (("kind", *kind), KIND),
            (("gpu", gpu), GPU),
            (("worker", worker), WORKER),
        ))  # fmt: skip
    for speed in sorted(speeds):
        if math.isfinite(speed.ratio) and speed.ratio > 0:
            share = min(max(speed.share, 0.0), 1.0)
            fit.add(-share * math.log(speed.ratio), SPEED**2, ((("worker", speed.worker), WORKER),))
    frequencies: dict[str, list[float]] = {}
    for study, node in sorted({(kind.study, log_frequency(kind.frequency)) for _, _, kind in groups}):
        frequencies.setdefault(study, []).append(node)
    for study, nodes in frequencies.items():
        for low, high in pairwise(nodes):
            fit.bind(_frequency_key(study, low), _frequency_key(study, high), FREQUENCY_STEP**2 * (high - low))
    return Rates(fit.solve(), frequencies, noise, counts)


class _Fit:
    """Least squares with priors, one unknown after the other until they stand still."""

    def __init__(self) -> None:
        self._priors: dict[Key, float] = {}
        self._cells: list[tuple[float, float, tuple[Key, ...]]] = []
        self._members: dict[Key, list[int]] = {}
        self._bonds: dict[Key, list[tuple[Key, float]]] = {}

    def add(self, value: float, variance: float, effects: Sequence[tuple[Key, float]]) -> None:
        """Something was seen: the sum of `effects`, each a key and the spread of its prior."""
        for key, prior in effects:
            self._priors[key] = prior
            self._members.setdefault(key, []).append(len(self._cells))
        self._cells.append((value, variance, tuple(key for key, _ in effects)))

    def bind(self, one: Key, other: Key, variance: float) -> None:
        """Two effects differ by about so much."""
        self._bonds.setdefault(one, []).append((other, variance))
        self._bonds.setdefault(other, []).append((one, variance))

    def solve(self) -> dict[Key, _Effect]:
        """Each effect with its spread, the others taken as known."""
        values = dict.fromkeys(self._priors, 0.0)
        rest = [value for value, _, _ in self._cells]
        trust = [1 / variance for _, variance, _ in self._cells]
        spreads: dict[Key, float] = {}
        for _ in range(SWEEPS):
            for key, cells in self._members.items():
                own, prior = values[key], 1 / self._priors[key] ** 2
                weight, pull = prior, 0.0
                for cell in cells:
                    weight += trust[cell]
                    pull += trust[cell] * (rest[cell] + own)
                for other, variance in self._bonds.get(key, ()):
                    weight += 1 / variance
                    pull += values[other] / variance
                values[key] = pull / weight
                spreads[key] = weight**-0.5
                for cell in cells:
                    rest[cell] -= values[key] - own
            for cell, (_, variance, _) in enumerate(self._cells):
                far = abs(rest[cell]) / (OUTLIER * math.sqrt(variance))
                trust[cell] = 1 / variance / max(1.0, far)
        return {key: _Effect(value, spreads[key]) for key, value in values.items()}


def _frequency_key(study: str, node: float) -> Key:
    return ("frequency", study, f"{node:.6f}")


def _noise(groups: Iterable[Sequence[float]]) -> float:
    """The spread of one simulation around the median of its group."""
    repeated = [(median(logs), logs) for logs in groups if len(logs) > 1]
    # Summed exactly, so that the order of what was seen does not show.
    squares = math.fsum(min(abs(it - middle), 3 * NOISE) ** 2 for middle, logs in repeated for it in logs)
    count = sum(len(logs) - 1 for _, logs in repeated)
    return math.sqrt((NOISE_BELIEF * NOISE**2 + squares) / (NOISE_BELIEF + count))


def _factor(*effects: _Effect) -> Factor:
    return Factor(
        math.exp(math.fsum(effect.value for effect in effects)), math.hypot(*(effect.spread for effect in effects))
    )

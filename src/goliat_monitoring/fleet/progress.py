"""How far a run and a super study are, from proven cases and the weights of what remains."""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

# Shares of one simulation's time, from logged studies: setup 19 to 33 %, run 43 to 52 %, extraction 24 to 28 %.
_SPANS: Mapping[str, tuple[float, float]] = {
    "Setup": (0.0, 0.25),
    "Run": (0.25, 0.75),
    "Extract": (0.75, 1.0),
}
# GOLIAT names these stages when the phase has just ended.
_ENDS: Mapping[str, float] = {"Running Simulation": 0.75, "Extracting Results": 1.0}
# Shown while anything is unproven.
ALMOST = 0.999


@dataclass(frozen=True, slots=True)
class Current:
    """The simulation under way: its case key, GOLIAT's stage name, and that stage's fraction from 0 to 1."""

    key: str
    stage: str
    fraction: float


def case_fraction(stage: str, fraction: float) -> float:
    """How far one simulation is, 0 to 1. Stages that tell nothing (`Finished`, `Error`, unknown ones) count 0."""
    if stage in _ENDS:
        return _ENDS[stage]
    begin, end = _SPANS.get(stage, (0.0, 0.0))
    within = min(1.0, max(0.0, fraction)) if math.isfinite(fraction) else 0.0
    return begin + (end - begin) * within


def run_progress(weights: Mapping[str, float], done: Collection[str], current: Current | None) -> float:
    """How far a run is, 0 to 1: the proven part of the weights of its cases, by key. 1.0 only when all are proven."""
    proven = set(done)
    if weights and proven.issuperset(weights):
        return 1.0
    total = sum(weights.values())
    if total <= 0:
        return 0.0
    reached = sum(weight for key, weight in weights.items() if key in proven)
    if current is not None and current.key in weights and current.key not in proven:
        reached += weights[current.key] * case_fraction(current.stage, current.fraction)
    return min(ALMOST, reached / total)


def study_progress(parts: Iterable[tuple[float, float]]) -> float:
    """How far a super study is, 0 to 1, from (weight, progress) of its assignments. 1.0 only when each is at 1.0."""
    pairs = list(parts)
    if pairs and all(progress >= 1.0 for _, progress in pairs):
        return 1.0
    total = sum(weight for weight, _ in pairs)
    if total <= 0:
        return 0.0
    return min(ALMOST, sum(weight * min(1.0, max(0.0, progress)) for weight, progress in pairs) / total)

"""How far a run and a super study are, from proven cases and the weights of what remains."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

# Shown while anything is unproven.
ALMOST = 0.999


class Phases(NamedTuple):
    """Where setup and run end, as shares of one simulation's time; extraction ends at 1."""

    setup: float
    run: float


# From logged studies: setup 19 to 33 %, run 43 to 52 %, extraction 24 to 28 %.
TYPICAL = Phases(0.25, 0.75)


def phases_of_cost(overhead: float, solver: float) -> Phases:
    """Where the phases end by the cost model, which says what is spent in the solver and what beside it: 30 % of that
    in setup, 20 % in the run (writing the input, statistics), 50 % in extraction, as in logged studies."""
    total = overhead + solver
    if not (math.isfinite(total) and total > 0 and overhead >= 0 and solver >= 0):
        return TYPICAL
    return Phases(0.3 * overhead / total, (0.5 * overhead + solver) / total)


def learned_phases(prior: Phases, seen: Sequence[Phases]) -> Phases:
    """`prior`, which counts as much as three simulations, drawn towards the median of what was measured."""
    if not seen:
        return prior
    trust = len(seen) / (len(seen) + 3)
    setup = prior.setup + trust * (median(it.setup for it in seen) - prior.setup)
    run = prior.run + trust * (median(it.run for it in seen) - prior.run)
    return Phases(setup, max(setup, run))


@dataclass(frozen=True, slots=True)
class Current:
    """The simulation under way: its case key, GOLIAT's stage name, that stage's fraction from 0 to 1, its phases."""

    key: str
    stage: str
    fraction: float
    phases: Phases = TYPICAL


def case_span(stage: str, phases: Phases = TYPICAL) -> tuple[float, float]:
    """What part of one simulation a stage is, 0 to 1. Stages that tell nothing (`Finished`, `Error`, unknown ones) are
    (0, 0); those that GOLIAT names when a phase has just ended are no time at all."""
    spans = {
        "Setup": (0.0, phases.setup),
        "Run": (phases.setup, phases.run),
        "Running Simulation": (phases.run, phases.run),
        "Extract": (phases.run, 1.0),
        "Extracting Results": (1.0, 1.0),
    }
    return spans.get(stage, (0.0, 0.0))


def case_fraction(stage: str, fraction: float, phases: Phases = TYPICAL) -> float:
    """How far one simulation is, 0 to 1, from its stage and the fraction of that stage."""
    begin, end = case_span(stage, phases)
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
        reached += weights[current.key] * case_fraction(current.stage, current.fraction, current.phases)
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

"""Configs for what is missing of a study: the smallest single one that covers it, and several that ask for it exactly.

One config can only ask for a product of lists. An automatic retry has one config, so it may compute again what is done;
a new split, and a person's retry where that matters, have several and compute nothing twice. Where GOLIAT combines all
directions and polarizations of a phantom at a frequency afterwards, such a block is computed whole or not at all.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from goliat_monitoring.study.cases import Case, enumerate_cases
from goliat_monitoring.study.extends import Config, ConfigProblem
from goliat_monitoring.study.space import Part, Space, label, space_of

T = TypeVar("T")
# A scenario with a position and an orientation; in the far field "" with a direction and a polarization.
Placement = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Remaining:
    """A config that covers what is missing. `cases`: what it asks for, in order; `again`: those of them that are done
    and come again because a config asks for a product. `text` says which part of the assignment it is."""

    config: Config
    cases: Sequence[Case]
    again: int
    text: str


def covering(config: Config, missing: Collection[str]) -> Remaining | None:
    """The smallest config that covers the cases with these keys; None where that is the config itself.

    Also None where the config cannot be read or knows none of the keys: then it is run as it is.
    """
    try:
        space = space_of(config)
        placed = _placements(space)
        wanted = [case for case in space.cases if case.key in missing]
        if not wanted or len(wanted) == len(space.cases):
            return None
        part = _bounds(space, wanted, placed)
        smaller = space.config_of(part)
        cases = enumerate_cases(smaller)
    except ConfigProblem:
        return None
    keys = {case.key for case in cases}
    known = {case.key for case in space.cases}
    if len(cases) >= len(space.cases) or not keys.issuperset(case.key for case in wanted) or not keys <= known:
        return None
    return Remaining(smaller, cases, len(cases) - len(wanted), label(part, space.whole))


def spared(config: Config, missing: Collection[str]) -> int:
    """How many simulations fewer `exact_parts` ask for than the smallest single config; 0 where they cannot be used."""
    try:
        space = space_of(config)
        if not missing or not {case.key for case in space.cases}.issuperset(missing):
            return 0
        exact = sum(len(enumerate_cases(space.config_of(part))) for part in exact_parts(space, missing))
    except ConfigProblem:
        return 0
    single = covering(config, missing)
    return len(space.cases if single is None else single.cases) - exact


def exact_parts(space: Space, missing: Collection[str]) -> list[Part]:
    """Parts that together ask for each missing case once and for nothing else, in study order.

    A block of which anything is missing counts as missing whole with `auto_induced`, and where the directions of a
    tessellation cannot be written as a list.
    """
    placed = _placements(space)
    blocks: dict[tuple[str, str], list[Placement]] = {}
    for case in space.cases:
        if case.key in missing:
            blocks.setdefault((case.phantom, case.frequency), []).append(placed[case.placement])
    if space.auto_induced or not (space.near_field or space.whole_degrees):
        whole: dict[tuple[str, str], list[Placement]] = {}
        for case in space.cases:
            if (case.phantom, case.frequency) in blocks:
                whole.setdefault((case.phantom, case.frequency), []).append(placed[case.placement])
        blocks = whole
    # Blocks with the same placements go together: phantoms with the same frequencies make one part.
    alike: dict[tuple[Placement, ...], dict[str, list[str]]] = {}
    for (phantom, frequency), placements in blocks.items():
        alike.setdefault(tuple(placements), {}).setdefault(phantom, []).append(frequency)
    parts: list[Part] = []
    for own, phantoms in alike.items():
        for frequencies, together in _grouped(phantoms).items():
            base = replace(space.whole, phantoms=together, frequencies=frequencies)
            parts += _products(space, base, own)
    return parts


def _products(space: Space, base: Part, placements: Sequence[Placement]) -> list[Part]:
    """`base` narrowed to the placements, in as many parts as they need."""
    scenarios: dict[str, dict[str, list[str]]] = {}
    for scenario, first, second in placements:
        scenarios.setdefault(scenario, {}).setdefault(first, []).append(second)
    if not space.near_field:
        return [
            replace(base, directions=firsts, polarizations=seconds)
            for seconds, firsts in _grouped(scenarios[""]).items()
        ]
    whole = {scenario.name: scenario for scenario in space.whole.scenarios}
    queues = [
        [whole[name]._replace(positions=firsts, orientations=seconds) for seconds, firsts in _grouped(own).items()]
        for name, own in scenarios.items()
    ]
    # One product of each scenario fits into one config.
    return [
        replace(base, scenarios=tuple(queue[turn] for queue in queues if turn < len(queue)))
        for turn in range(max(map(len, queues)))
    ]


def _bounds(space: Space, wanted: Sequence[Case], placed: Mapping[str, Placement]) -> Part:
    """The smallest product that holds all of `wanted`."""
    whole = space.whole
    part = replace(
        whole,
        phantoms=_kept(whole.phantoms, {case.phantom for case in wanted}),
        frequencies=_kept(whole.frequencies, {case.frequency for case in wanted}),
    )
    placements = [placed[case.placement] for case in wanted]
    if space.near_field:
        scenarios = []
        for scenario in whole.scenarios:
            own = [it for it in placements if it[0] == scenario.name]
            if own:
                scenarios.append(
                    scenario._replace(
                        positions=_kept(scenario.positions, {it[1] for it in own}),
                        orientations=_kept(scenario.orientations, {it[2] for it in own}),
                    )
                )
        return replace(part, scenarios=tuple(scenarios))
    if space.auto_induced:
        return part
    directions = _kept(whole.directions, {it[1] for it in placements}) if space.whole_degrees else whole.directions
    return replace(part, directions=directions, polarizations=_kept(whole.polarizations, {it[2] for it in placements}))


def _placements(space: Space) -> dict[str, Placement]:
    """What the name of each placement is made of."""
    whole = space.whole
    if space.near_field:
        return {
            f"{scenario.name}_{position}_{orientation}": (scenario.name, position, orientation)
            for scenario in whole.scenarios
            for position in scenario.positions
            for orientation in scenario.orientations
        }
    return {
        f"environmental_{direction}_{polarization}": ("", direction, polarization)
        for direction in whole.directions
        for polarization in whole.polarizations
    }


def _grouped(items: Mapping[T, Iterable[str]]) -> dict[tuple[str, ...], tuple[T, ...]]:
    """Keys that have the same values, together."""
    found: dict[tuple[str, ...], list[T]] = {}
    for key, values in items.items():
        found.setdefault(tuple(values), []).append(key)
    return {values: tuple(keys) for values, keys in found.items()}


def _kept(items: Sequence[str], wanted: Collection[str]) -> tuple[str, ...]:
    return tuple(item for item in items if item in wanted)

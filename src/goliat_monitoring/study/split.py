"""How a study is cut into parts: the strategies of `goliat super_study`, with its order and its rule for factors, and
one that balances predicted times. What would be scientifically wrong, or empty, is refused."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from goliat_monitoring.study.axes import frequency_name
from goliat_monitoring.study.balance import balanced
from goliat_monitoring.study.extends import ConfigProblem
from goliat_monitoring.study.space import Part, Space

# As GOLIAT's own command.
DEFAULT_PARTS = 4
# Far more than any fleet needs; each part is a copy of the config.
MAX_PARTS = 2000
# What is promised of `balanced`, as finish over ideal.
PROMISED = 1.10
_GROUPS = re.compile(r"[0-9.+,; ]*")

T = TypeVar("T")


class SplitProblem(ValueError):
    """A split that is refused; the text says why and what to use instead.

    `instead`: strategies that work for this study. `nearest`: the numbers of parts next to the one asked for.
    """

    def __init__(self, text: str, *, instead: Sequence[str] = (), nearest: Sequence[int] = ()) -> None:
        super().__init__(text)
        self.instead = list(instead)
        self.nearest = list(nearest)


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """What is asked for. `by`: one of `STRATEGIES`, "" for a single part. `number`: of parts (`auto`) or of workers
    (`balanced`). `groups`: lists of frequencies as GOLIAT displays them (`custom`)."""

    by: str = ""
    number: int | None = None
    groups: tuple[tuple[str, ...], ...] = ()


class Parts(NamedTuple):
    """The parts in the order of their index, and what a person should know about them."""

    parts: list[Part]
    warnings: list[str]


def parse_groups(value: str | Sequence[Sequence[object]]) -> tuple[tuple[str, ...], ...]:
    """Frequency groups from "5800;3500,2140;700+2450" or from a list of lists of MHz; empty groups are left out.

    Raises:
        SplitProblem: something that is no frequency in MHz, or no group at all.
    """
    if isinstance(value, str):
        if not _GROUPS.fullmatch(value):
            raise SplitProblem(
                f"The frequency groups {value!r:.80} cannot be read. Write MHz with ',' inside a group and ';' "
                'between groups: "5800;3500,2140;450".'
            )
        value = [[item for item in group.split(",") if item.strip()] for group in value.split(";")]
    try:
        groups = tuple(tuple(frequency_name(_number(item)) for item in group) for group in value if group)
    except ConfigProblem as problem:
        raise SplitProblem(f"In the frequency groups, {problem}") from None
    if not groups:
        raise SplitProblem('There is no frequency group. Write them like "5800;3500,2140;450".')
    return groups


def parts_of(space: Space, request: SplitRequest) -> Parts:
    """The parts of the study that `space` spans.

    Raises:
        SplitProblem: an unknown strategy, one that does not fit the study, a number that cannot be met, groups that do
            not name each frequency once, or a study without simulations.
    """
    if not space.cases:
        raise SplitProblem(f"The study has no simulation: {emptiness(space)}.")
    strategy = STRATEGIES.get(request.by)
    if request.by and strategy is None:
        raise SplitProblem(f"There is no split by {request.by!r:.40}. Use one of {', '.join(STRATEGIES)}.")
    warnings: list[str] = []
    if request.number is not None:
        if request.by not in ("auto", "balanced"):
            warnings.append("The number of parts is ignored: only auto and balanced take one.")
        elif not 1 <= request.number <= MAX_PARTS:
            raise SplitProblem(f"The number must lie between 1 and {MAX_PARTS}.")
    if request.groups and request.by != "custom":
        warnings.append("The frequency groups are ignored: only custom takes them.")
    parts, more = strategy(space, request) if strategy else Parts([space.whole], [])
    if len(parts) > MAX_PARTS:
        raise SplitProblem(f"That would be {len(parts)} assignments, more than {MAX_PARTS}. Use balanced.")
    # Of a scenario without positions, or in which no phantom is placed; the plan tells.
    return Parts([part for part in parts if space.simulations(part)], [*warnings, *more])


def achievable(phantoms: int, items: int) -> list[int]:
    """The numbers of parts that `auto` can make of so many phantoms and frequencies (or antennas)."""
    return sorted({p * i for p in range(1, phantoms + 1) for i in range(1, items + 1) if p * i <= MAX_PARTS})


def factors(number: int, phantoms: int, items: int) -> tuple[int, int] | None:
    """GOLIAT's choice: of all (p, i) with p·i = number, p ≤ phantoms, i ≤ items the one with the largest p."""
    for groups in range(min(number, phantoms), 0, -1):
        if number % groups == 0 and number // groups <= items:
            return groups, number // groups
    return None


def runs(items: Sequence[T], number: int) -> list[tuple[T, ...]]:
    """`items` in `number` neighbouring runs; the first ones get one more where they cannot be equal."""
    size, more = divmod(len(items), number)
    bounds = [i * size + min(i, more) for i in range(number + 1)]
    return [tuple(items[start:end]) for start, end in itertools.pairwise(bounds)]


def _auto(space: Space, request: SplitRequest) -> Parts:
    whole, number = space.whole, request.number or DEFAULT_PARTS
    chosen = factors(number, len(whole.phantoms), len(whole.frequencies))
    if chosen is None:
        possible = achievable(len(whole.phantoms), len(whole.frequencies))
        below, above = [it for it in possible if it < number][-1:], [it for it in possible if it > number][:1]
        nearest = below + above
        raise SplitProblem(
            f"{len(whole.phantoms)} phantoms and {len(whole.frequencies)} frequencies cannot be cut into {number} "
            f"parts. The nearest numbers that can be met: {' and '.join(map(str, nearest))}. Or use balanced.",
            instead=["balanced"],
            nearest=nearest,
        )
    return Parts(
        [
            replace(whole, phantoms=phantoms, frequencies=frequencies)
            for phantoms in runs(whole.phantoms, chosen[0])
            for frequencies in runs(whole.frequencies, chosen[1])
        ],
        [],
    )


def _phantom(space: Space, _: SplitRequest) -> Parts:
    return Parts([replace(space.whole, phantoms=(it,)) for it in space.whole.phantoms], [])


def _frequency(space: Space, _: SplitRequest) -> Parts:
    return Parts([replace(space.whole, frequencies=(it,)) for it in space.whole.frequencies], [])


def _direction(space: Space, _: SplitRequest) -> Parts:
    _only_far_field(space, "direction")
    if not space.whole_degrees:
        raise SplitProblem(
            "The tessellation has angles that are not whole degrees, and GOLIAT names its directions in whole degrees. "
            "Split by phantom, frequency or polarization, or write the directions as incident_directions.",
            instead=["phantom", "frequency", "polarization"],
        )
    return Parts([replace(space.whole, directions=(it,)) for it in space.whole.directions], [])


def _polarization(space: Space, _: SplitRequest) -> Parts:
    _only_far_field(space, "polarization")
    return Parts([replace(space.whole, polarizations=(it,)) for it in space.whole.polarizations], [])


def _freq_x_pol(space: Space, _: SplitRequest) -> Parts:
    _only_far_field(space, "freq_x_pol")
    return Parts(
        [
            replace(space.whole, frequencies=(frequency,), polarizations=(polarization,), grid_too=True)
            for frequency in space.whole.frequencies
            for polarization in space.whole.polarizations
        ],
        [],
    )


def _scenario(space: Space, _: SplitRequest) -> Parts:
    if not space.near_field:
        raise SplitProblem(
            "A split by scenario is for near-field studies; this one is far field. "
            "Use auto, phantom, frequency or balanced.",
            instead=["auto", "phantom", "frequency", "balanced"],
        )
    return Parts(
        [
            replace(space.whole, scenarios=(scenario._replace(orientations=(orientation,)),))
            for scenario in space.whole.scenarios
            for orientation in scenario.orientations
        ],
        [],
    )


def _custom(space: Space, request: SplitRequest) -> Parts:
    if not request.groups:
        raise SplitProblem('A custom split needs frequency groups, such as "5800;3500,2140;450".')
    named = [frequency for group in request.groups for frequency in group]
    available = space.whole.frequencies
    unknown = [it for it in dict.fromkeys(named) if it not in available]
    twice = [it for it in dict.fromkeys(named) if named.count(it) > 1]
    missing = [it for it in available if it not in named]
    for found, fault, remedy in (
        (unknown, "not in the study", f"The study has {_shown(available)}."),
        (twice, "named more than once, and would be simulated more than once", "Name each frequency once."),
        (missing, "in no group, and would not be simulated", "Add them to a group, or take them out of the config."),
    ):
        if found:
            raise SplitProblem(f"Frequencies {fault}: {_shown(found)}. {remedy}")
    return Parts([replace(space.whole, frequencies=group, grid_too=True) for group in request.groups], [])


def _balanced(space: Space, request: SplitRequest) -> Parts:
    workers = request.number or DEFAULT_PARTS
    balance = balanced(space, workers, MAX_PARTS)
    if balance.ratio <= PROMISED:
        return Parts(balance.parts, [])
    if space.auto_induced:
        why = "its blocks of one phantom at one frequency cannot be cut, because auto_induced combines each of them"
    elif len(balance.parts) == MAX_PARTS:
        why = f"more than {MAX_PARTS} assignments would be needed"
    elif not space.whole_degrees:
        why = (
            "its tessellation has angles that are not whole degrees, by which GOLIAT names directions, and cannot be "
            "cut by direction"
        )
    else:
        why = "its simulations are too few or too unequal"
    return Parts(
        balance.parts,
        [f"{workers} workers finish {balance.ratio:.2f} times later than ideal: {why}. Fewer workers would do."],
    )


STRATEGIES: Mapping[str, Callable[[Space, SplitRequest], Parts]] = {
    "auto": _auto,
    "phantom": _phantom,
    "frequency": _frequency,
    "direction": _direction,
    "polarization": _polarization,
    "freq_x_pol": _freq_x_pol,
    "scenario": _scenario,
    "custom": _custom,
    "balanced": _balanced,
}


def _only_far_field(space: Space, by: str) -> None:
    if space.near_field:
        raise SplitProblem(
            f"A split by {by} is for far-field studies; this one is near field. "
            "Use auto, phantom, frequency, scenario or balanced.",
            instead=["auto", "phantom", "frequency", "scenario", "balanced"],
        )
    if space.auto_induced:
        raise SplitProblem(
            "With auto_induced, GOLIAT combines all directions and polarizations of a phantom at a frequency; split "
            f"by {by}, each machine would combine only its own and call that the result. "
            "Use phantom, frequency, auto, custom or balanced.",
            instead=["phantom", "frequency", "auto", "custom", "balanced"],
        )


def emptiness(space: Space) -> str:
    """Which list of a study without simulations is empty."""
    whole = space.whole
    if not whole.phantoms and space.idle:
        return (
            f"no phantom is placed in any scenario ({_shown(space.idle)}); look at phantom_definitions, "
            "placement_scenarios and antenna_config"
        )
    lists: Iterable[tuple[str, Sequence[Any]]] = (
        ("phantoms", whole.phantoms),
        ("antenna_config" if space.near_field else "frequencies_mhz", whole.frequencies),
        ("incident_directions", whole.directions or whole.scenarios),
        ("polarizations", whole.polarizations or whole.scenarios),
    )
    empty = [name for name, items in lists if not items]
    return f"{' and '.join(empty)} {'are' if len(empty) > 1 else 'is'} missing or empty"


def _number(item: object) -> object:
    """Text of one number as that number, so that "700" and 700 are the same frequency."""
    text = item.strip() if isinstance(item, str) else item
    return float(text) if isinstance(text, str) and re.fullmatch(r"\d+\.\d+", text) else text


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")

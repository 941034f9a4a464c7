"""Which simulations a config asks for, in the order in which GOLIAT runs them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from goliat_monitoring.study.axes import Block, far_field_blocks, near_field_blocks
from goliat_monitoring.study.extends import Config, ConfigProblem
from goliat_monitoring.study.paths import PathProblem, clean_relative_path
from goliat_monitoring.study.weights import case_seconds

# A campaign has hundreds; the limit keeps a mistyped or hostile config from filling the memory.
MAX_CASES = 100_000


@dataclass(frozen=True, slots=True)
class Case:
    """One simulation that a config asks for.

    `key`: stable over runs and run tags, "<phantom in lower case>/<frequency>MHz/<placement>". `ordinal`: position
    in the order of execution, from 0. `frequency`: MHz, "700", or "700+2450" for one simulation of several tones.
    `placement`: "environmental_x_pos_theta" or "by_belly_up_vertical". `details`: the text with which GOLIAT
    announces it. `relative_path`: the folder of its results below `results`. `weight`: predicted seconds.
    """

    key: str
    ordinal: int
    phantom: str
    frequency: str
    placement: str
    details: str
    relative_path: str
    weight: float


@dataclass(frozen=True, slots=True)
class Phases:
    """Which phases a study goes through. `only_write_input`: the run phase writes the solver's input and stops."""

    do_setup: bool = True
    do_run: bool = True
    do_extract: bool = True
    only_write_input: bool = False


def phases(config: Config) -> Phases:
    """The phases of a resolved config; a phase without a switch is on."""
    control = config.get("execution_control")
    switches: dict[str, Any] = control if isinstance(control, dict) else {}

    def on(name: str) -> bool:
        value = switches.get(name)
        return True if value is None else bool(value)

    return Phases(on("do_setup"), on("do_run"), on("do_extract"), bool(switches.get("only_write_input_file")))


def count_cases(config: Config) -> int:
    """Number of simulations of a resolved config, as GOLIAT counts them.

    Raises:
        ConfigProblem: as `enumerate_cases`, except that cases which share a folder are not noticed.
    """
    return sum(len(block.placements) for block in _blocks(config))


def enumerate_cases(config: Config) -> list[Case]:
    """The simulations of a resolved config in the order in which GOLIAT runs them.

    Far field: phantom, frequency, direction, polarization. Near field: phantom, antenna, scenario, position,
    orientation; a phantom without `do_<scenario>` contributes nothing for that scenario.

    Raises:
        ConfigProblem: `extends` is still there, `study_type` is neither of the two, a value has a shape that GOLIAT
            would misread, two cases would write to the same folder, or there are more than 100 000.
    """
    cases: list[Case] = []
    seen: dict[str, str] = {}
    tag = _run_tag(config.get("run_tag"))
    study_type = str(config.get("study_type"))
    for block in _blocks(config):
        weight = case_seconds(config, block.phantom, block.frequency)
        for placement, announced in block.placements:
            key = f"{block.phantom.lower()}/{block.frequency}MHz/{placement}"
            details = f"{block.phantom}, {block.frequency}MHz, {announced}"
            # Windows folders do not tell upper from lower case.
            twin = seen.setdefault(key.casefold(), details)
            if twin is not details:
                raise ConfigProblem(
                    f"'{twin}' and '{details}' would write to the same result folder. Remove the repeated entry.",
                    key=block.source,
                )
            path = f"{study_type}/{key}{tag}"
            try:
                if clean_relative_path(path) != path or path.count("/") != 3:
                    raise PathProblem("a name in it is empty or contains '/'.")
            except PathProblem as problem:
                raise ConfigProblem(
                    f"The results of '{details}' cannot be stored: {problem}", key=block.source
                ) from problem
            cases.append(
                Case(key, len(cases), block.phantom, block.frequency, placement, details, path, weight),
            )
    return cases


def _blocks(config: Config) -> Iterator[Block]:
    if not isinstance(config, dict):
        raise ConfigProblem("The config is not a JSON object.")
    if "extends" in config:
        raise ConfigProblem("The config still extends another one; resolve it first.", key="extends")
    study_type = config.get("study_type")
    if study_type == "far_field":
        blocks = far_field_blocks(config)
    elif study_type == "near_field":
        blocks = near_field_blocks(config)
    else:
        raise ConfigProblem('\'study_type\' must be "near_field" or "far_field".', key="study_type")
    total = 0
    for block in blocks:
        total += len(block.placements)
        if total > MAX_CASES:
            raise ConfigProblem(f"The config asks for more than {MAX_CASES} simulations.")
        yield block


def _run_tag(value: object) -> str:
    """The suffix that GOLIAT appends to the placement folder."""
    if not isinstance(value, str) or not value.strip():
        return ""
    return "__" + re.sub(r"[^A-Za-z0-9._-]", "_", value.strip())

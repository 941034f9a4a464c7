"""What a study spans, and parts of it: a part is a product of lists, so that one GOLIAT config can ask for it."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from goliat_monitoring.study.axes import Scenario, far_field_axes, near_field_axes
from goliat_monitoring.study.cases import Case, enumerate_cases
from goliat_monitoring.study.extends import Config
from goliat_monitoring.study.weights import case_seconds


@dataclass(frozen=True, slots=True)
class Part:
    """A product of lists. Far field: of phantoms, frequencies, directions and polarizations. Near field: of phantoms,
    frequencies and the placements of `scenarios`, for each phantom those it is placed in.

    `grid_too`: the list of grid steps per frequency is cut to the part's own frequencies, as GOLIAT does for some
    splits.
    """

    phantoms: tuple[str, ...]
    frequencies: tuple[str, ...]
    directions: tuple[str, ...] = ()
    polarizations: tuple[str, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    grid_too: bool = False


@dataclass(frozen=True, slots=True)
class Space:
    """A resolved config, its simulations in study order, and the part that is all of it.

    `sources`: what the config writes for a frequency as it is displayed (near field: the key of the antenna).
    `placed`: the scenarios of each phantom (near field). `idle`: phantoms without any simulation, left out of `whole`.
    `whole_degrees`: False where a tessellation cannot be written as a list of directions.
    """

    config: Config
    cases: Sequence[Case]
    whole: Part
    sources: Mapping[str, Any]
    placed: Mapping[str, Sequence[str]]
    idle: Sequence[str]
    whole_degrees: bool
    _seconds: dict[tuple[str, str, str], float] = field(default_factory=dict)

    @property
    def near_field(self) -> bool:
        """Whether this is a near-field study; the only other kind is far field."""
        return bool(self.config["study_type"] == "near_field")

    @property
    def auto_induced(self) -> bool:
        """Whether GOLIAT combines all directions and polarizations of a phantom at a frequency afterwards."""
        induced = self.config.get("auto_induced")
        return not self.near_field and isinstance(induced, dict) and bool(induced.get("enabled"))

    def simulations(self, part: Part) -> int:
        """How many simulations `part` asks for."""
        return len(part.frequencies) * sum(self._placements(part, phantom) for phantom in part.phantoms)

    def seconds(self, part: Part, gpu: str = "") -> float:
        """Predicted seconds of `part` on a GPU of that model; without one, on the model that weights are made for."""
        return sum(
            self._placements(part, phantom) * sum(self._case_seconds(phantom, it, gpu) for it in part.frequencies)
            for phantom in part.phantoms
        )

    def config_of(self, part: Part) -> Config:
        """A self-contained config that asks for `part` and nothing else; keys keep their order."""
        config = copy.deepcopy(self.config)
        # Always a list: the letters of a plain name would be taken for phantoms by GOLIAT's own splitter.
        config["phantoms"] = list(part.phantoms)
        if self.near_field:
            self._narrow_near_field(config, part)
        else:
            config["frequencies_mhz"] = [self.sources[frequency] for frequency in part.frequencies]
            environmental = config["far_field_setup"]["environmental"]
            if part.polarizations != self.whole.polarizations:
                environmental["polarizations"] = list(part.polarizations)
            if part.directions != self.whole.directions:
                environmental["incident_directions"] = list(part.directions)
                # It would win over the list.
                if environmental.get("spherical_tessellation"):
                    environmental["spherical_tessellation"] = None
        if part.grid_too:
            _narrow_grid(config, part.frequencies)
        return config

    def _narrow_near_field(self, config: Config, part: Part) -> None:
        antennas = config["antenna_config"]
        config["antenna_config"] = {self.sources[it]: antennas[self.sources[it]] for it in part.frequencies}
        if part.scenarios == self.whole.scenarios:
            return
        whole = {scenario.name: scenario for scenario in self.whole.scenarios}
        kept: Config = {}
        for scenario in part.scenarios:
            details = config["placement_scenarios"][scenario.name]
            if scenario != whole[scenario.name]:
                details["positions"] = {name: details["positions"][name] for name in scenario.positions}
                details["orientations"] = {name: details["orientations"][name] for name in scenario.orientations}
            kept[scenario.name] = details
        config["placement_scenarios"] = kept

    def _placements(self, part: Part, phantom: str) -> int:
        if not self.near_field:
            return len(part.directions) * len(part.polarizations)
        return sum(
            len(scenario.positions) * len(scenario.orientations)
            for scenario in part.scenarios
            if scenario.name in self.placed[phantom]
        )

    def _case_seconds(self, phantom: str, frequency: str, gpu: str) -> float:
        key = (phantom, frequency, gpu)
        if key not in self._seconds:
            self._seconds[key] = case_seconds(self.config, phantom, frequency, gpu or None)
        return self._seconds[key]


def space_of(config: Config) -> Space:
    """The space of a resolved config.

    Raises:
        ConfigProblem: as `enumerate_cases`.
    """
    cases = enumerate_cases(config)
    if config["study_type"] == "near_field":
        near = near_field_axes(config)
        busy = {case.phantom for case in cases}
        whole = Part(
            tuple(phantom for phantom in near.phantoms if phantom in busy),
            tuple(display for display, _ in near.antennas),
            scenarios=tuple(near.scenarios),
        )
        idle = [phantom for phantom in near.phantoms if phantom not in busy]
        return Space(config, cases, whole, dict(near.antennas), near.placed, idle, whole_degrees=True)
    far = far_field_axes(config)
    whole = Part(
        tuple(far.phantoms),
        tuple(display for display, _ in far.frequencies),
        tuple(far.directions),
        tuple(far.polarizations),
    )
    return Space(config, cases, whole, dict(far.frequencies), {}, [], far.whole_degrees)


def label(part: Part, whole: Part) -> str:
    """What makes `part` different from the whole, in words; "everything" if nothing does."""
    words: list[str] = []
    if part.phantoms != whole.phantoms:
        words.append(_listed(part.phantoms))
    if part.frequencies != whole.frequencies:
        words.append(f"{_listed(part.frequencies)} MHz")
    if part.directions != whole.directions:
        words.append(_listed(part.directions))
    if part.polarizations != whole.polarizations:
        words.append(_listed(part.polarizations))
    if part.scenarios != whole.scenarios:
        complete = {scenario.name: scenario for scenario in whole.scenarios}
        words.append(_listed([_scenario_label(it, complete.get(it.name, it)) for it in part.scenarios]))
    return " · ".join(words) or "everything"


def _scenario_label(scenario: Scenario, whole: Scenario) -> str:
    words = [scenario.name]
    if scenario.positions != whole.positions:
        words.append(_listed(scenario.positions))
    if scenario.orientations != whole.orientations:
        words.append(_listed(scenario.orientations))
    return " ".join(words)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} … {names[-1]} ({len(names)})"


def _narrow_grid(config: Config, frequencies: Sequence[str]) -> None:
    grid = config.get("gridding_parameters")
    steps = grid.get("global_gridding_per_frequency") if isinstance(grid, dict) else None
    if not isinstance(grid, dict) or not isinstance(steps, dict):
        return
    # One simulation of several tones is gridded for one of them: keep the entries of all.
    wanted = {tone for frequency in frequencies for tone in (frequency, *frequency.split("+"))}
    kept = {key: step for key, step in steps.items() if key in wanted}
    if kept:
        grid["global_gridding_per_frequency"] = kept

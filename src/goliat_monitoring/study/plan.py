"""From a resolved config and a wish how to split it to the assignments, checked to cover the study exactly."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from goliat_monitoring.study.axes import check_names
from goliat_monitoring.study.balance import Share
from goliat_monitoring.study.cases import Case, enumerate_cases, phases
from goliat_monitoring.study.extends import Config, ConfigProblem
from goliat_monitoring.study.space import Part, Space, label, space_of
from goliat_monitoring.study.split import SplitProblem, SplitRequest, parts_of
from goliat_monitoring.study.weights import unweighable

# Longest share of one of the equal workers over the mean, above which a balanced split is worth a word.
UNEVEN = 1.5
# Characters of all configs together. Real ones have some 20 000 each.
MAX_TEXT = 64 * 2**20


@dataclass(frozen=True, slots=True)
class PlannedAssignment:
    """One assignment to be. `weight`: predicted seconds. `config`: resolved and self-contained, or, of one that
    somebody else cut, with a parent that is not known here: then it cannot be counted and has no `share`.
    """

    index: int
    label: str
    simulations: int
    weight: float
    config: Config
    share: Share | None

    def seconds(self, gpu: str = "") -> float:
        """Predicted on a GPU of that model; without one, on the model that weights are made for."""
        return 0.0 if self.share is None else self.share.space.seconds(self.share.part, gpu)


@dataclass(frozen=True, slots=True)
class Plan:
    """The assignments of a study of so many simulations. `exact`: together they ask for each of its cases once."""

    request: SplitRequest
    assignments: Sequence[PlannedAssignment]
    warnings: Sequence[str]
    simulations: int
    exact: bool

    @property
    def order(self) -> str:
        """By what the assignments are numbered, which is the order in which workers take them."""
        return "scouts, then longest first" if self.request.by == "balanced" else "study order"


def plan(resolved: Config, request: SplitRequest) -> Plan:
    """Split a resolved config.

    Raises:
        ConfigProblem: the config cannot be run.
        SplitProblem: the split is refused, or does not cover every case exactly once.
    """
    config, warnings = ready(resolved)
    space = space_of(config)
    check_names(space.whole.directions, space.whole.polarizations)
    parts, more = parts_of(space, request)
    size = len(json.dumps(config, default=str))
    if size * len(parts) > MAX_TEXT:
        raise SplitProblem(f"{len(parts)} copies of a config of {size} characters are too much. Make fewer parts.")
    assignments: list[PlannedAssignment] = []
    covered: list[Case] = []
    for index, part in enumerate(parts):
        own = space.config_of(part)
        # Counted again from the config itself, as GOLIAT will: the split does not check itself.
        cases = enumerate_cases(own)
        covered += cases
        weight = sum(case.weight for case in cases)
        assignments.append(
            PlannedAssignment(index, label(part, space.whole), len(cases), weight, own, Share(space, part))
        )
    fault = cover_fault(space.cases, covered)
    if fault:
        raise SplitProblem(f"The parts do not cover the study exactly: {fault}.")
    warnings += [*more, *_study_warnings(space, request, parts, assignments)]
    return Plan(request, assignments, warnings, len(space.cases), exact=True)


def ready(resolved: Config) -> tuple[Config, list[str]]:
    """A resolved config as assignments need it, and what was changed: a machine that reports nothing is lost to us.

    Raises:
        ConfigProblem: `execution_control` is no object; GOLIAT would end at once on every machine.
    """
    config, warnings = dict(resolved), []
    if config.get("execution_control") and not isinstance(config["execution_control"], dict):
        raise ConfigProblem("'execution_control' must be an object.", key="execution_control")
    for switch in ("use_gui", "use_web"):
        if config.get(switch) is not None and not config[switch]:
            config[switch] = True
            warnings.append(f"{switch} was off; it is on in every assignment, or nothing would be reported.")
    return config, warnings


def cover_fault(wanted: Sequence[Case], covered: Sequence[Case]) -> str:
    """What is wrong with a cover in which each case of `wanted` has to be exactly once; "" if nothing is."""
    want, have = Counter(case.key for case in wanted), Counter(case.key for case in covered)
    faults = [
        f"{len(list(keys.elements()))} cases {what}, such as {next(iter(keys))}"
        for keys, what in ((want - have, "are missing"), (have - want, "come again or are foreign"))
        if keys
    ]
    return "; ".join(faults)


def _study_warnings(
    space: Space, request: SplitRequest, parts: Sequence[Part], assignments: Sequence[PlannedAssignment]
) -> list[str]:
    config, found = space.config, []
    if space.idle:
        found.append(f"Phantoms without any simulation are left out: {', '.join(space.idle)}.")
    unused = [it.name for it in space.whole.scenarios if not space.simulations(replace(space.whole, scenarios=(it,)))]
    if unused:
        found.append(
            f"Scenarios that run nothing, for want of a phantom, position or orientation: {', '.join(unused)}."
        )
    wanted = phases(config)
    if not (wanted.do_setup or wanted.do_run or wanted.do_extract):
        found.append("All phases are off in execution_control: nothing will run.")
    elif not wanted.do_extract:
        found.append("do_extract is off: there will be no results to collect.")
    blocks = [(phantom, frequency) for phantom in space.whole.phantoms for frequency in space.whole.frequencies]
    odd = dict.fromkeys(key for block in blocks if (key := unweighable(config, *block)))
    if odd:
        found.append(
            f"{', '.join(odd)} cannot be read: simulations count as one second each where it is needed, so times are "
            "wrong, and GOLIAT may fail."
        )
    table = f"The detuning table {str(config.get('detuning_config'))!r:.80}"
    if config.get("detuning_config") and config.get("detuning_enabled"):
        found.append(f"{table} is not sent along: every machine needs it, at that path from its configs folder.")
    if config.get("detuning_config") and config.get("detuning_write_during_calibration"):
        found.append(f"{table} is written by every machine for its own assignments, and is not collected.")
    if space.auto_induced:
        jobs = len(space.whole.phantoms) * len(space.whole.frequencies)
        found.append(f"auto_induced adds {jobs} jobs after the simulations; they are in no count and no prediction.")
    if any(part.directions != space.whole.directions for part in parts):
        environmental = config["far_field_setup"]["environmental"]
        if environmental.get("spherical_tessellation"):
            found.append("The tessellation is written out as a list of directions.")
    weights = [assignment.weight for assignment in assignments]
    longest = max(weights) * len(weights) / sum(weights)
    if longest > UNEVEN and request.by != "balanced":
        found.append(
            f"The longest assignment takes {longest:.1f} times the mean. A balanced split keeps machines busy longer."
        )
    return found

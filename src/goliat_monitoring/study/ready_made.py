"""Assignments that somebody else cut: made ready as our own are, and what is odd about them.

They are what machines will run, so that they are taken where they can run at all; an unmodified `goliat super_study`
sends such. What no machine could ever complete is refused.
"""

from collections import Counter
from collections.abc import Sequence

from goliat_monitoring.study.balance import Share
from goliat_monitoring.study.cases import Case
from goliat_monitoring.study.extends import Config, ConfigProblem
from goliat_monitoring.study.plan import Plan, PlannedAssignment, cover_fault, ready
from goliat_monitoring.study.space import Space, label, space_of
from goliat_monitoring.study.split import SplitRequest, emptiness


def looked_over(base: Config, configs: Sequence[Config]) -> Plan:
    """The assignments as machines need them, and warnings. What still extends another config is not counted.

    Raises:
        ConfigProblem: an assignment that cannot be run, or without a simulation; it is named.
    """
    made: list[PlannedAssignment] = []
    spaces: list[Space] = []
    warnings: list[str] = []
    whole = _space(base)
    for number, config in enumerate(configs):
        try:
            own, more = ready(config)
            warnings += more
            if "extends" in own:
                made.append(PlannedAssignment(number, "", 0, 0.0, own, None))
                continue
            space = space_of(own)
        except ConfigProblem as problem:
            raise ConfigProblem(f"Assignment {number}: {problem}", key=problem.key) from None
        if not space.cases:
            raise ConfigProblem(
                f"Assignment {number} has no simulation and could never complete: {emptiness(space)}. Leave it out."
            )
        spaces.append(space)
        weight = sum(case.weight for case in space.cases)
        named = label(space.whole, whole.whole) if whole else ""
        share = Share(space, space.whole)
        made.append(PlannedAssignment(number, named, len(space.cases), weight, own, share))
    covered = [case for space in spaces for case in space.cases]
    # Without a base config that can be counted, at least nothing is to come twice.
    wanted = (whole.cases if whole else []) or list({case.key: case for case in covered}.values())
    if any(space.auto_induced and _cuts(space.cases, wanted) for space in spaces):
        warnings.append(
            "auto_induced is on and its blocks are cut: GOLIAT combines all directions and polarizations of a phantom "
            "at a frequency, but each machine has only its own and would call that the result. Split by phantom, "
            "frequency, auto, custom or balanced, or switch auto_induced off."
        )
    counted = all(it.share is not None for it in made)
    fault = cover_fault(wanted, covered) if counted else ""
    warnings += [f"The assignments do not cover the base config exactly: {fault}."] if fault else []
    exact = whole is not None and counted and not fault
    return Plan(SplitRequest(), made, list(dict.fromkeys(warnings)), len(covered), exact)


def _cuts(own: Sequence[Case], wanted: Sequence[Case]) -> bool:
    """Whether `own` has some simulations of a phantom at a frequency and lacks others."""
    has = Counter((case.phantom, case.frequency) for case in own)
    whole = Counter((case.phantom, case.frequency) for case in {case.key: case for case in wanted}.values())
    return any(number < whole[block] for block, number in has.items())


def _space(config: Config) -> Space | None:
    try:
        return None if "extends" in config else space_of(config)
    except ConfigProblem:
        return None

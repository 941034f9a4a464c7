"""A study as it is asked for: its config and parents, how to split it, and what is to be predicted."""

from typing import Annotated, Any

import msgspec

from goliat_monitoring.study import requirements
from goliat_monitoring.study.extends import ConfigProblem, find_in, resolve
from goliat_monitoring.study.plan import Plan, plan
from goliat_monitoring.study.preview import FleetProblem, Machine, fleet_of
from goliat_monitoring.study.requirements import RequirementProblem, Requirements
from goliat_monitoring.study.split import SplitProblem, SplitRequest, parse_groups
from goliat_monitoring.wire.errors import Refused

Price = Annotated[float, msgspec.Meta(ge=0, le=1e6)]


class SplitWish(msgspec.Struct, rename="camel", kw_only=True):
    """How to split. `by`: a strategy; none makes one assignment. `num_splits`: assignments for `auto`, workers for
    `balanced`. `frequency_groups`, for `custom`: "5800;3500,2140;450", or lists of MHz."""

    by: str | None = None
    num_splits: int | None = None
    frequency_groups: str | list[list[int | float | str]] | None = None


class Member(msgspec.Struct, rename="camel", kw_only=True):
    """Equal machines of a fleet. `speed`: how much faster than predicted for their GPU they are."""

    gpu: str = ""
    count: int = 1
    price_per_hour: Price | None = None
    speed: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1.0


class StudyWish(msgspec.Struct, rename="camel", kw_only=True):
    """A config, its `parents` by file name, and how to split it."""

    base_config: dict[str, Any]
    parents: dict[str, dict[str, Any]] = {}
    split: SplitWish | None = None


class PreviewWish(StudyWish, rename="camel", kw_only=True):
    """What to predict for: a `fleet`, and a price in euro for GPUs whose price the fleet does not tell."""

    fleet: list[Member] = []
    price_per_hour: Price | None = None


def planned(wish: StudyWish) -> tuple[dict[str, Any], Plan]:
    """The resolved config and its assignments. Takes seconds for the largest studies: not for the event loop.

    Raises `Refused` 400 that says why and what would work; in fields of its own too.
    """
    split = wish.split or SplitWish()
    try:
        groups = parse_groups(split.frequency_groups) if split.frequency_groups is not None else ()
        base = resolve(wish.base_config, find_in(wish.parents))
        return base, plan(base, SplitRequest(split.by or "", split.num_splits, groups))
    except ConfigProblem as problem:
        where = {"file": problem.file, "key": problem.key}
        raise Refused(400, "the config cannot be used", str(problem), {**where}) from None
    except SplitProblem as problem:
        extra: dict[str, object] = {"instead": problem.instead, "nearest": problem.nearest}
        raise Refused(400, "the study cannot be split this way", str(problem), extra) from None


def machines(wish: PreviewWish) -> list[Machine]:
    """The fleet, one entry a machine; empty if none was given. Raises `Refused` 400."""
    try:
        members = [(it.count, Machine(it.gpu, it.price_per_hour, it.speed)) for it in wish.fleet]
        return fleet_of(members) if members else []
    except FleetProblem as problem:
        raise Refused(400, "there is no such fleet", str(problem)) from None


def demanded(texts: list[str]) -> Requirements:
    """Requirements as they were written. Raises `Refused` 400."""
    try:
        return requirements.parse(texts)
    except RequirementProblem as problem:
        raise Refused(400, "the requirements cannot be read", str(problem)) from None

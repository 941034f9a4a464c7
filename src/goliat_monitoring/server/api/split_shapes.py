"""A study as it is asked for: its config and parents, how to split it, and what is to be predicted."""

from typing import Annotated, Any

import msgspec

from goliat_monitoring.study import requirements
from goliat_monitoring.study.preview import MAX_PRICE, FleetProblem, Machine, fleet_of
from goliat_monitoring.study.requirements import RequirementProblem, Requirements
from goliat_monitoring.wire.errors import Refused

Price = Annotated[float, msgspec.Meta(ge=0, le=MAX_PRICE)]
Priority = Annotated[int, msgspec.Meta(ge=-1000, le=1000)]


class SplitWish(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """How to split. `by`: a strategy; none makes one assignment. `num_splits`: assignments for `auto`, workers for
    `balanced`. `frequency_groups`, for `custom`: "5800;3500,2140;450", or lists of MHz."""

    by: str | None = None
    num_splits: int | None = None
    frequency_groups: str | list[list[int | float | str]] | None = None


class Member(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """Equal machines of a fleet. `speed`: how much faster than predicted for their GPU they are."""

    gpu: str = ""
    count: int = 1
    price_per_hour: Price | None = None
    speed: Annotated[float, msgspec.Meta(gt=0, le=1e6)] = 1.0


class NewAssignment(msgspec.Struct, rename="camel", kw_only=True):
    """A part of a study that somebody else cut. Its `status` is always PENDING, whatever is sent."""

    split_config: dict[str, Any]
    status: str = "PENDING"


class StudyWish(msgspec.Struct, rename="camel", kw_only=True):
    """A config, its `parents` by file name, and how to split it; or its parts ready-made as `assignments`, whose order
    is their index. A parent that is not sent comes from the config library; so does the config itself, by its
    `configName`, if it is not sent. `requirements`: what every machine that works on it needs, such as "vram>=24".
    """

    base_config: dict[str, Any] | None = None
    config_name: str = ""
    parents: dict[str, dict[str, Any]] = {}
    split: SplitWish | None = None
    assignments: list[NewAssignment] | None = None
    priority: Priority = 0
    requirements: list[str] = []


class PreviewWish(StudyWish, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """What to predict for: a `fleet`, or with `presentFleet` the workers that are there and what else waits for them;
    and a price for GPUs whose price the fleet does not tell. `name`: checked, if given. `description`: of the
    study to be."""

    fleet: list[Member] = []
    price_per_hour: Price | None = None
    present_fleet: bool = False
    name: str = ""
    description: str | None = None


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

"""What a planned study would take: hours and euro per GPU model, and when a given fleet would be done with it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from goliat_monitoring.study.plan import Plan
from goliat_monitoring.study.requirements import names_gpu
from goliat_monitoring.study.schedule import next_free
from goliat_monitoring.study.weights import GPU_RATE, known_rate

# Bounds what a hostile or mistyped fleet can make us compute.
MAX_FLEET = 1000
# Of an hour of a GPU.
MAX_PRICE = 1e6
_MEMBER = re.compile(
    r"\s*(?:(\d{1,4})\s*[x\N{MULTIPLICATION SIGN}]\s*)?([^@]*?)\s*(?:@\s*(\d{1,12}(?:\.\d{1,12})?)\s*)?", re.IGNORECASE
)


class FleetProblem(ValueError):
    """A fleet that cannot be read; the text says what to write."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One worker. `gpu`: part of a GPU's name, "" for a typical one. `price`: euro an hour. `speed`: how much faster
    than predicted for its GPU it is known to be, 1.0 for as predicted."""

    gpu: str = ""
    price: float | None = None
    speed: float = 1.0


def parse_machines(text: str) -> list[Machine]:
    """Machines from "8x RTX 4090 @0.45": how many, of which GPU, at how many euro an hour; all but the GPU may lack.

    Raises:
        FleetProblem: other text, a GPU whose name begins with a number (of machines, most likely), more than 1000
            machines, or more than a million euro.
    """
    found = _MEMBER.fullmatch(text)
    if not found or not found[2]:
        raise FleetProblem(f"{text!r:.80} is no part of a fleet. Write '8x RTX 4090 @0.45', or 'H100'.")
    if re.match(r"[\d.+\-\N{MINUS SIGN}]", found[2]):
        raise FleetProblem(
            f"{found[2]!r:.80} is no GPU. Write how many, x, and its name: '8x RTX 4090', or 'RTX 4090' for one."
        )
    price = float(found[3]) if found[3] else None
    if price is not None and price > MAX_PRICE:
        raise FleetProblem(f"The price of an hour is at most {MAX_PRICE:g}.")
    return fleet_of([(int(found[1] or 1), Machine(found[2], price))])


def fleet_of(members: Sequence[tuple[int, Machine]]) -> list[Machine]:
    """Every machine of a fleet given as (how many, of which kind).

    Raises:
        FleetProblem: fewer than one or more than 1000 machines, or a speed that is not positive.
    """
    if not 0 < sum(count for count, _ in members) <= MAX_FLEET or any(count < 1 for count, _ in members):
        raise FleetProblem(f"A fleet has 1 to {MAX_FLEET} machines.")
    if any(not machine.speed > 0 for _, machine in members):
        raise FleetProblem("The speed of a machine is a positive number, 1 for as fast as predicted.")
    return [machine for count, machine in members for _ in range(count)]


def preview(
    plan: Plan, fleet: Sequence[Machine] = (), price: float | None = None, by_gpu: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """A plan with its predictions, as JSON.

    Hours and euro are given for each GPU model of the cost model and of `fleet`. A model costs what the fleet pays for
    it (the first machine that says so), else what `by_gpu` says (part of a GPU's name to price), else `price`; euro are
    left out where none is known. So does a machine of `fleet` that has no price of its own. `fleet` defaults to the
    equal workers that were asked for, or to one an assignment. Its finish is predicted with the assignments taken in
    their order by whichever machine is free; its euro are those of the hours in which machines work.
    """
    models = list(dict.fromkeys([*GPU_RATE, *(machine.gpu for machine in fleet if machine.gpu)]))
    prices: dict[str, float | None] = dict.fromkeys(models, price)
    for part, known in sorted((by_gpu or {}).items(), key=lambda it: len(it[0])):
        prices.update({model: known for model in models if names_gpu(model, part)})
    for machine in reversed(fleet):
        if machine.gpu and machine.price is not None:
            prices[machine.gpu] = machine.price
    fleet = [
        machine if machine.price is not None else replace(machine, price=prices.get(machine.gpu, price))
        for machine in fleet
    ]
    assignments, total = [], dict.fromkeys(models, 0.0)
    for planned in plan.assignments:
        seconds = {model: planned.seconds(model) for model in models}
        total = {model: total[model] + seconds[model] for model in models}
        hours = _hours(seconds)
        assignments.append(
            {
                "index": planned.index,
                "label": planned.label,
                "simulations": planned.simulations,
                "weight": round(planned.weight, 1),
                "hours": hours,
                "euro": _euro(hours, prices),
                "splitConfig": planned.config,
            }
        )
    unknown = [f"{gpu:.40}" for gpu in models if known_rate(gpu) is None][:5]
    guess = f"It is not known how fast {', '.join(unknown)} is; a usual GPU is assumed. Known: {', '.join(GPU_RATE)}."
    equal = [Machine(price=price)] * (plan.request.number or 4 if plan.request.by == "balanced" else len(assignments))
    return {
        "splitBy": plan.request.by or None,
        "order": plan.order,
        "totalSimulations": plan.simulations,
        "totalWeight": round(sum(planned.weight for planned in plan.assignments), 1),
        # A split that is not is never made; somebody else may have cut otherwise.
        "exactCover": plan.exact,
        "hours": _hours(total),
        "euro": _euro(_hours(total), prices),
        "fleet": _fleet(plan, fleet or equal),
        "warnings": [*plan.warnings, *([guess] if unknown else [])],
        "assignments": assignments,
    }


def _fleet(plan: Plan, fleet: Sequence[Machine]) -> dict[str, Any]:
    by_model = {
        gpu: [planned.seconds(gpu) / 3600 for planned in plan.assignments] for gpu in {machine.gpu for machine in fleet}
    }
    durations = [[hours / machine.speed for hours in by_model[machine.gpu]] for machine in fleet]
    turns = next_free(durations)
    taken: list[list[int]] = [[] for _ in fleet]
    busy = [0.0] * len(fleet)
    for index, turn in enumerate(turns):
        taken[turn.worker].append(index)
        busy[turn.worker] += turn.end - turn.start
    euro = [
        None if machine.price is None else hours * machine.price for machine, hours in zip(fleet, busy, strict=True)
    ]
    finish = max(turn.end for turn in turns)
    # With machines of different speed, the mean is what a perfectly divisible study would take.
    rate = sum(1 / total if (total := sum(hours)) else 0.0 for hours in durations)
    paid = [part for part in euro if part is not None]
    return {
        "finishHours": round(finish, 3),
        "idealHours": round(1 / rate, 3) if rate else 0.0,
        "finishOverIdeal": round(finish * rate, 3),
        "euro": round(sum(paid), 2) if len(paid) == len(fleet) else None,
        "machines": [
            {
                "gpu": machine.gpu or None,
                "speed": machine.speed,
                "pricePerHour": machine.price,
                "assignments": taken[number],
                "hours": round(busy[number], 3),
                "euro": None if (cost := euro[number]) is None else round(cost, 2),
            }
            for number, machine in enumerate(fleet)
        ],
    }


def _hours(seconds: dict[str, float]) -> dict[str, float]:
    return {model: round(it / 3600, 3) for model, it in seconds.items()}


def _euro(hours: dict[str, float], prices: dict[str, float | None]) -> dict[str, float]:
    return {model: round(hours[model] * price, 2) for model, price in prices.items() if price is not None}

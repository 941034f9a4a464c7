"""What a study would be: its config resolved from uploads and the config library, split, and foreseen on the fleet.

The one way for the API, the page on which studies are made, and their creation.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.fleet.forecast import spread
from goliat_monitoring.fleet.outlook import Future
from goliat_monitoring.server.api.split_shapes import PreviewWish, SplitWish, StudyWish, demanded, machines
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.read.library import LibraryConfig, Source, finder, get_config
from goliat_monitoring.store.read.outlook import NewStudy, look_ahead_to
from goliat_monitoring.store.read.prices import currency, gpu_prices
from goliat_monitoring.store.read.workers import WorkerView, list_workers
from goliat_monitoring.store.studies import free_name
from goliat_monitoring.study.cases import enumerate_cases
from goliat_monitoring.study.extends import (
    Config,
    ConfigProblem,
    Layers,
    check_nesting,
    find_in,
    layers_of,
    merged,
    owner,
    resolve,
)
from goliat_monitoring.study.plan import Plan, plan
from goliat_monitoring.study.preview import MAX_FLEET, Machine, preview
from goliat_monitoring.study.ready_made import looked_over
from goliat_monitoring.study.requirements import MachineFacts, Requirements
from goliat_monitoring.study.split import SplitProblem, SplitRequest, parse_groups
from goliat_monitoring.wire.errors import Refused


class Planned(NamedTuple):
    """`base`: the resolved config; `sources`: the files that it comes from, the config itself first."""

    base: Config
    plan: Plan
    sources: list[Source]


async def planned(services: Services, wish: StudyWish) -> Planned:
    """A study cut into assignments, by us or by whoever sent them. Takes seconds for the largest ones.

    Raises `Refused` 400 that says why and what would work; in fields of its own too: `file` and `key` of a config,
    `instead` and `nearest` of a split.
    """
    if wish.assignments is not None:
        return await _ready_made(services, wish, [it.split_config for it in wish.assignments])
    base, layers, sources = await services.db.read(partial(_resolved, wish=wish))
    async with services.plannings:
        return Planned(base, await asyncio.to_thread(_cut, base, layers, wish), sources)


async def look_at(services: Services, wish: PreviewWish) -> dict[str, Any]:
    """The preview of a study as JSON. Nothing is stored. Raises `Refused` as `planned`, and 409 for a taken name."""
    fleet, demand, now = machines(wish), demanded(wish.requirements), services.clock()
    if wish.name:
        await services.db.read(partial(free_name, asked=wish.name))
    base, made, sources = await planned(services, wish)
    there = await services.db.read(partial(present, now=now, demand=demand)) if wish.present_fleet else []
    if there and not fleet:
        fleet = [Machine(worker.facts.gpu_name, worker.price_per_hour) for worker in there][:MAX_FLEET]
    known = await services.db.read(gpu_prices)
    shown = await asyncio.to_thread(preview, made, fleet, wish.price_per_hour, known)
    shown["currency"] = await services.db.read(currency)
    shown["sources"] = msgspec.to_builtins(sources)
    if wish.present_fleet:
        study = await asyncio.to_thread(_new_study, base, made, wish.priority, demand)
        future = await services.db.read(
            partial(look_ahead_to, now=now, study=study, offer_after=services.windows.offer_after)
        )
        shown["presentFleet"] = _foreseen(future, there, wish.price_per_hour)
    return shown


def _resolved(connection: Connection, wish: StudyWish) -> tuple[Config, Layers, list[Source]]:
    """The config laid over its parents: those that were sent, else those of the library. Raises `Refused` 400, 404."""
    sources: list[Source] = []

    config = wish.base_config
    if config is None:
        if not wish.config_name:
            raise Refused(
                400, "the config is missing", "send it as `baseConfig`, or `configName` of one in the library"
            )
        found = get_config(connection, wish.config_name)
        sources.append(_of_library(found))
        config = msgspec.json.decode(found.body or "{}", type=dict[str, Any])
    elif wish.config_name:
        sources.append(_uploaded(wish.config_name, config))
    try:
        layers = layers_of(config, _lookup(connection, wish, sources))
        return merged(layers), layers, sources
    except ConfigProblem as problem:
        raise _unusable(problem, wish.config_name) from None


async def _ready_made(services: Services, wish: StudyWish, configs: Sequence[Config]) -> Planned:
    """Assignments that somebody else cut, laid over those parents that are known, and what is odd about them.

    An unmodified `goliat super_study` sends configs that still extend others. They are what machines will run, so that
    they are taken as they are; but what was cut out of an object comes back from the parent, and then several machines
    run the same. Raises `Refused` 400 as `planned`.
    """
    if wish.split is not None:
        raise Refused(400, "assignments and split exclude each other", "send one of them")
    if wish.base_config is None:
        raise Refused(400, "baseConfig is missing", "send the config that the assignments are parts of")
    if not configs:
        raise Refused(400, "the study has no assignments", "send at least one object in `assignments`")
    base, parts, sources, warnings = await services.db.read(partial(_laid_over, wish=wish, configs=configs))
    async with services.plannings:
        made = await asyncio.to_thread(_looked_over, base, parts)
    return Planned(base, replace(made, warnings=[*warnings, *made.warnings]), sources)


def _laid_over(
    connection: Connection, wish: StudyWish, configs: Sequence[Config]
) -> tuple[Config, list[Config], list[Source], list[str]]:
    """The config and its parts with their parents, where those come from, and a warning of those nobody knows."""
    sources: list[Source] = []
    find = cache(_lookup(connection, wish, sources))
    unknown: dict[str, None] = {}

    def whole(config: Config, name: str) -> Config:
        try:
            check_nesting(config)
            return resolve(config, find) if "extends" in config else config
        except ConfigProblem as problem:
            if not problem.missing:
                raise _unusable(problem, name) from None
            unknown[problem.file] = None
            return config

    base = whole(wish.base_config or {}, wish.config_name)
    parts = [whole(config, f"assignment {number}") for number, config in enumerate(configs)]
    names = ", ".join(list(unknown)[:5])
    warning = (
        f"{names} is not known here: what extends it is counted once a machine tells, and may ask for more than it "
        "seems. Upload it as a parent, or add it to the config library."
    )
    return base, parts, sources, [warning] if unknown else []


def _looked_over(base: Config, configs: Sequence[Config]) -> Plan:
    try:
        return looked_over(base, configs)
    except ConfigProblem as problem:
        raise _unusable(problem) from None


def _lookup(connection: Connection, wish: StudyWish, sources: list[Source]) -> Callable[[str], Config | None]:
    """Where parents are found: those that were sent, then the library. What is taken is added to `sources`."""
    uploaded = find_in(wish.parents)
    library = finder(connection, lambda found: sources.append(_of_library(found)))

    def find(name: str) -> Config | None:
        own = uploaded(name)
        if own is None:
            return library(name)
        sources.append(_uploaded(name, own))
        return own

    return find


def present(connection: Connection, now: int, demand: Requirements) -> list[WorkerView]:
    """Workers that are there, take work, and meet a demand."""
    return [
        worker
        for worker in list_workers(connection, now)
        if worker.presence != "offline" and worker.wish == "active" and demand.meets(_facts(worker)).met
    ]


def _facts(worker: WorkerView) -> MachineFacts:
    it = worker.facts
    return MachineFacts(it.gpu_name, it.vram_bytes, it.tags, it.goliat_version)


def _cut(base: Config, layers: Layers, wish: StudyWish) -> Plan:
    split = wish.split or SplitWish()
    try:
        groups = parse_groups(split.frequency_groups) if split.frequency_groups is not None else ()
        return plan(base, SplitRequest(split.by or "", split.num_splits, groups))
    except ConfigProblem as problem:
        raise _unusable(problem, owner(layers, problem.key) or wish.config_name) from None
    except SplitProblem as problem:
        extra: dict[str, object] = {"instead": problem.instead, "nearest": problem.nearest}
        raise Refused(400, "the study cannot be split this way", str(problem), extra) from None


def _unusable(problem: ConfigProblem, name: str = "") -> Refused:
    """`name`: of the file that it is about, where the problem does not know that."""
    remedy = f" Upload {problem.file}, or add it to the config library." if problem.missing else ""
    file = problem.file or name[:200]
    place = f"{file}: " if file and file not in str(problem) else ""
    where: dict[str, object] = {"file": file, "key": problem.key}
    return Refused(400, "the config cannot be used", f"{place}{problem}{remedy}", where)


def _of_library(found: LibraryConfig) -> Source:
    return Source(file=found.name, origin="library", version=found.version, sha256=found.sha256)


def _uploaded(name: str, config: Config) -> Source:
    digest = hashlib.sha256(msgspec.json.encode(config)).hexdigest()
    return Source(file=name[:200], origin="upload", version=None, sha256=digest)


def _new_study(base: Config, made: Plan, priority: int, demand: Requirements) -> NewStudy:
    blocks = []
    for assignment in made.assignments:
        counted = [] if assignment.share is None else enumerate_cases(assignment.config)
        cases = sorted((case.phantom, case.frequency, case.weight) for case in counted)
        found = [(key, list(of_kind)) for key, of_kind in groupby(cases, key=lambda case: case[:2])]
        blocks.append([(*key, sum(case[2] for case in of_kind), len(of_kind)) for key, of_kind in found])
    key = f"planned {hashlib.sha256(msgspec.json.encode(base)).hexdigest()}"
    return NewStudy(key, base, blocks, priority, demand)


def _foreseen(future: Future, there: Sequence[WorkerView], price: float | None) -> dict[str, Any]:
    """Ranges as `p10`, `p50`, `p90`: seconds until all is done, and what that costs; None where nobody can tell."""
    prices = {worker.id: worker.price_per_hour if worker.price_per_hour is not None else price for worker in there}
    hours = {worker: seconds / 3600 for worker, seconds in future.machine_s.items()}
    priced = {worker: it for worker, it in hours.items() if prices.get(worker) is not None}
    cost = sum((prices[worker] or 0.0) * it for worker, it in priced.items())
    money = spread(cost, future.doubt)._asdict() if priced else None
    return {
        "workers": len(there),
        "finishS": None if future.eta is None else future.eta._asdict(),
        "gpuHours": round(sum(hours.values()), 3),
        "cost": None if money is None else {name: round(value, 2) for name, value in money.items()},
        "unpricedHours": round(sum(hours.values()) - sum(priced.values()), 3),
    }

"""`goliat-monitoring study create`: from a config to a super study, or to a look at what it would be."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.configs import Resolved, ready_made, resolved
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.study import requirements
from goliat_monitoring.study.cases import count_cases
from goliat_monitoring.study.extends import Config, ConfigProblem, owner, places
from goliat_monitoring.study.plan import Plan, plan
from goliat_monitoring.study.preview import MAX_PRICE, FleetProblem, parse_machines, preview
from goliat_monitoring.study.ready_made import looked_over
from goliat_monitoring.study.split import STRATEGIES, SplitProblem, SplitRequest, parse_groups
from goliat_monitoring.wire.errors import Refused


def create(
    config: Annotated[Path, typer.Argument(help="Study config (JSON).")],
    name: Annotated[str, typer.Option(help="Unique name of the super study.")] = "",
    configs_dir: Annotated[
        Path | None, typer.Option(help="Folder of the configs it extends [./configs, else the folder of CONFIG].")
    ] = None,
    split_by: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(STRATEGIES)} [auto with --num-splits, custom with --frequency-groups].",
            metavar="HOW",
            show_default="one assignment",
        ),
    ] = "",
    num_splits: Annotated[
        int | None, typer.Option(help="Assignments for auto, workers for balanced [4].", metavar="N")
    ] = None,
    frequency_groups: Annotated[
        str, typer.Option(help="Groups for custom, in MHz: '5800;3500,2140;450'.", metavar="GROUPS")
    ] = "",
    assignments: Annotated[
        Path | None, typer.Option(help="Instead of a split: JSON list of ready-made configs, one an assignment.")
    ] = None,
    priority: Annotated[
        int, typer.Option(help="Studies with a higher one are worked on first.", min=-1000, max=1000)
    ] = 0,
    requires: Annotated[
        list[str] | None,
        typer.Option(help="What machines need: 'vram>=24', 'gpu=RTX 4090', 'tag=fast', 'goliat>=1.5'. Repeatable."),
    ] = None,
    description: Annotated[str, typer.Option(help="A sentence for people.")] = "",
    only_preview: Annotated[bool, typer.Option("--preview", help="Only show it; no server is asked.")] = False,
    fleet: Annotated[
        list[str] | None, typer.Option(help="With --preview: machines, such as '8x RTX 4090 @0.45'. Repeatable.")
    ] = None,
    price: Annotated[
        float | None, typer.Option(help="With --preview: euro an hour of any GPU.", min=0, max=MAX_PRICE)
    ] = None,
    present_fleet: Annotated[
        bool, typer.Option("--present-fleet", help="With --preview: ask the server when its workers would be done.")
    ] = False,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a super study of a config: one assignment, or split into many."""
    try:
        demand = requirements.parse(requires or [])
        machines = [machine for text in fleet or [] for machine in parse_machines(text)]
    except (requirements.RequirementProblem, FleetProblem) as problem:
        raise Refused(400, "an option cannot be read", str(problem)) from problem
    split_by = _meant(split_by, num_splits, frequency_groups)
    if assignments is not None and split_by:
        raise Refused(
            400,
            "ready-made assignments are not split",
            "leave out --assignments, or --split-by, --num-splits and --frequency-groups",
        )
    if not only_preview and (machines or price is not None or present_fleet):
        raise Refused(400, "--fleet, --price and --present-fleet predict", "add --preview, or leave them out")
    if not name and not only_preview:
        raise Refused(400, "the super study needs a name", "give it with --name")
    # A preview asks no server; for one that does, and for the study itself, parents may lie in its library.
    library = partial(_from_library, server, token) if not only_preview or present_fleet else None
    found = resolved(config, configs_dir, library)
    base = found.config
    body: dict[str, Any] = {"name": name, "description": description, "baseConfig": base}
    if assignments is not None:
        made = _looked_over(assignments, base, ready_made(assignments, configs_dir, library))
    else:
        made = _planned(config, found, split_by, num_splits, frequency_groups)
    parts = [it.config for it in made.assignments]
    if split_by:
        body |= _split(split_by, num_splits, frequency_groups)
    else:
        body["assignments"] = [{"splitConfig": part, "status": "PENDING"} for part in parts]
    body |= {"priority": priority, "requirements": requires or []}
    if only_preview:
        shown = preview(made, machines, price)
        if present_fleet:
            wish = body | {"presentFleet": True, "pricePerHour": price}
            with client(server, token) as api:
                shown["presentFleet"] = api.post("/api/super-studies/preview", wish)["presentFleet"]
        _show_preview(shown, as_json=as_json)
        return
    told = [] if split_by else made.warnings
    _warn(told)
    with client(server, token) as api:
        study = api.post("/api/super-studies", body)
    # The server made the split and has the last word about it.
    _warn([it for it in study.get("warnings") or [] if it not in told])
    if as_json:
        show.as_json(study)
        return
    counted = [_count(part) for part in parts]
    simulations = f", {sum(number or 0 for number in counted)} simulations" if None not in counted else ""
    demanded = f", on machines with {demand}" if str(demand) else ""
    text = f"Created {show.safe(study.get('name'))}: {len(parts)} assignments{simulations}{demanded}."
    show.console.print(text, markup=False, soft_wrap=True)
    show.console.print(f"Id {study.get('id')}", markup=False)


def _from_library(server: str, token: str, name: str) -> dict[str, Any] | None:
    """A parent of the server's config library, which is told."""
    with client(server, token) as api:
        for place in places(name):
            try:
                found: dict[str, Any] = api.get(f"/api/configs/{quote(place)}")
            except Refused as refused:
                if refused.status not in (400, 404):
                    raise
            else:
                _warn([f"{name} is not here; version {found['version']} of the server's library was taken."])
                config: dict[str, Any] = found["config"]
                return config
    return None


def _warn(texts: Sequence[Any]) -> None:
    for text in texts:
        show.problems.print(f"Note: {show.safe(text)}", markup=False, soft_wrap=True)


def _meant(by: str, number: int | None, groups: str) -> str:
    """The strategy: as `goliat super_study` takes it, one that is not named is told by its options."""
    if by or (number is None and not groups):
        return by
    return "custom" if groups else "auto"


def _planned(path: Path, found: Resolved, by: str, number: int | None, groups: str) -> Plan:
    try:
        return plan(found.config, SplitRequest(by, number, parse_groups(groups) if groups else ()))
    except ConfigProblem as problem:
        parent = owner(found.layers, problem.key)
        text = f"{problem} It comes from {parent}." if parent else str(problem)
        raise Refused(400, f"{path} cannot be used", text) from problem
    except SplitProblem as problem:
        raise Refused(400, f"{path} cannot be split this way", str(problem)) from problem


def _looked_over(path: Path, base: Config, parts: Sequence[Config]) -> Plan:
    try:
        return looked_over(base, parts)
    except ConfigProblem as problem:
        raise Refused(400, f"{path} cannot be used", str(problem)) from problem


def _split(by: str, number: int | None, groups: str) -> dict[str, Any]:
    return {"split": {"by": by, "numSplits": number, "frequencyGroups": groups or None}} if by else {}


def _show_preview(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(shown)
        return
    show.table(
        ("#", "Assignment", "Simulations", "Hours"),
        (
            (it["index"], it["label"], it["simulations"], f"{it['weight'] / 3600:.2f}")
            for it in shown["assignments"]
        ),
        "No assignments.",
    )  # fmt: skip
    count = len(shown["assignments"])
    show.console.print(
        f"\n{count} assignment{'s' if count > 1 else ''}, {shown['order']}. {shown['totalSimulations']} simulations, "
        f"each in exactly one assignment. {shown['totalWeight'] / 3600:.2f} hours on one typical GPU, predicted.\n",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    show.table(
        ("GPU", "Hours", "Euro"),
        ((gpu, f"{hours:.1f}", _money(shown["euro"].get(gpu))) for gpu, hours in shown["hours"].items()),
        "",
    )
    done = shown["fleet"]
    cost = f" for {_money(done['euro'])} euro" if done["euro"] is not None else ""
    count = len(done["machines"])
    show.console.print(
        f"\n{count} machine{'s' if count > 1 else ''}: done after {done['finishHours']:.2f} hours{cost}, "
        f"{done['finishOverIdeal']:.2f} times the ideal.",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    if "presentFleet" in shown:
        show.console.print(_present(shown["presentFleet"]), markup=False, soft_wrap=True)
    for warning in shown["warnings"]:
        show.console.print(f"Note: {show.safe(warning)}", markup=False, soft_wrap=True)


def _present(fleet: dict[str, Any]) -> str:
    """When the workers that are there would be done."""
    count, finish, cost = fleet["workers"], fleet["finishS"], fleet["cost"]
    if not count or not finish:
        return "No worker that is there now may take it."
    p10, p50, p90 = (finish[key] / 3600 for key in ("p10", "p50", "p90"))
    paid = f", for {_money(cost['p50'])} euro" if cost else ""
    return (
        f"The {count} worker{'s' if count > 1 else ''} of now: done after {p50:.2f} hours, likely {p10:.2f} to "
        f"{p90:.2f}, behind what is not less urgent{paid}."
    )


def _money(euro: float | None) -> str:
    return "" if euro is None else f"{euro:.2f}"


def _count(config: dict[str, Any]) -> int | None:
    try:
        return count_cases(config)
    except ConfigProblem:
        return None

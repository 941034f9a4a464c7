"""`goliat-monitoring study`: create super studies, look at them, fetch their results."""

import json
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.study.cases import count_cases
from goliat_monitoring.study.extends import ConfigProblem, resolve
from goliat_monitoring.wire.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Super studies: create, watch, download.")
StudyArgument = Annotated[str, typer.Argument(help="Name or id of a super study.")]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@app.command()
def create(
    config: Annotated[Path, typer.Argument(help="Study config (JSON); its parents lie beside it or in ./configs.")],
    name: Annotated[str, typer.Option(help="Unique name of the super study.")],
    assignments: Annotated[
        Path | None, typer.Option(help="JSON list of ready-made configs, one an assignment [one with everything].")
    ] = None,
    description: Annotated[str, typer.Option(help="A sentence for people.")] = "",
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a super study of a config."""
    base = resolved(config)
    parts = [base] if assignments is None else ready_made(assignments)
    body = {
        "name": name,
        "description": description,
        "baseConfig": base,
        "assignments": [{"splitConfig": part, "status": "PENDING"} for part in parts],
    }
    with client(server, token) as api:
        study = api.post("/api/super-studies", body)
    if as_json:
        show.as_json(study)
        return
    counted = [_count(part) for part in parts]
    simulations = f", {sum(number or 0 for number in counted)} simulations" if None not in counted else ""
    show.console.print(f"Created {show.safe(study.get('name'))}: {len(parts)} assignments{simulations}.", markup=False)
    show.console.print(f"Id {study.get('id')}", markup=False)


@app.command("list")
def list_studies(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """All super studies, newest first."""
    with client(server, token) as api:
        studies = api.get("/api/super-studies")
    if as_json:
        show.as_json(studies)
        return
    show.table(
        ("Name", "State", "Done", "Progress", "Created", "Id"),
        (
            (
                it.get("name"),
                show.state(it.get("status")),
                f"{it.get('completedAssignments')}/{it.get('totalAssignments')}",
                show.percent(it.get("masterProgress")),
                show.when(it.get("createdAt")),
                it.get("id"),
            )
            for it in studies
        ),
        "No super studies yet. Make one: goliat-monitoring study create CONFIG --name NAME",
    )


@app.command("show")
def show_study(
    study: StudyArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """One super study and its assignments."""
    with client(server, token) as api:
        found = find(api, study)
    if as_json:
        show.as_json(found)
        return
    show.fields(
        (
            ("Name", found.get("name")),
            ("Id", found.get("id")),
            ("State", show.state(found.get("status"))),
            ("Description", found.get("description")),
            ("Progress", show.percent(found.get("masterProgress"))),
            ("Created", show.when(found.get("createdAt"))),
        )
    )
    show.table(
        ("#", "State", "Progress", "Stage", "Worker", "Id"),
        (
            (
                it.get("index"),
                show.state(it.get("status")),
                show.percent(it.get("progress")),
                it.get("currentStage"),
                worker_name(it.get("worker")),
                it.get("id"),
            )
            for it in found.get("assignments", [])
        ),
        "No assignments.",
    )


@app.command()
def download(
    study: StudyArgument,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The zip file [NAME_results.zip].")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """All results of a super study as one zip."""
    with client(server, token) as api:
        found = find(api, study)
        target = output or Path(f"{re.sub(r'[^A-Za-z0-9._-]', '_', str(found.get('name')))}_results.zip")
        size = api.download(f"/api/super-studies/{quote(str(found['id']))}/results/download", target)
    if as_json:
        show.as_json({"file": str(target), "size": size})
    else:
        show.console.print(f"{target} ({size:,} bytes)", markup=False)


def find(api: Client, study: str) -> dict[str, Any]:
    """A super study by id or by name."""
    identity = study
    if not UUID.fullmatch(study):
        named = [it for it in api.get("/api/super-studies", name=study) if it.get("name") == study]
        if not named:
            raise Refused(404, f"there is no super study named {study}")
        identity = str(named[0]["id"])
    found: dict[str, Any] = api.get(f"/api/super-studies/{quote(identity, safe='')}")
    return found


def worker_name(worker: dict[str, Any] | None) -> str:
    """What people call a worker."""
    return str(next((it for it in map((worker or {}).get, ("machineLabel", "hostname", "ipAddress", "id")) if it), ""))


def read_json(path: Path) -> Any:
    """The JSON in a file; a refusal that names it otherwise."""
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as problem:
        raise Refused(400, f"{path} cannot be read", problem.strerror or "") from problem
    except ValueError as problem:
        raise Refused(400, f"{path} is no JSON", str(problem)) from problem


def resolved(path: Path) -> dict[str, Any]:
    """A config laid over its parents; as it is where a parent lies on the workers only."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise Refused(400, f"{path} is no study config", "A JSON object is needed.")

    def parent(name: str) -> dict[str, Any] | None:
        short = name.removeprefix("configs/")
        for place in (Path.cwd() / "configs" / short, Path.cwd() / name, path.parent / short):
            if place.is_file():
                return read_json(place)  # type: ignore[no-any-return]
        return None

    try:
        return resolve(config, parent)
    except ConfigProblem as problem:
        if "is missing" not in str(problem):
            raise Refused(400, f"{path} cannot be used", str(problem)) from problem
        show.problems.print(f"Note: {problem.file} is not here; the workers will look it up.", markup=False)
        return config


def ready_made(path: Path) -> list[dict[str, Any]]:
    """Assignments from a file: configs, or objects that hold one as `splitConfig`."""
    content = read_json(path)
    items = content.get("assignments") if isinstance(content, dict) else content
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Refused(400, f"{path} holds no assignments", "A JSON list of study configs is needed.")
    return [item.get("splitConfig", item) for item in items]


def _count(config: dict[str, Any]) -> int | None:
    try:
        return count_cases(config)
    except ConfigProblem:
        return None

"""`goliat-monitoring study`: create super studies, look at them, fetch their results."""

import json
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.create import create
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.wire.errors import Refused

app = typer.Typer(no_args_is_help=True, help="Super studies: create, watch, download.")
StudyArgument = Annotated[str, typer.Argument(help="Name or id of a super study.")]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


app.command()(create)


@app.command("list")
def list_studies(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """All super studies, newest first."""
    with client(server, token) as api:
        studies = api.get("/api/super-studies")
    if as_json:
        show.as_json(studies)
        return
    show.table(
        ("Name", "State", "Done", "Progress", "Done at", "Created", "Id"),
        (
            (
                it.get("name"),
                show.state(it.get("status")),
                f"{it.get('completedAssignments')}/{it.get('totalAssignments')}",
                show.percent(it.get("masterProgress")),
                show.when((it.get("finishAt") or {}).get("p50")),
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
            ("Priority", found.get("priority") or None),
            ("Progress", show.percent(found.get("masterProgress"))),
            ("Done at", _finish(found)),
            ("GPU hours", _amount(found.get("gpuHours"), "h")),
            ("Cost", _amount(found.get("cost"), "")),
            ("Stopped", found.get("retriesStopped")),
            ("Created", show.when(found.get("createdAt"))),
        )
    )
    show.table(
        ("#", "State", "Progress", "Done at", "Stage", "Worker", "Id"),
        (
            (
                it.get("index"),
                "split again" if it.get("replaced") else show.state(it.get("status")),
                show.percent(it.get("progress")),
                show.when(it.get("eta")),
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


@app.command()
def search(
    study: StudyArgument,
    text: Annotated[str, typer.Argument(help="What the lines hold, whatever its case.")],
    regex: Annotated[bool, typer.Option("--regex", help="The text is a regular expression (RE2).")] = False,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Search the logs of all runs of a super study, newest run first; with --json one object a run."""
    with client(server, token) as api:
        path = f"/api/super-studies/{quote(str(find(api, study)['id']))}/log/search"
        next_run: str | None = None
        while True:
            found = api.get(path, q=text, regex="true" if regex else None, fromRun=next_run)
            for run in found["runs"]:
                _print_found(run, as_json=as_json)
            next_run = found["nextRun"]
            if next_run is None:
                return


def _print_found(run: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(run, ensure_ascii=False), flush=True)
        return
    unfinished = "" if run["complete"] else ", and more, perhaps: the time was over"
    lines = f"{run['total']:,} line{'' if run['total'] == 1 else 's'}"
    heading = f"#{run['index']}, try {run['attempt']}, run {run['runId']}: {lines}{unfinished}"
    show.console.print(heading, markup=False, style="bold")
    for line in run["lines"]:
        show.console.print(show.log_line(line), soft_wrap=True)


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


def _finish(study: dict[str, Any]) -> str:
    """When it is done, as a range; or why nobody can tell."""
    at, note = study.get("finishAt"), study.get("etaNote") or ""
    if not at:
        return str(note)
    p10, p50, p90 = (show.when(at[key]) for key in ("p10", "p50", "p90"))
    same_day = p10[:10] == p50[:10] == p90[:10]
    told = f"{p50}, likely {p10[11:] if same_day else p10} to {p90[11:] if same_day else p90}"
    return f"{told}, {note}" if note else told


def _amount(of: dict[str, Any] | None, unit: str) -> str | None:
    """What was spent and is to be, in hours or in money."""
    if not of or not any(of[key] for key in ("spent", "forecast", "idle")):
        return None
    unit = unit or of.get("currency", "")
    told = f"{of['spent']:.2f} of {of['forecast']:.2f} {unit}, {of['idle']:.2f} {unit} idle"
    unpriced = of.get("unpricedHours")
    return f"{told}; {unpriced:.2f} h have no price" if unpriced else told


def worker_name(worker: dict[str, Any] | None) -> str:
    """What people call a worker."""
    return str(next((it for it in map((worker or {}).get, ("machineLabel", "hostname", "ipAddress", "id")) if it), ""))

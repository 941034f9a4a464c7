"""`goliat-monitoring run`: attempts at assignments, their logs, and the Stop button."""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client

app = typer.Typer(no_args_is_help=True, help="Runs: list, read their logs, stop them.")
RunArgument = Annotated[str, typer.Argument(help="Id of a run.")]
PAGE, LOOK_EVERY_S = 1000, 1.0


@app.command("list")
def list_runs(
    worker: Annotated[str | None, typer.Option(help="Only runs of this worker (id).")] = None,
    assignment: Annotated[str | None, typer.Option(help="Only runs of this assignment (id).")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Runs, newest first."""
    with client(server, token) as api:
        runs = api.get("/api/runs", workerId=worker, assignmentId=assignment)
    if as_json:
        show.as_json(runs)
        return
    show.table(
        ("State", "Study", "#", "Worker", "Progress", "Lines", "Claimed", "Id"),
        (
            (
                show.state(it.get("state")),
                it.get("superStudyName"),
                it.get("index"),
                it.get("workerName"),
                show.percent(it.get("percent")),
                it.get("lines"),
                show.when(it.get("claimedAt")),
                it.get("id"),
            )
            for it in runs
        ),
        "No runs yet.",
    )


@app.command()
def log(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over.")] = False,
    after: Annotated[int, typer.Option(min=0, help="Only lines after this number.")] = 0,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """A run's log, oldest line first; with --json one object a line."""
    with client(server, token) as api:
        for line in _followed(api, run, after) if follow else _lines(api, run, after):
            if as_json:
                print(json.dumps(line, ensure_ascii=False), flush=True)
            else:
                show.console.print(show.log_line(line), soft_wrap=True)


@app.command()
def stop(
    run: RunArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Press GOLIAT's Stop button on the machine of this run."""
    with client(server, token) as api:
        answer = api.post(f"/api/runs/{quote(run, safe='')}/stop")
    if as_json:
        show.as_json(answer)
    else:
        show.console.print(f"{run} will stop.", markup=False)


@app.command()
def cancel(
    run: RunArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """End it at once, with all its processes; its assignment then waits for a person."""
    with client(server, token) as api:
        answer = api.post(f"/api/runs/{quote(run, safe='')}/cancel")
    if as_json:
        show.as_json(answer)
    else:
        show.console.print(f"{run} is cancelled, or will be when its machine has ended it.", markup=False)


def _lines(api: Client, run: str, after: int) -> Iterator[dict[str, Any]]:
    """All lines there are, page by page. Those still waiting for their number come last."""
    while True:
        page = api.get(f"/api/runs/{quote(run, safe='')}/log", after=after, limit=PAGE)["lines"]
        yield from page
        numbered = [line["n"] for line in page if line.get("n") is not None]
        if len(page) < PAGE or not numbered:
            return
        after = numbered[-1]


def _followed(api: Client, run: str, after: int) -> Iterator[dict[str, Any]]:
    """Lines as they get their numbers, until the run is over and nothing more comes."""
    while True:
        over = not api.get(f"/api/runs/{quote(run, safe='')}")["run"]["live"]
        for line in _lines(api, run, after):
            if line.get("n") is not None:
                after = line["n"]
                yield line
        if over:
            return
        time.sleep(LOOK_EVERY_S)

"""`goliat-monitoring worker`: the machines."""

from typing import Annotated
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.cli.study import find, worker_name

app = typer.Typer(no_args_is_help=True, help="Workers: list, rename, price, pause, drain.")

WorkerArgument = Annotated[str, typer.Argument(help="Name, id, machine id or address of a worker.")]


@app.command("list")
def list_workers(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """All workers, newest seen first."""
    with client(server, token) as api:
        workers = api.get("/api/workers")
    if as_json:
        show.as_json(workers)
        return
    show.table(
        ("Worker", "State", "Stage", "Progress", "GPU", "Last seen", "Id"),
        (
            (
                worker_name(it),
                show.state(it.get("status")),
                (it.get("guiState") or {}).get("stage"),
                show.percent((it.get("guiState") or {}).get("progress")),
                it.get("gpuName"),
                show.when(it.get("lastSeen")),
                it.get("id"),
            )
            for it in workers
        ),
        "No workers yet. Start one on a GPU machine: goliat-monitoring agent --server URL",
    )


@app.command()
def rename(
    worker: WorkerArgument,
    label: Annotated[str, typer.Argument(help="Its new name.")],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a worker another name."""
    with client(server, token) as api:
        answer = api.patch(f"/api/workers/{quote(worker, safe='')}", {"label": label})
    show.done(answer, f"{worker} is now {label}.", as_json)


@app.command()
def price(
    worker: WorkerArgument,
    per_hour: Annotated[float | None, typer.Argument(help="Euro an hour; left out, the price is forgotten.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what an hour of a worker costs; studies then tell what they cost."""
    with client(server, token) as api:
        answer = api.patch(f"/api/workers/{quote(worker, safe='')}", {"pricePerHour": per_hour})
    told = "has no price now" if per_hour is None else f"costs {per_hour:g} euro an hour now"
    show.done(answer, f"{worker} {told}.", as_json)


@app.command()
def pause(
    worker: WorkerArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Give it nothing new; what it runs goes on."""
    _wish(server, token, worker, as_json, "paused", "gets nothing new until it is resumed")


@app.command()
def resume(
    worker: WorkerArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Give it work again."""
    _wish(server, token, worker, as_json, "active", "takes work again")


@app.command()
def drain(
    worker: WorkerArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Give it nothing new, for it will be taken away; its agent stays."""
    _wish(server, token, worker, as_json, "draining", "finishes what it has and gets nothing new")


@app.command("stop-after-this-one")
def stop_after(
    worker: WorkerArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Let its agent end itself once the run at hand is delivered."""
    _wish(server, token, worker, as_json, "stopping", "ends its agent after the run at hand")


@app.command("take-back")
def take_back(
    worker: WorkerArgument,
    study: Annotated[str, typer.Argument(help="Name or id of the study that it was set aside for.")],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a worker that was set aside for a study work of it again."""
    with client(server, token) as api:
        answer = api.post(f"/api/workers/{quote(worker, safe='')}/take-back", {"studyId": find(api, study)["id"]})
    show.done(answer, f"{worker} gets work of {study} again.", as_json)


def _wish(server: str, token: str, worker: str, as_json: bool, wish: str, says: str) -> None:
    with client(server, token) as api:
        answer = api.patch(f"/api/workers/{quote(worker, safe='')}", {"wish": wish})
    show.done(answer, f"{worker} {says}.", as_json)

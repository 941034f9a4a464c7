"""`goliat-monitoring worker`: the machines."""

from typing import Annotated
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.cli.study import worker_name

app = typer.Typer(no_args_is_help=True, help="Workers: list, rename, price.")


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
    worker: Annotated[str, typer.Argument(help="Id, machine id or address of a worker.")],
    label: Annotated[str, typer.Argument(help="Its new name.")],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a worker another name."""
    with client(server, token) as api:
        answer = api.patch(f"/api/workers/{quote(worker, safe='')}", {"label": label})
    if as_json:
        show.as_json(answer)
    else:
        show.console.print(f"{worker} is now {label}.", markup=False)


@app.command()
def price(
    worker: Annotated[str, typer.Argument(help="Id, machine id or address of a worker.")],
    per_hour: Annotated[float | None, typer.Argument(help="Euro an hour; left out, the price is forgotten.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what an hour of a worker costs; studies then tell what they cost."""
    with client(server, token) as api:
        answer = api.patch(f"/api/workers/{quote(worker, safe='')}", {"pricePerHour": per_hour})
    if as_json:
        show.as_json(answer)
    else:
        told = "has no price now" if per_hour is None else f"costs {per_hour:g} euro an hour now"
        show.console.print(f"{worker} {told}.", markup=False)

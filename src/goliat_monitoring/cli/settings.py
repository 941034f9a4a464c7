"""`goliat-monitoring settings`: what can be changed while the server runs."""

from typing import Annotated

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client

app = typer.Typer(no_args_is_help=True, help="Settings of a running server: retention, currency, prices by GPU.")


@app.command("show")
def show_settings(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """The settings in force, and who says so."""
    with client(server, token) as api:
        found = api.get("/api/settings")
    if as_json:
        show.as_json(found)
        return
    show.table(
        ("Name", "Kept for", "What", "Said by"),
        (
            (
                it["name"],
                f"{it['value']:g} {it['unit']}" if it["value"] else "for ever",
                it["what"],
                "stored" if it["stored"] else it["variable"],
            )
            for it in found["retention"]
        ),
        "",
    )
    show.console.print(f"\nCurrency: {show.safe(found['currency'])}", markup=False)
    for gpu, price in found["gpuPrices"].items():
        show.console.print(f"{show.safe(gpu)}: {price:g} an hour", markup=False)


@app.command()
def keep(
    name: Annotated[str, typer.Argument(help="Such as keep_logs_d; `settings show` lists all.")],
    value: Annotated[float | None, typer.Argument(help="0 is for ever; left out, the environment counts.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change how long something is kept."""
    with client(server, token) as api:
        answer = api.patch("/api/settings", {"retention": {name: value}})
    if as_json:
        show.as_json(answer)
        return
    (now,) = [it for it in answer["retention"] if it["name"] == name]
    length = f"{now['value']:g} {now['unit']}" if now["value"] else "for ever"
    show.console.print(f"{name} is {length} now.", markup=False)


@app.command()
def currency(
    code: Annotated[str, typer.Argument(help="Its three letters, such as EUR; no amount is converted.")],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Name the currency of all prices."""
    with client(server, token) as api:
        show.done(api.patch("/api/settings", {"currency": code}), f"Prices are in {code} now.", as_json)


@app.command("gpu-price")
def gpu_price(
    gpu: Annotated[str, typer.Argument(help="Part of a GPU's name, such as 'RTX 4090'.")],
    per_hour: Annotated[float | None, typer.Argument(help="Price of an hour; left out, it is forgotten.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say what an hour of workers with such a GPU costs that have no price of their own."""
    with client(server, token) as api:
        answer = api.put("/api/settings/gpu-prices", {"gpu": gpu, "pricePerHour": per_hour})
    told = "has no price now" if per_hour is None else f"costs {per_hour:g} an hour now"
    show.done(answer, f"{gpu} {told}.", as_json)

"""`goliat-monitoring token`: who may call the server."""

from typing import Annotated
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client

app = typer.Typer(no_args_is_help=True, help="Tokens: of people and scripts, and for machines to enrol.")


@app.command("list")
def list_tokens(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """All tokens, and the credentials of agents; never their secrets."""
    with client(server, token) as api:
        found = api.get("/api/tokens")
    if as_json:
        show.as_json(found)
        return
    show.table(
        ("For", "Kind", "Role", "State", "Created", "Last used", "Expires", "Id"),
        (
            (
                it.get("label"),
                it.get("kind"),
                it.get("role"),
                it.get("state"),
                show.when(it.get("createdAt")),
                show.when(it.get("usedAt")),
                show.when(it.get("expiresAt")),
                it.get("id"),
            )
            for it in found
        ),
        "No tokens yet. Make one: goliat-monitoring token add NAME",
    )


@app.command()
def add(
    label: Annotated[str, typer.Argument(help="Who or what uses it.")],
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")] = "operator",
    days: Annotated[float | None, typer.Option(help="How long it is valid; left out, until it is revoked.")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token for a person or a script. It is printed this once."""
    with client(server, token) as api:
        made = api.post("/api/tokens", {"label": label, "role": role, "days": days})
    if as_json:
        show.as_json(made)
    else:
        print(made["token"])


@app.command()
def enrol(
    hours: Annotated[float, typer.Option(help="How long it may be used.")] = 24.0,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token with which one machine enrols, once. It is printed this once."""
    with client(server, token) as api:
        made = api.post("/api/enrolment-tokens", {"hours": hours})
    if as_json:
        show.as_json(made)
    else:
        print(made["token"])


@app.command()
def revoke(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Id of a token, from `token list`.")],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make a token, or an agent's credential, worthless."""
    with client(server, token) as api:
        answer = api.delete(f"/api/tokens/{quote(identity, safe='')}")
    show.done(answer, f"{identity} is revoked.", as_json)

"""`goliat-monitoring config`: the config library of the server."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.study.config_names import ConfigNameProblem, check_config_name
from goliat_monitoring.wire.errors import Refused

app = typer.Typer(no_args_is_help=True, help="The server's library of configs that others extend.")
NameArgument = Annotated[str, typer.Argument(help="File name of a config, as `extends` has it.")]


@app.command("list")
def list_configs(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """All configs of the library."""
    with client(server, token) as api:
        found = api.get("/api/configs")
    if as_json:
        show.as_json(found)
        return
    show.table(
        ("Name", "Version", "Extends", "Bytes", "Stored", "By", "SHA-256"),
        (
            (
                it.get("name"),
                it.get("version"),
                it.get("extends"),
                it.get("size"),
                show.when(it.get("updatedAt")),
                it.get("storedBy"),
                str(it.get("sha256"))[:12],
            )
            for it in found
        ),
        "The library is empty. Add a config: goliat-monitoring config add FILE",
    )


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(help="Config files (JSON).")],
    name: Annotated[
        str, typer.Option(help="Another name than the file's, such as goliat/config/defaults/base.json.")
    ] = "",
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Store configs; what had their name is replaced. Studies that were made before stay as they are."""
    if name and len(files) > 1:
        raise Refused(400, "one name for several files", "give --name with one file only")
    stored = []
    with client(server, token) as api:
        for file in files:
            try:
                body = file.read_bytes()
            except OSError as problem:
                raise Refused(400, f"{file} cannot be read", problem.strerror or "") from problem
            stored.append(api.put_file(f"/api/configs/{quote(_checked(name or file.name))}", body))
            if not as_json:
                it = stored[-1]
                show.console.print(f"{show.safe(it['name'])} is in the library, version {it['version']}.", markup=False)
    if as_json:
        show.as_json(stored)


@app.command("show")
def show_config(
    name: NameArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Print a config; with --json what is known of it, too."""
    with client(server, token) as api:
        found = api.get(f"/api/configs/{quote(_checked(name))}")
    show.as_json(found if as_json else found["config"])


@app.command()
def remove(
    name: NameArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Take a config out of the library. Studies that were made with it stay as they are."""
    with client(server, token) as api:
        gone = api.delete(f"/api/configs/{quote(_checked(name))}")
    show.done(gone, f"{gone['name']} is out of the library.", as_json)


def _checked(name: str) -> str:
    try:
        return check_config_name(name)
    except ConfigNameProblem as problem:
        raise Refused(400, "the config's name cannot be used", str(problem)) from None

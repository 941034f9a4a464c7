"""`goliat-monitoring agent`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from goliat_monitoring.agent.settings import AgentSettings, default_state_dir, parse_command
from goliat_monitoring.cli.options import DEFAULT_SERVER, ServerOption, TokenOption
from goliat_monitoring.wire.errors import Refused


def agent(
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    state_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="GOLIAT_MONITORING_STATE_DIR",
            help="Where this agent keeps its identity and its runs.",
            show_default="a folder of this user",
        ),
    ] = None,
    workdir: Annotated[
        Path | None,
        typer.Option(
            envvar="GOLIAT_MONITORING_WORKDIR", help="GOLIAT's project folder.", show_default="the current one"
        ),
    ] = None,
    goliat_command: Annotated[
        str, typer.Option(envvar="GOLIAT_MONITORING_GOLIAT_COMMAND", help="How GOLIAT is started on this machine.")
    ] = "goliat",
    label: Annotated[
        str,
        typer.Option(
            envvar="GOLIAT_MONITORING_LABEL", help="What people call this machine.", show_default="its host name"
        ),
    ] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A word that describes this machine; may be repeated.")] = None,
    once: Annotated[bool, typer.Option("--once", help="End after one run, or when there is no work.")] = False,
) -> None:
    """Claim work from the server and run GOLIAT on this machine."""
    try:
        command = parse_command(goliat_command)
    except ValueError as problem:
        raise Refused(400, f"--goliat-command: {problem}") from problem
    settings = AgentSettings(
        server=server.rstrip("/"),
        state_dir=(state_dir or default_state_dir()).expanduser().absolute(),
        workdir=(workdir or Path.cwd()).expanduser().absolute(),
        token=token or None,
        goliat_command=command,
        once=once,
        label=label,
        tags=tag or [],
    )
    # Whoever starts it in a terminal sees that it is enrolled and what it runs.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    from goliat_monitoring.agent.main import run_agent  # noqa: PLC0415 -- 30 MB that a server need not hold

    raise typer.Exit(run_agent(settings))

"""Options that many commands share."""

from typing import Annotated

import typer

from goliat_monitoring.cli.client import Client

DEFAULT_SERVER = "http://127.0.0.1:8000"

ServerOption = Annotated[
    str, typer.Option("--server", envvar="GOLIAT_MONITORING_URL", help="Address of the server.", metavar="URL")
]
TokenOption = Annotated[
    str,
    typer.Option("--token", envvar="GOLIAT_MONITORING_TOKEN", help="Access token, where one is needed.", metavar="T"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the server's answer as JSON.")]


def client(server: str, token: str) -> Client:
    """A client of the server that the options name."""
    return Client(server or DEFAULT_SERVER, token)

"""`goliat-monitoring serve`."""

from pathlib import Path
from typing import Annotated

import typer

from goliat_monitoring.wire.errors import Refused


def serve(
    host: Annotated[
        str | None,
        typer.Option(
            envvar="GOLIAT_MONITORING_HOST",
            help="Address to listen on; beyond this machine a token is needed.",
            show_default="127.0.0.1",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="GOLIAT_MONITORING_PORT", help="Port.", show_default="8000")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="GOLIAT_MONITORING_DATA_DIR",
            help="Folder for the database and the results.",
            show_default="goliat-monitoring-data",
        ),
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(envvar="GOLIAT_MONITORING_DATABASE_URL", help="Another database than the one in there."),
    ] = None,
    storage_url: Annotated[
        str | None,
        typer.Option(envvar="GOLIAT_MONITORING_STORAGE_URL", help="Another place for files than the folder."),
    ] = None,
) -> None:
    """Run the server and its dashboard.

    Further settings by environment: GOLIAT_MONITORING_ADMIN_TOKEN, _TRUSTED_HOSTS, _CORS_ORIGINS, _LOG_LEVEL and those
    of docs/settings.md.
    """
    try:
        from goliat_monitoring.server.main import serve as run  # noqa: PLC0415 -- an extra that a GPU machine lacks
        from goliat_monitoring.server.settings import Settings  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("goliat_monitoring"):
            raise
        raise Refused(
            400,
            f"the server is not installed here ({missing.name} is missing)",
            "pip install 'goliat-monitoring[server]'",
        ) from missing
    run(
        Settings.from_environment(
            host=host, port=port, data_dir=data_dir, database_url=database_url, storage_url=storage_url
        )
    )

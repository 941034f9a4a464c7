"""The HTTP API, one module per subject. A handler decodes, authorises, calls one function and encodes."""

from litestar.handlers import HTTPRouteHandler


def api_routes() -> list[HTTPRouteHandler]:
    """All handlers below `/api`, and those of the health checks."""
    from goliat_monitoring.server.api import (  # noqa: PLC0415 - the modules import this package
        agents,
        assignments,
        configs,
        events,
        gui,
        health,
        heartbeat,
        logs,
        results,
        runs,
        samples,
        scheduling,
        server,
        settings,
        strangers,
        super_studies,
        tokens,
        workers,
    )

    modules = (
        agents,
        assignments,
        configs,
        events,
        gui,
        health,
        heartbeat,
        logs,
        results,
        runs,
        samples,
        scheduling,
        server,
        settings,
        strangers,
        super_studies,
        tokens,
        workers,
    )
    return [value for module in modules for value in vars(module).values() if isinstance(value, HTTPRouteHandler)]

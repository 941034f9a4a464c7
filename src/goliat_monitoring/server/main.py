"""Run the server until it is told to stop."""

import asyncio
import contextlib
import logging
import signal
import sys
from typing import Any, Self

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from goliat_monitoring.server.alone import address_of, free_port, owning
from goliat_monitoring.server.app import create_app
from goliat_monitoring.server.settings import Settings
from goliat_monitoring.store.collector import spare_the_collector
from goliat_monitoring.wire.errors import Refused


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM; what was accepted by then is committed. Raises `Refused` if it cannot start."""
    configure_logs(settings.log_level)
    address = address_of(settings.host)
    with owning(settings.data_dir):
        try:
            asyncio.run(_serve(settings, address, free_port(address, settings.port)))
        except BaseExceptionGroup as group:
            # The framework wraps what stops its start.
            if (refused := _only_refusal(group)) is None:
                raise
            raise refused from None


def _only_refusal(problem: BaseException) -> Refused | None:
    while isinstance(problem, BaseExceptionGroup) and len(problem.exceptions) == 1:
        problem = problem.exceptions[0]
    return problem if isinstance(problem, Refused) else None


async def _serve(settings: Settings, address: str, port: int) -> None:
    app = create_app(settings)
    async with Lifespan(app):
        spare_the_collector()
        server = web_server(app, address, port)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            # First the event streams of open pages, which never end by themselves and would be waited for.
            app.end_streams()
            server.stop()  # type: ignore[no-untyped-call]

        for name in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
                loop.add_signal_handler(name, stop)
        announced = asyncio.create_task(_announce(address, port))
        try:
            await server.serve()
        finally:
            announced.cancel()


def web_server(app: Any, address: str, port: int) -> Server:
    """The web server for an ASGI application, in this process and its event loop."""
    return Server(
        app,
        address=address,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        backlog=1024,
        log_level=LogLevels.error,
    )


async def _announce(host: str, port: int) -> None:
    """Say where the server listens, once it does: whoever reads the line may call at once."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    while True:
        try:
            _, writer = await asyncio.open_connection(reachable, port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        print(f"goliat-monitoring listens on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
        return


class Lifespan:
    """Opens and closes an ASGI application. A failed start is raised as it was, not wrapped or only logged."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(
            self._app({"type": "lifespan", "asgi": {"version": "3.0"}}, self._to_app.get, self._from_app.put)
        )
        await self._say("lifespan.startup")
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self._say("lifespan.shutdown")

    async def _say(self, word: str) -> None:
        assert self._task is not None  # noqa: S101 - entered
        await self._to_app.put({"type": word})
        answer = asyncio.create_task(self._from_app.get())
        await asyncio.wait({answer, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() or answer.result()["type"].endswith("failed"):
            answer.cancel()
            await self._task
            raise RuntimeError(f"{word} failed: {answer.result().get('message', '') if answer.done() else ''}")


def configure_logs(level: str) -> None:
    """One line of text an entry on standard error."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

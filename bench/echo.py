"""The bare echo: the least that any server on this stack could do, started as the product starts its own.

`python -m bench.echo PORT` answers every POST with the answer that the product gives, once the body is read.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from goliat_monitoring.server.edge import DEFAULT_HEADERS
from goliat_monitoring.server.main import web_server
from goliat_monitoring.store.collector import spare_the_collector

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ANSWERS = {"/api/gui-update": b'{"success":true}'}
OF_A_BATCH = b'{"next":10000}'


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Read the whole body, answer as the product does, with its headers."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    b"".join(pieces)
    body = ANSWERS.get(scope["path"], OF_A_BATCH)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *DEFAULT_HEADERS.items(),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _serve(port: int) -> None:
    spare_the_collector()
    server = web_server(app, "127.0.0.1", port)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, server.stop)
    await server.serve()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))

"""The server as the web server calls it: RSGI, whose calls cost a third less than those of ASGI (decision 0010).

The hot calls are answered here, in as few steps as they need; all others go through the edge as ASGI. What decides over
a call (`Gate.admit`, `answer_hot`, `refusal_of`) is the same for both.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from goliat_monitoring.server.body import Headers
from goliat_monitoring.server.edge import DEFAULT_HEADERS, DRAIN_LIMIT, Edge, Message
from goliat_monitoring.server.errors import headers_of, refusal_of
from goliat_monitoring.server.hot import answer_hot, is_hot
from goliat_monitoring.server.requests import group_of

# A body that is announced to be at most this long is read in one step.
SMALL = 256 * 1024
JSON_HEADERS = [
    ("content-type", "application/json"),
    *((name.decode(), value.decode()) for name, value in DEFAULT_HEADERS.items()),
]


class AllHeaders(Headers, Protocol):
    """Of a name that came twice, `get` gives the first."""

    def items(self) -> list[tuple[str, str]]:
        """All of them."""


class Front:
    """An RSGI application around the edge."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def end_streams(self) -> None:
        """End the event streams of open pages."""
        self._edge.end_streams()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        headers: AllHeaders = scope.headers
        call = AsgiCall(headers, proto)
        # A page of another site has an origin, and what it may be told is the edge's business.
        if scope.method == "POST" and is_hot(scope.path) and not headers.get("origin", ""):
            await self._answer_hot(scope.path, scope.client, headers, call, proto)
        else:
            await self._edge(asgi_scope(scope, headers), call.receive, call.send)

    async def _answer_hot(self, path: str, client: str, headers: AllHeaders, call: "AsgiCall", proto: Any) -> None:
        began = time.perf_counter()
        services = self._edge.services
        status, answer_headers = 200, JSON_HEADERS
        try:
            principal = await self._edge.gate.admit("POST", path, headers)
            body = await answer_hot(services, principal, path, headers, address_of(client)[0], call.receive)
        except Exception as problem:  # noqa: BLE001 - the last place where it can still be answered
            refusal = refusal_of(problem, "POST", path)
            await call.drain()
            status, body = refusal.status, msgspec.json.encode(refusal.body())
            answer_headers = [*JSON_HEADERS, *headers_of(refusal).items()]
        proto.response_bytes(status, answer_headers, body)
        services.requests.count(group_of(path), status, time.perf_counter() - began)


class AsgiCall:
    """One call in ASGI's words: what `receive` and `send` mean to the web server."""

    def __init__(self, headers: AllHeaders, proto: Any) -> None:
        self._proto = proto
        length = headers.get("content-length", "")
        self._small = length.isascii() and length.isdigit() and int(length) <= SMALL
        self._pieces: AsyncIterator[bytes] | None = None
        self._read = False
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._stream: Any = None

    async def receive(self) -> Message:
        """The next piece of the body, then that the client left."""
        if self._read:
            await self._proto.client_disconnect()
            return {"type": "http.disconnect"}
        try:
            if self._small:
                self._read = True
                return {"type": "http.request", "body": await self._proto(), "more_body": False}
            if self._pieces is None:
                self._pieces = aiter(self._proto)
            piece = await anext(self._pieces, None)
        except asyncio.CancelledError:
            # So the web server says that the connection broke; a task that is cancelled is told so itself.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._read = True
            return {"type": "http.disconnect"}
        self._read = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def drain(self) -> None:
        """Read the rest of the body: a client that still sends would not see its refusal."""
        size = 0
        while not self._read and size <= DRAIN_LIMIT:
            size += len((await self.receive()).get("body", b""))

    async def send(self, message: Message) -> None:
        """The head of the answer, or a piece of its body."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]]
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._stream is None:
            if not more:
                self._proto.response_bytes(self._status, self._headers, bytes(body))
                return
            self._stream = self._proto.response_stream(self._status, self._headers)
        if body:
            await self._stream.send_bytes(bytes(body))


def asgi_scope(scope: Any, headers: AllHeaders) -> dict[str, Any]:
    """The scope of an HTTP call as ASGI 3 describes it."""
    path: str = scope.path
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": path,
        "raw_path": quote(path).encode(),
        "query_string": scope.query_string.encode(),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": address_of(scope.client),
        "server": address_of(scope.server),
        "state": {},
    }


def address_of(text: str) -> tuple[str, int]:
    """IP address and port, from what joins them by a colon."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port) if port.isdigit() else 0

"""The outermost layer: who may call, the hot routes, headers that every answer carries, one form for every failure."""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

import msgspec

from goliat_monitoring.server.auth import CLAIMING_PATH, Gate
from goliat_monitoring.server.body import JSON_LIMIT, Headers, read_body
from goliat_monitoring.server.errors import headers_of, refusal_of
from goliat_monitoring.server.hot import answer_hot, is_hot
from goliat_monitoring.server.requests import group_of
from goliat_monitoring.server.services import Services
from goliat_monitoring.wire.errors import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

# A refused upload is read to its end up to this size: a client that still sends would not see the refusal.
DRAIN_LIMIT = 64 * 2**20
STRICT = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
SLASHES = re.compile("//+")
DEFAULT_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"content-security-policy": STRICT.encode(),
}
PLAIN_HEADERS = [(b"content-type", b"application/json"), *DEFAULT_HEADERS.items()]
CORS_HEADERS = [
    (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, X-Goliat-Fence"),
    (b"access-control-max-age", b"600"),
]


class Edge:
    """An ASGI application around another one."""

    def __init__(self, app: App, services: Services) -> None:
        self._app = app
        self.services = services
        self.gate = Gate(services)

    def end_streams(self) -> None:
        """End the event streams of open pages. Their pages come back by themselves to whoever answers next."""
        self.services.hub.close()

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = RawHeaders(scope["headers"])
        method, path = scope["method"], scope["path"]
        if "//" in path:
            # The framework takes several slashes for one. So must who decides over the call, or they lead around him.
            path = SLASHES.sub("/", path)
            scope = {**scope, "path": path}
        call = _Call(receive, send, self._cors(headers.get("origin", "")))
        try:
            if "\x00" in path:
                raise Refused(404, "no such address", f"{method} {path!r}")
            if method == "POST" and is_hot(path):
                await self._answer_hot(scope, headers, call)
            else:
                await self._answer(scope, headers, call)
        except Exception as problem:  # noqa: BLE001 - the last place where it can still be answered
            refusal = None if call.over else refusal_of(problem, method, path)
            if refusal is not None and not call.status:
                await call.refuse(refusal)
            # Else half an answer is out: the server cuts the connection, which the client can tell from a whole one.
        finally:
            self.services.requests.count(group_of(path), call.status, time.perf_counter() - began)

    async def _answer_hot(self, scope: Any, headers: "RawHeaders", call: "_Call") -> None:
        path, client = scope["path"], scope.get("client") or ("",)
        principal = self.gate.admit_at_once(path, headers) or await self.gate.admit("POST", path, headers)
        body = await answer_hot(self.services, principal, path, headers, client[0], call)
        await call.answer_plainly(body)

    async def _answer(self, scope: Any, headers: "RawHeaders", call: "_Call") -> None:
        method, path = scope["method"], scope["path"]
        if method == "HEAD" and path.rstrip("/") != CLAIMING_PATH:
            # Whoever asks for the head of an answer gets that of GET; but what claims is not to be asked without a use.
            method, call.head = "GET", True
            scope = {**scope, "method": method}
        if method == "OPTIONS" and call.cors and headers.get("access-control-request-method", ""):
            await call.answer(204, b"", CORS_HEADERS)
            return
        principal = await self.gate.admit(method, path, headers)
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, call.receive, call.send)

    def _cors(self, origin: str) -> list[tuple[bytes, bytes]]:
        if not origin or not self.gate.allows_origin(origin):
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]


class RawHeaders:
    """The headers of a call, read when somebody asks. Of a name that came twice, the last."""

    __slots__ = ("_raw",)

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = dict(raw)

    def lacks(self, names: frozenset[bytes]) -> bool:
        """Whether none of them is there; `names` in lower case."""
        return names.isdisjoint(self._raw)

    def get(self, name: str, default: str, /) -> str:
        """The value of one; `name` in lower case."""
        value = self._raw.get(name.encode())
        return default if value is None else value.decode("latin-1")


class _Enough(Exception):
    """Ends the making of a body that nobody gets."""


class _Call:
    """One request: knows whether its body was read, and the status of its answer once that has begun. With `head` the
    answer has no body; `over` is true when it is out."""

    def __init__(self, receive: Receive, send: Send, cors: list[tuple[bytes, bytes]]) -> None:
        self._receive = receive
        self._send = send
        self.head = False
        self.cors = cors
        self.status = 0
        self.over = False
        self._body_ended = False

    async def body(self, headers: Headers) -> bytes:
        """The whole body, which nearly always comes in one piece. Raises as `read_body`."""
        first = await self._receive()
        body: bytes = first.get("body", b"")
        # What was announced is there: the word that nothing follows would take another turn of the event loop.
        if headers.get("content-length", "") == str(len(body)) and 0 < len(body) <= JSON_LIMIT:
            self._body_ended = True
            return body
        self._body_ended = not first.get("more_body", False)
        return await read_body(self.receive, headers, first=first)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self._body_ended = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] >= 400:
                await self._drain()
            self.status = message["status"]
            headers = list(message.get("headers", []))
            have = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in DEFAULT_HEADERS.items() if name not in have]
            message = {**message, "headers": headers + self.cors}
        elif self.head and message["type"] == "http.response.body":
            if self.over:
                raise _Enough
            self.over = True
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def answer_plainly(self, body: bytes) -> None:
        """Send a whole JSON answer to what went well, in as few steps as it takes."""
        self.status = 200
        headers = [*PLAIN_HEADERS, (b"content-length", b"%d" % len(body)), *self.cors]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def answer(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        """Send a whole JSON answer."""
        own = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *(headers or [])]
        await self.send({"type": "http.response.start", "status": status, "headers": own})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: Refused) -> None:
        """Send a refusal."""
        extra = [(name.lower().encode(), value.encode()) for name, value in headers_of(refusal).items()]
        await self.answer(refusal.status, msgspec.json.encode(refusal.body()), extra)

    async def _drain(self) -> None:
        size = 0
        while not self._body_ended and size <= DRAIN_LIMIT:
            message = await self.receive()
            size += len(message.get("body", b""))

"""Bodies that arrive, read within a limit."""

from typing import Any, Protocol

from goliat_monitoring.wire.errors import Refused

JSON_LIMIT = 16 * 2**20


class Headers(Protocol):
    """Of a request, with names in lower case."""

    def get(self, name: str, default: str, /) -> str:
        """The value of one."""


class RequestHeaders(Headers, Protocol):
    """Those of a call before the framework took it."""

    def lacks(self, names: frozenset[bytes]) -> bool:
        """Whether none of them is there."""


async def read_body(receive: Any, headers: Headers, limit: int = JSON_LIMIT, *, first: Any = None) -> bytes:
    """The whole body of a request. Raises `Refused` 413 past `limit` bytes, 400 when the sender went away.

    `first`: its first message, where that was received already.
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = first or await receive()
        first = None
        if message["type"] == "http.disconnect":
            raise Refused(400, "the request ended early", "the sender closed the connection")
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


def too_large(limit: int) -> Refused:
    """The refusal of a body past `limit` bytes."""
    return Refused(413, "the request is too large", f"at most {limit} bytes are taken")

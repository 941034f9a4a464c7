"""JSON that arrives: read within a limit, decoded into a message struct, lone surrogates mended."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec

from goliat_monitoring.wire.errors import Refused

T = TypeVar("T")

JSON_LIMIT = 16 * 2**20


async def read_body(receive: Any, headers: Mapping[str, str], limit: int = JSON_LIMIT) -> bytes:
    """The whole body of a request. Raises `Refused` 413 past `limit` bytes, 400 when the sender went away."""
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
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


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """The message in `body`. Raises msgspec's errors, which say what is wrong and where.

    A Python sender writes a file name that is no UTF-8 as lone surrogates. JSON has no such thing, but losing the
    message would be worse: they become the replacement character.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if b"\\u" not in body:
            raise
        try:
            mended = _without_lone_surrogates(json.loads(body, parse_constant=_refuse))
        except (ValueError, RecursionError):
            mended = None
        if mended is None:
            raise
        return decoder.decode(msgspec.json.encode(mended))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    return value

"""Reading JSON from a sender that cannot be asked to say it again."""

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode(body: bytes, kind: type[T]) -> T:
    """`body` as `kind`. Raises `msgspec.MsgspecError` saying what is wrong and where.

    Python senders write a file name that is no UTF-8 as a lone surrogate escape. That is legal JSON which the strict
    decoder refuses, and the client never repeats a message, so such characters are replaced instead.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError:
        if b"\\ud" not in body and b"\\uD" not in body:
            raise
        try:
            return msgspec.convert(_replaced(json.loads(body)), kind)
        except (ValueError, RecursionError):
            pass
        raise


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    if isinstance(value, dict):
        return {_replaced(key): _replaced(item) for key, item in value.items()}
    return value

"""Reading JSON from a sender that cannot be asked to say it again."""

import json
from typing import Any, NoReturn, TypeVar

import msgspec

T = TypeVar("T")


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """The message in `body`. Raises `msgspec.MsgspecError`, which says what is wrong and where.

    A Python sender writes a file name that is no UTF-8 as lone surrogates. JSON has no such thing, but losing the
    message would be worse: they become the replacement character. So does NUL, which PostgreSQL cannot store.
    """
    if b"\\u0000" in body:
        return _mended(body, decoder)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if b"\\u" not in body:
            raise
        return _mended(body, decoder)


def _mended(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    try:
        mended = _storable(json.loads(body, parse_constant=_refuse))
    except (ValueError, RecursionError):
        # The decoder says what is wrong, and where.
        return decoder.decode(body)
    return decoder.decode(msgspec.json.encode(mended))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value

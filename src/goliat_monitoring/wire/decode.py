"""Reading JSON from a sender that cannot be asked to say it again."""

import json
from typing import Any, NoReturn, TypeVar

import msgspec

T = TypeVar("T")


def decode(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """The message in `body`. Raises `msgspec.MsgspecError`, which says what is wrong and where.

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

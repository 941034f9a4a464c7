"""Which fields a request's body takes, for the refusal of one that it does not: a misspelled `preview` must not cut."""

import re
from collections.abc import Iterator

from msgspec import inspect

_UNKNOWN = re.compile(r"Object contains unknown field `(.{1,200})`", re.DOTALL)


def unknown_field(message: str, body: object, place: str) -> str:
    """The sentence for a field that is not taken; "" where `message` is about something else.

    `body`: the annotation of the body. `place`: where in it the field was, as "split" or "fleet[0]"; "" for the top.
    """
    found = _UNKNOWN.match(message)
    if found is None:
        return ""
    kind: inspect.Type = inspect.type_info(body)
    for step in re.findall(r"\w+|\[", place):
        kind = next(_inside(kind, step), kind)
    names = [field.encode_name for struct in _structs(kind) for field in struct.fields]
    taken = f" Allowed: {', '.join(names)}." if names else ""
    return f"{f'`{place}`' if place else 'the request'} has no field `{found[1]:.80}`.{taken}"


def _inside(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    if step == "[":
        yield from (it.item_type for it in _options(kind) if isinstance(it, inspect.ListType))
    else:
        # The handler says it in Python, the body in camel case.
        yield from (
            field.type
            for struct in _structs(kind)
            for field in struct.fields
            if step in (field.name, field.encode_name)
        )


def _structs(kind: inspect.Type) -> Iterator[inspect.StructType]:
    return (it for it in _options(kind) if isinstance(it, inspect.StructType))


def _options(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    return kind.types if isinstance(kind, inspect.UnionType) else (kind,)

"""What a config says otherwise than the one it was made from."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Change(NamedTuple):
    """One key that differs. `key`: the way to it, joined by dots. `before`, `now`: values; `added`, `removed`: only one
    of them is there."""

    key: str
    before: Any
    now: Any
    added: bool = False
    removed: bool = False


def difference(base: Mapping[str, Any], config: Mapping[str, Any]) -> list[Change]:
    """The keys of `config` that differ from `base`, in the order of `base`, new ones last. Objects are compared key by
    key, everything else as a whole; 1, 1.0 and true are three values."""
    return list(_changes(base, config, ""))


def _changes(base: Mapping[str, Any], config: Mapping[str, Any], prefix: str) -> Iterator[Change]:
    for name in [*base, *(name for name in config if name not in base)]:
        key = f"{prefix}{name}"
        if name not in config:
            yield Change(key, base[name], None, removed=True)
        elif name not in base:
            yield Change(key, None, config[name], added=True)
        elif isinstance(base[name], Mapping) and isinstance(config[name], Mapping):
            yield from _changes(base[name], config[name], f"{key}.")
        elif not same(base[name], config[name]):
            yield Change(key, base[name], config[name])


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are written alike."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(one == other)

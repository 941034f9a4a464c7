"""The keys of a config that differ from its base: exactly those."""

from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.study.difference import Change, difference

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]) | st.sampled_from([0.5, 1.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
CONFIG = st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4)


def test_changes_are_named_by_their_way() -> None:
    base = {"phantoms": ["duke", "ella"], "grid": {"step": 2, "auto": {"cells": 15}}, "tag": "x", "same": 1}
    config = {"phantoms": ["duke"], "grid": {"step": 2, "auto": {"cells": 20}, "pad": 1}, "same": 1}
    assert difference(base, config) == [
        Change("phantoms", ["duke", "ella"], ["duke"]),
        Change("grid.auto.cells", 15, 20),
        Change("grid.pad", None, 1, added=True),
        Change("tag", "x", None, removed=True),
    ]


def test_values_that_python_takes_for_equal_are_told_apart() -> None:
    assert [it.key for it in difference({"a": 1, "b": True, "c": [1]}, {"a": 1.0, "b": 1, "c": [True]})] == [
        "a",
        "b",
        "c",
    ]


@given(CONFIG)
def test_a_config_does_not_differ_from_itself(config: dict[str, object]) -> None:
    assert difference(config, config) == []


@given(CONFIG, CONFIG)
def test_changes_lead_from_the_base_to_the_config(base: dict[str, object], config: dict[str, object]) -> None:
    rebuilt = _copy(base)
    for change in difference(base, config):
        *way, name = change.key.split(".")
        holder = rebuilt
        for step in way:
            holder = holder[step]
        if change.removed:
            del holder[name]
        else:
            holder[name] = change.now
    assert rebuilt == config


def _copy(value: object) -> dict:  # type: ignore[type-arg]
    return {key: _copy(it) if isinstance(it, dict) else it for key, it in value.items()}  # type: ignore[attr-defined]

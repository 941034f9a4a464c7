"""Config inheritance."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.study.extends import (
    MAX_NESTING,
    ConfigProblem,
    check_nesting,
    find_in,
    layers_of,
    owner,
    parent_file_name,
    resolve,
)

Config = dict[str, Any]


def nothing(name: str) -> Config | None:
    return None


@pytest.mark.parametrize(
    ("extends", "name"),
    [
        ("base_config", "base_config.json"),
        ("base_config.json", "base_config.json"),
        ("./base.json", "base.json"),
        ("configs/base.json", "base.json"),
        ("configs\\base.json", "base.json"),
        ("configs/base", "configs/base"),  # GOLIAT adds ".json" to bare names only
        ("goliat/config/defaults/base.json", "goliat/config/defaults/base.json"),
        ("configs/sub/base.json", "configs/sub/base.json"),
    ],
)
def test_parent_file_name(extends: str, name: str) -> None:
    assert parent_file_name(extends) == name


def test_objects_merge_and_everything_else_replaces() -> None:
    parent: Config = {
        "phantoms": ["a", "b"],
        "antenna_config": {"700": {"x": 1}, "835": {}},
        "tessellation": {"n": 1},
        "use_web": True,
    }
    child: Config = {
        "extends": "p", "new": 1, "phantoms": ["c"], "antenna_config": {"700": {"y": 2}}, "tessellation": None,
    }  # fmt: skip
    resolved = resolve(child, {"p.json": parent}.get)
    assert resolved == {
        "phantoms": ["c"], "antenna_config": {"700": {"x": 1, "y": 2}, "835": {}}, "tessellation": None,
        "use_web": True, "new": 1,
    }  # fmt: skip
    assert list(resolved) == ["phantoms", "antenna_config", "tessellation", "use_web", "new"]


def test_several_levels_nearest_wins() -> None:
    files: dict[str, Config] = {
        "mid.json": {"extends": "top", "a": 2, "b": {"x": 2}},
        "top.json": {"a": 1, "b": {"x": 1, "y": 1}, "c": 1},
    }
    assert resolve({"extends": "mid", "a": 3}, files.get) == {"a": 3, "b": {"x": 2, "y": 1}, "c": 1}


def test_a_config_without_parent_is_copied() -> None:
    config: Config = {"a": {"b": [1]}}
    resolved = resolve(config, nothing)
    assert resolved == config
    resolved["a"]["b"].append(2)
    assert config == {"a": {"b": [1]}}


def test_a_missing_parent_is_named() -> None:
    with pytest.raises(ConfigProblem, match=r"'base\.json'.*missing") as caught:
        resolve({"extends": "base"}, nothing)
    assert (caught.value.file, caught.value.key) == ("base.json", "extends")


@pytest.mark.parametrize(
    "files", [{"a.json": {"extends": "a"}}, {"a.json": {"extends": "b"}, "b.json": {"extends": "a"}}]
)
def test_a_circle_is_refused(files: dict[str, Config]) -> None:
    with pytest.raises(ConfigProblem, match=r"circle: a\.json"):
        resolve({"extends": "a"}, files.get)


@pytest.mark.parametrize("extends", [None, 1, ["a"], "", "  "])
def test_extends_must_be_a_name(extends: object) -> None:
    with pytest.raises(ConfigProblem):
        resolve({"extends": extends}, nothing)


def test_an_endless_chain_is_refused() -> None:
    def parent(name: str) -> Config:
        return {"extends": f"{name.removesuffix('.json')}x"}

    with pytest.raises(ConfigProblem, match="levels"):
        resolve({"extends": "a"}, parent)


@pytest.mark.parametrize(
    ("child", "parent", "key"),
    [
        ({"a": {"b": 1}}, {"a": [1]}, "a"),
        ({"a": [1]}, {"a": {"b": 1}}, "a"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": "text"}}, "a.b"),
        ({"a": {"b": False}}, {"a": {"b": {}}}, "a.b"),
    ],
)
def test_a_clash_of_kinds_names_file_and_key(child: Config, parent: Config, key: str) -> None:
    with pytest.raises(ConfigProblem, match=rf"'{key}' is .* in the config and .* in p\.json") as caught:
        resolve(child | {"extends": "p"}, {"p.json": parent}.get)
    assert (caught.value.file, caught.value.key) == ("", key)
    files = {"mid.json": child | {"extends": "p"}, "p.json": parent}
    with pytest.raises(ConfigProblem, match=r"in mid\.json") as caught:
        resolve({"extends": "mid"}, files.get)
    assert (caught.value.file, caught.value.key) == ("mid.json", key)
    # The file in between says nothing about it.
    files = {"mid.json": {"extends": "p"}, "p.json": parent}
    with pytest.raises(ConfigProblem, match=r"in the config and .* in p\.json"):
        resolve(child | {"extends": "mid"}, files.get)


def test_the_file_that_a_value_comes_from_is_found() -> None:
    files: dict[str, Config] = {
        "mid.json": {"extends": "top", "a": {"b": 1}},
        "top.json": {"phantoms": {"x": 1}, "a": {"b": 2, "c": 3}},
    }
    layers = layers_of({"extends": "mid", "a": {"d": 1}}, files.get)
    for key, file in (("a.b", "mid.json"), ("a.c", "top.json"), ("a.d", ""), ("a.c.x", "top.json"), ("none", ""),
                      ("phantoms", "top.json"), ("", "")):  # fmt: skip
        assert owner(layers, key) == file, key


@pytest.mark.parametrize("file", ["", "p.json"])
def test_what_is_nested_without_end_is_refused_in_any_file(file: str) -> None:
    def nested(levels: int) -> Config:
        made: Config = {}
        for _ in range(levels - 1):
            made = {"a": made}
        return made

    for levels in (MAX_NESTING + 1, 900, 5000):
        deep = nested(levels)
        child, parent = ({"extends": "p"}, deep) if file else (deep, {})
        with pytest.raises(ConfigProblem, match="levels") as caught:
            resolve(child, {"p.json": parent}.get)
        assert caught.value.file == file
    check_nesting(resolve(nested(MAX_NESTING), nothing))


@pytest.mark.parametrize("value", [1, "x", [2], True, None])
def test_plain_values_lists_and_null_replace_each_other(value: object) -> None:
    assert resolve({"extends": "p", "a": value}, {"p.json": {"a": ["x"]}}.get) == {"a": value}


def test_null_takes_the_place_of_an_object_and_the_other_way_round() -> None:
    assert resolve({"extends": "p", "a": None}, {"p.json": {"a": {"b": 1}}}.get) == {"a": None}
    assert resolve({"extends": "p", "a": {"b": 1}}, {"p.json": {"a": None}}.get) == {"a": {"b": 1}}


def test_a_library_is_searched_as_goliat_searches() -> None:
    own, default, other = {"from": "configs"}, {"from": "defaults"}, {"from": "beside the child"}
    library: dict[str, Config] = {
        "configs/own.json": own,
        "goliat/config/defaults/own.json": default,
        "goliat/config/defaults/base.json": default,
        "configs/sub/beside.json": other,
        "uploaded.json": own,
    }
    find = find_in(library)
    assert resolve({"extends": "own"}, find) == own
    assert resolve({"extends": "base"}, find) == default
    assert resolve({"extends": "configs/uploaded.json"}, find) == own
    assert resolve({"extends": "goliat/config/defaults/own.json"}, find) == default
    assert resolve({"extends": "configs/sub/beside.json"}, find) == other
    for name in ("beside", "sub/beside.json", "goliat/config/defaults/uploaded.json"):
        with pytest.raises(ConfigProblem, match="missing"):
            resolve({"extends": name}, find)


def test_an_object_cannot_be_narrowed_by_its_child() -> None:
    """The published near_field_config_no_subgrid lists 2 antennas and inherits the other 6: 352 cases, not 88."""
    antennas = {str(700 + i): {"gridding": {"a": i}} for i in range(8)}
    child: Config = {"extends": "near_field_config", "antenna_config": {"701": {"gridding": {"a": 9}}, "700": {}}}
    resolved = resolve(child, find_in({"near_field_config.json": {"antenna_config": antennas}}))
    assert list(resolved["antenna_config"]) == list(antennas)
    assert resolved["antenna_config"]["701"] == {"gridding": {"a": 9}}


_leaves = st.none() | st.integers(-5, 5)
_inner = st.lists(_leaves, max_size=3) | st.dictionaries(st.sampled_from("abcd"), _leaves, max_size=4)
_json = _leaves | _inner | st.dictionaries(st.sampled_from("abcd"), _inner, max_size=3)
_configs = st.dictionaries(st.sampled_from("abcd"), _json, max_size=4)


@given(_configs, _configs, _configs)
def test_nothing_passed_in_is_changed(child: Config, parent: Config, top: Config) -> None:
    child, parent = {**child, "extends": "p"}, {**parent, "extends": "t"}
    files: dict[str, Config] = {"p.json": parent, "t.json": top}
    before = copy.deepcopy((child, files))
    try:
        resolved = resolve(child, files.get)
    except ConfigProblem:
        resolved = resolve({"extends": "t"}, files.get)
    assert (child, files) == before
    assert "extends" not in resolved
    assert resolve(resolved, nothing) == resolved
    shared = json.dumps(resolved)
    for holder in (child, parent, top):
        for value in holder.values():
            if isinstance(value, list):
                value.append("later")
    assert json.dumps(resolved) == shared

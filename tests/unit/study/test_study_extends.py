"""Config inheritance."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.study.extends import ConfigProblem, parent_file_name, resolve

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


_leaves = st.none() | st.integers(-5, 5)
_inner = st.lists(_leaves, max_size=3) | st.dictionaries(st.sampled_from("abcd"), _leaves, max_size=4)
_json = _leaves | _inner | st.dictionaries(st.sampled_from("abcd"), _inner, max_size=3)
_configs = st.dictionaries(st.sampled_from("abcd"), _json, max_size=4)


@given(_configs, _configs, _configs)
def test_nothing_passed_in_is_changed(child: Config, parent: Config, top: Config) -> None:
    child, parent = {**child, "extends": "p"}, {**parent, "extends": "t"}
    files: dict[str, Config] = {"p.json": parent, "t.json": top}
    before = copy.deepcopy((child, files))
    resolved = resolve(child, files.get)
    assert (child, files) == before
    assert "extends" not in resolved
    assert resolve(resolved, nothing) == resolved
    shared = json.dumps(resolved)
    for holder in (child, parent, top):
        for value in holder.values():
            if isinstance(value, list):
                value.append("later")
    assert json.dumps(resolved) == shared

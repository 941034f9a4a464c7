"""Config inheritance: what GOLIAT makes of the key `extends`, done once so that a split can be trusted.

A worker lays the child over its parent again, and objects are merged key by key, so antennas or scenarios that a split
had removed come back. A resolved config without the key cannot be widened.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Config = dict[str, Any]
# A config and those that it extends, nearest first, with the names of their files; that of the config itself is "".
Layers = Sequence[tuple[str, Config]]
# Real chains have three levels; the limit only bounds hostile input.
MAX_LEVELS = 32
# Real configs have a handful; JSON that is nested without end cannot be worked with.
MAX_NESTING = 100
# Where GOLIAT looks for a parent that is named without a folder, below its base folder, in this order.
LOOKUP = ("configs/", "goliat/config/defaults/")


class ConfigProblem(ValueError):
    """A config that cannot be used as it is.

    `file`: the parent file concerned, "" for the config itself. `key`: the dotted key concerned, "" for the whole.
    `missing`: `file` was not found.
    """

    def __init__(self, text: str, *, file: str = "", key: str = "", missing: bool = False) -> None:
        super().__init__(text)
        self.file = file
        self.key = key
        self.missing = missing


def parent_file_name(extends: str) -> str:
    """The name under which the parent of a config is looked up.

    A bare name gets ".json" if it lacks it and means a file in GOLIAT's `configs` folder. A name with a folder is
    relative to the base folder and stays as written, so "configs/x.json" and "x" are the same file.
    """
    name = extends.strip().replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    if "/" not in name:
        return name if name.endswith(".json") else f"{name}.json"
    rest = name.removeprefix("configs/")
    return rest if "/" not in rest and rest.endswith(".json") else name


def find_in(library: Mapping[str, Config]) -> Callable[[str], Config | None]:
    """The parent lookup of `resolve` in a library of configs by file name, or by path from GOLIAT's base folder.

    As GOLIAT does: a bare name means `configs/`, then `goliat/config/defaults/`; the folder of the child is not
    searched. A file that the library holds under its bare name counts as lying in `configs/`.
    """
    files = {parent_file_name(name): config for name, config in library.items()}

    def find(name: str) -> Config | None:
        return next((files[place] for place in places(name) if place in files), None)

    return find


def places(name: str) -> list[str]:
    """Where a parent may lie, best first; `name` as `parent_file_name` writes it."""
    return [name, *(f"{folder}{name}" for folder in LOOKUP)] if "/" not in name else [name]


def resolve(config: Config, find_parent: Callable[[str], Config | None]) -> Config:
    """A copy of `config` laid over its parents, without the key `extends`.

    Objects merge recursively; every other value, lists and null included, replaces the parent's. The parent's keys
    come first: their order is the order of execution. `find_parent` gets a name as `parent_file_name` writes it and
    returns the raw parent or None. Nothing that is passed in or returned by it is changed.

    Raises:
        ConfigProblem: as `layers_of` and `merged`.
    """
    return merged(layers_of(config, find_parent))


def layers_of(config: Config, find_parent: Callable[[str], Config | None]) -> Layers:
    """The files that a config consists of; see `resolve`.

    Raises:
        ConfigProblem: a parent is missing, extends itself over any number of levels, `extends` is no file name, or a
            file is nested too deeply.
    """
    check_nesting(config)
    chain = [config]
    names: list[str] = [""]
    current: Config = config
    while "extends" in current:
        extends = current["extends"]
        if not isinstance(extends, str) or not extends.strip():
            raise ConfigProblem("'extends' must be the name of a config file.", file=names[-1], key="extends")
        name = parent_file_name(extends)
        if name in names:
            loop = " → ".join([*names[names.index(name) :], name])
            raise ConfigProblem(f"The configs extend each other in a circle: {loop}.", file=name, key="extends")
        if len(chain) >= MAX_LEVELS:
            raise ConfigProblem(f"More than {MAX_LEVELS} levels of 'extends'.", file=name, key="extends")
        parent = find_parent(name)
        if parent is None:
            child = names[-1] or "the config"
            raise ConfigProblem(
                f"The parent config '{name}' (extended by {child}) is missing.",
                file=name,
                key="extends",
                missing=True,
            )
        if not isinstance(parent, dict):
            raise ConfigProblem(f"The parent config '{name}' is not a JSON object.", file=name)
        check_nesting(parent, name)
        chain.append(parent)
        names.append(name)
        current = parent
    return list(zip(names, chain, strict=True))


def merged(layers: Layers) -> Config:
    """The config that these files make together; see `resolve`.

    Raises:
        ConfigProblem: a value that is an object in one file is a list or a plain value in the other: GOLIAT would drop
            the parent's whole object without a word. Null may take the place of anything.
    """
    resolved: Config = {}
    for number in reversed(range(len(layers))):
        _lay_over(resolved, layers[number][1], layers[number:], ())
    resolved.pop("extends", None)
    return resolved


def owner(layers: Layers, key: str) -> str:
    """The file that what is found under a dotted key comes from: the nearest that holds the key, or else the most of
    it; "" for the config itself, also where none holds any of it."""
    path = tuple(key.split(".")) if key else ()
    for length in range(len(path), 0, -1):
        for name, config in layers:
            if _holds(config, path[:length]):
                return name
    return ""


def check_nesting(config: Config, file: str = "") -> None:
    """Raises `ConfigProblem` for a config with more than `MAX_NESTING` objects and lists inside each other."""
    level: list[Any] = [config]
    for _ in range(MAX_NESTING):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    shown = f"The parent config '{file}'" if file else "The config"
    raise ConfigProblem(f"{shown} has more than {MAX_NESTING} levels of objects inside each other.", file=file)


def _lay_over(base: Config, child: Config, layers: Layers, path: tuple[str, ...]) -> None:
    """`layers`: the file that `child` is of and those that it extends, with their names."""
    for key, value in child.items():
        below, here = base.get(key), (*path, key)
        if isinstance(value, dict) and isinstance(below, dict):
            _lay_over(below, value, layers, here)
        elif value is not None and below is not None and isinstance(value, dict) != isinstance(below, dict):
            file, dotted = layers[0][0], ".".join(here)
            parent = next(name for name, config in layers[1:] if _holds(config, here))
            raise ConfigProblem(
                f"'{dotted}' is {_kind(value)} in {file or 'the config'} and {_kind(below)} in {parent}, which it "
                "extends. Make them the same kind; null drops what is inherited.",
                file=file,
                key=dotted,
            )
        else:
            base[key] = copy.deepcopy(value)


def _holds(config: Config, path: tuple[str, ...]) -> bool:
    value: Any = config
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def _kind(value: object) -> str:
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false"}
    return kinds.get(type(value), "a number")

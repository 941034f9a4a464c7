"""Study configs on this machine: read, and laid over their parents as GOLIAT does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from goliat_monitoring.study.extends import LOOKUP, Config, ConfigProblem, Layers, layers_of, merged
from goliat_monitoring.wire.errors import Refused

# A parent by the name that `extends` gives, or None.
Lookup = Callable[[str], dict[str, Any] | None]


def read_json(path: Path) -> Any:
    """The JSON in a file; a refusal that names it otherwise."""
    try:
        return json.loads(path.read_text("utf-8"), parse_constant=_no_number)
    except OSError as problem:
        raise Refused(400, f"{path} cannot be read", problem.strerror or "") from problem
    except (ValueError, RecursionError) as problem:
        raise Refused(400, f"{path} is no JSON", str(problem)) from problem


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


class Resolved(NamedTuple):
    """A config without `extends`, and the files that it was made of."""

    config: Config
    layers: Layers


def resolved(path: Path, configs_dir: Path | None = None, elsewhere: Lookup | None = None) -> Resolved:
    """The config in `path`, laid over its parents; see `laid_over_parents`."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise Refused(400, f"{path} is no study config", "A JSON object is needed.")
    return laid_over_parents(config, path, configs_dir, elsewhere)


def laid_over_parents(
    config: dict[str, Any], path: Path, configs_dir: Path | None = None, elsewhere: Lookup | None = None
) -> Resolved:
    """A config of the file `path` without `extends`.

    A parent named without a folder lies in `configs_dir`, or in `goliat/config/defaults` beside it; one with a folder
    lies below the folder of `configs_dir`. Without `configs_dir`: `configs` here, or else the folder of `path`. GOLIAT
    never looks beside the child, so a parent there counts only where that is the place of all configs. What is in none
    of these is asked for `elsewhere`.
    """
    if configs_dir is not None and not configs_dir.is_dir():
        raise Refused(400, f"{configs_dir} is no folder")
    here = Path("configs")
    folder = (configs_dir or (here if here.is_dir() else path.parent)).resolve()

    def parent(name: str) -> dict[str, Any] | None:
        places = [folder.parent / name] if "/" in name else [folder / name, folder.parent / LOOKUP[1] / name]
        found: dict[str, Any] | None = next((read_json(place) for place in places if place.is_file()), None)
        return found if found is not None or elsewhere is None else elsewhere(name)

    try:
        layers = layers_of(config, parent)
        return Resolved(merged(layers), layers)
    except ConfigProblem as problem:
        hint = f" Parents are looked up in {folder}; put it there, or name another folder with --configs-dir."
        if elsewhere is not None:
            hint = f"{hint.removesuffix('.')}. The server's config library has none of that name either."
        hint = hint if problem.missing else ""
        raise Refused(400, f"{path} cannot be used", f"{problem}{hint}") from problem


def ready_made(path: Path, configs_dir: Path | None = None, elsewhere: Lookup | None = None) -> list[dict[str, Any]]:
    """Assignments from a file: configs, or objects that hold one as `splitConfig`; each laid over its parents."""
    content = read_json(path)
    items = content.get("assignments") if isinstance(content, dict) else content
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Refused(400, f"{path} holds no assignments", "A JSON list of study configs is needed.")
    configs = [item.get("splitConfig", item) for item in items]
    if not all(isinstance(config, dict) for config in configs):
        raise Refused(400, f"{path} holds no assignments", "A JSON list of study configs is needed.")
    return [laid_over_parents(config, path, configs_dir, elsewhere).config for config in configs]

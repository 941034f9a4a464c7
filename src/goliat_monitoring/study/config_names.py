"""Names of configs in a library: the file names under which GOLIAT would look them up, usable on every system."""

from goliat_monitoring.study.extends import parent_file_name
from goliat_monitoring.study.paths import PathProblem, clean_relative_path

MAX_CONFIG_NAME = 200


class ConfigNameProblem(ValueError):
    """A name that no config can have; the text says why and what to do."""


def check_config_name(name: str) -> str:
    """`name` as `extends` looks it up: "base" and "configs/base.json" are "base.json".

    A name with another folder is a path from GOLIAT's base folder and stays one.

    Raises:
        ConfigNameProblem: no name, no portable path, no `.json` at its end, or more than 200 characters.
    """
    if not name.strip():
        raise ConfigNameProblem("The name is empty. Give the config the file name that others extend.")
    try:
        clean = clean_relative_path(parent_file_name(name))
    except PathProblem as problem:
        raise ConfigNameProblem(f"The name {name!r:.80} cannot be used. {problem}") from None
    if not clean.endswith(".json") or clean.rpartition("/")[2] == ".json":
        raise ConfigNameProblem(f"The name {name!r:.80} cannot be used: a config's file name ends in .json.")
    if len(clean) > MAX_CONFIG_NAME:
        raise ConfigNameProblem(f"The name is too long: {len(clean)} characters. Use at most {MAX_CONFIG_NAME}.")
    return clean

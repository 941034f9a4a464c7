"""Relative paths and file names that workers send with their results: hostile text until it passed here."""

from goliat_monitoring.study.portable import segment_problem

MAX_PATH = 1000


class PathProblem(ValueError):
    """A path that is refused; the text says why."""


def clean_relative_path(path: str) -> str:
    """`path` with "/" between its segments, without "." and empty segments; "" stays "".

    Never strips a "..": GOLIAT falls back to such a path only when it did not find its `results` folder, and the
    rest of it then names no known place.

    Raises:
        PathProblem: absolute, UNC or drive paths, "..", control characters, names that Windows cannot hold, more
            than 1000 characters.
    """
    if len(path) > MAX_PATH:
        raise PathProblem(f"The path is longer than {MAX_PATH} characters.")
    unified = path.replace("\\", "/")
    if unified.startswith("/"):
        raise PathProblem("The path is absolute; send it relative to the results folder.")
    segments = [segment for segment in unified.split("/") if segment not in ("", ".")]
    for segment in segments:
        if segment == "..":
            raise PathProblem("The path contains '..'; send it relative to the results folder.")
        problem = segment_problem(segment)
        if problem:
            raise PathProblem(f"The path has a part that cannot be stored: {problem}.")
    return "/".join(segments)


def clean_file_name(name: str) -> str:
    """`name`, if it is one portable path segment.

    Raises:
        PathProblem: anything else, separators included.
    """
    problem = segment_problem(name)
    if problem:
        raise PathProblem(f"The file name cannot be stored: {problem}.")
    return name

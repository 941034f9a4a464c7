"""Where the results of a case lie, and which case a folder or an announcement means."""

from collections.abc import Sequence

from goliat_monitoring.study.cases import Case
from goliat_monitoring.study.paths import PathProblem, clean_relative_path

# What GOLIAT uploads of one simulation, in its order; the last only where SAPD extraction is on.
RESULT_FILES = (
    "config.json",
    "verbose.log",
    "progress.log",
    "sar_results.json",
    "sar_stats_all_tissues.pkl",
    "sar_stats_all_tissues.html",
    "sapd_results.json",
)
# The file whose arrival proves that a case was extracted.
RESULT_SIGN = "sar_results.json"
_STUDY_TYPES = ("far_field", "near_field")


def result_paths(case: Case) -> list[str]:
    """The folders below `results` in which files of `case` may lie, the regular one first.

    One simulation of several tones is extracted into the folder of each tone. GOLIAT 1.3 put the polarization before
    the direction and knew no run tag.
    """
    study_type, phantom, _, folder = case.relative_path.split("/")
    folders = [folder]
    old = old_placement(case.placement)
    tag = folder[len(case.placement) :]
    folders += [name for name in ((old + tag, case.placement, old) if old else (case.placement,)) if name]
    tones = [case.frequency, *(case.frequency.split("+") if "+" in case.frequency else ())]
    paths = [f"{study_type}/{phantom}/{tone}MHz/{name}" for name in folders for tone in tones]
    return list(dict.fromkeys(paths))


def case_of_path(relative_path: str, cases: Sequence[Case]) -> str | None:
    """Key of the case whose results lie in `relative_path` (as uploaded, with or without the study type).

    The regular folder of a case goes before the other folders of another; a folder that two cases could have written
    otherwise belongs to neither. Case of letters is ignored, as on the workers' disks.
    """
    try:
        path = clean_relative_path(relative_path).casefold()
    except PathProblem:
        return None
    path = path.removeprefix("results/")
    owners: set[str] = set()
    for case in cases:
        regular, *others = (folder.casefold() for folder in result_paths(case))
        if path in (regular, regular.partition("/")[2]):
            return case.key
        if any(path in (folder, folder.partition("/")[2]) for folder in others):
            owners.add(case.key)
    return owners.pop() if len(owners) == 1 else None


def case_of_details(details: str, cases: Sequence[Case]) -> str | None:
    """Key of the case that GOLIAT announces with `details`, "duke, 700MHz, x_pos, theta" or the near-field form."""
    wanted = _spaced(details)
    return next((case.key for case in cases if case.details and _spaced(case.details) == wanted), None)


def key_of_details(details: str) -> str | None:
    """The key that a case announced as `details` would have; None where the text has another form.

    For studies whose config the server does not know.
    """
    parts = [part.strip() for part in details.split(",")]
    if len(parts) == 4 and all(parts):
        return f"{parts[0].lower()}/{parts[1]}/environmental_{parts[2]}_{parts[3]}"
    if len(parts) == 3 and all(parts):
        return f"{parts[0].lower()}/{parts[1]}/{parts[2]}"
    return None


def key_of_path(relative_path: str) -> str | None:
    """The key of the case whose regular folder `relative_path` is, a run tag left out; None for another form.

    For studies whose config the server does not know: a folder of GOLIAT 1.3 or of one tone gives no known key.
    """
    try:
        parts = clean_relative_path(relative_path).split("/")
    except PathProblem:
        return None
    if parts[0] == "results":
        parts = parts[1:]
    if parts and parts[0] in _STUDY_TYPES:
        parts = parts[1:]
    if len(parts) != 3 or not parts[1].endswith("MHz"):
        return None
    placement = parts[2].partition("__")[0] or parts[2]
    return f"{parts[0].lower()}/{parts[1]}/{placement}"


def old_placement(placement: str) -> str | None:
    """The folder of a far-field placement in GOLIAT 1.3, environmental_<polarization>_<direction>; None for others."""
    if not placement.startswith("environmental_"):
        return None
    direction, separator, polarization = placement.removeprefix("environmental_").rpartition("_")
    return f"environmental_{polarization}_{direction}" if separator and direction else None


def _spaced(text: str) -> str:
    return " ".join(text.split()).casefold()

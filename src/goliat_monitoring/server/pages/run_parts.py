"""The sections under a run's log, on its own page and on its worker's: evidence, timings, plots, screenshots, files."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.server.files import SHOWN
from goliat_monitoring.server.pages.evidence import cases_of, loose_of, most_telling
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.pages.show import Part, section
from goliat_monitoring.server.pages.words import case_signs, is_taken_up
from goliat_monitoring.store.read.evidence import simulations_of
from goliat_monitoring.store.read.overview import assignment_state
from goliat_monitoring.store.read.phase_times import PhaseTime, phase_times
from goliat_monitoring.store.read.runs import Artifact, artifacts_of, run_summary
from goliat_monitoring.store.read.screenshots import screenshots_of
from goliat_monitoring.store.read.studies import list_cases

FILES_SHOWN = 500
# Words that GOLIAT writes small in the names of its subtasks.
SPELT = {"sar": "SAR", "isolve": "iSolve"}


class File(NamedTuple):
    """A file to download. `opens`: a browser can show it."""

    path: str
    href: str
    opens: bool
    size: int
    version: int
    late: bool
    at: int


class Shot(NamedTuple):
    """The newest picture of a tab."""

    tab: str
    href: str
    at: int


class PhaseRow(NamedTuple):
    """`share`: whole percent, of a phase of all phases, of a subtask of its phase."""

    name: str
    time: PhaseTime
    share: int


def load_evidence(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What was heard for and against each case. Raises `Refused` 404."""
    del now
    run = run_summary(connection, run_id)
    simulations, loose = simulations_of(connection, run_id)
    expected = list_cases(connection, run.assignment_id) if run.assignment_id else []
    cases = cases_of(simulations, expected, run)
    done = sum(case.state == "done" for case in cases)
    taken_up = not run.live and is_taken_up(assignment_state(connection, run.assignment_id))
    return {
        "title": "",
        "run_id": run_id,
        "cases": most_telling(cases),
        "signs": case_signs(taken_up),
        "total": len(cases),
        "done": done,
        "elsewhere": sum(case.elsewhere for case in cases),
        "loose": loose_of(loose),
    }


def load_timings(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """How long phases and subtasks took. Raises `Refused` 404."""
    del now
    rows = phase_rows(phase_times(connection, run_id))
    return {
        "title": "",
        "phases": rows,
        "total": sum(row.time.total for row in rows if not row.time.subtask),
        "live": run_summary(connection, run_id).live,
    }


def phase_rows(times: list[PhaseTime]) -> list[PhaseRow]:
    """Each phase with its share of all, each subtask with its share of its phase. A phase that was not over yet, not
    once, is what its subtasks took."""
    wholes = {it.phase: it.total for it in times if not it.subtask}
    parts: dict[str, float] = {}
    for it in times:
        if it.subtask:
            parts[it.phase] = parts.get(it.phase, 0.0) + it.total
    everything = sum((parts | wholes).values())
    rows: list[PhaseRow] = []
    for it in times:
        if it.phase not in wholes and all(row.time.phase != it.phase for row in rows):
            begun = msgspec.structs.replace(it, subtask="", count=0, total=parts[it.phase])
            rows.append(PhaseRow(name_of(begun), begun, _share(begun.total, everything)))
        # A phase under way has subtasks that its own total does not hold yet.
        whole = max(wholes.get(it.phase, 0.0), parts.get(it.phase, 0.0)) if it.subtask else everything
        rows.append(PhaseRow(name_of(it), it, _share(it.total, whole)))
    return rows


def _share(part: float, whole: float) -> int:
    return round(100 * part / whole) if whole > 0 else 0


def name_of(time: PhaseTime) -> str:
    """`setup_load_phantom` as `Load phantom`."""
    words = time.subtask.removeprefix(f"{time.phase}_").split("_") if time.subtask else [time.phase]
    first, *rest = (SPELT.get(word, word) for word in words)
    return " ".join([first if first in SPELT.values() else first.capitalize(), *rest])


def load_screenshots(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """The newest picture of each tab. Raises `Refused` 404."""
    del now
    shots = [
        Shot(it.tab, f"/api/runs/{quote(run_id)}/screenshots/{quote(it.id)}", it.received_at)
        for it in screenshots_of(connection, run_id)
    ]
    return {"title": "", "run_id": run_id, "screenshots": shots, "live": run_summary(connection, run_id).live}


def load_files(run_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """The files of a run, newest version of each first. Raises `Refused` 404."""
    del now
    found = artifacts_of(connection, run_id)
    return {
        "title": "",
        "run_id": run_id,
        "files": [_file(it) for it in found[:FILES_SHOWN]],
        "total": len(found),
        "bytes": sum(it.size for it in found),
        "live": run_summary(connection, run_id).live,
    }


def _file(it: Artifact) -> File:
    return File(
        f"{it.relative_path}/{it.filename}" if it.relative_path else it.filename,
        f"/api/runs/{quote(it.run_id)}/artifacts/{quote(it.id)}",
        f".{it.filename.rpartition('.')[2].lower()}" in SHOWN,
        it.size,
        it.version,
        it.late,
        it.received_at,
    )


LOADERS = {
    "evidence": ("Evidence", load_evidence),
    "timings": ("Timings", load_timings),
    "screenshots": ("Screenshots", load_screenshots),
    "files": ("Files", load_files),
}


def run_part(run_id: str, kind: str) -> Part:
    """The section `kind`. Raises `Refused` 404."""
    return section("run", run_id, kind, LOADERS, render("picture_viewer.html") if kind == "screenshots" else "")

"""The matrix of a study: what is proven of each phantom at each frequency, each cell a link to its assignments."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, select

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.study_tabs.tab import Made, Query, Tab, query_text
from goliat_monitoring.server.pages.words import Sign, sign
from goliat_monitoring.store import tables
from goliat_monitoring.store.read.completeness import Cell, cells_of, unknown_of
from goliat_monitoring.store.read.studies import count_assignments

ROWS, COLUMNS = 200, 40


class Shown(NamedTuple):
    """A cell as it is drawn."""

    cell: Cell
    look: Sign
    href: str


class Line(NamedTuple):
    """One phantom, of a near field in one scenario. `cells`: one for each column, None where nothing is asked for."""

    phantom: str
    scenario: str
    cells: list[Shown | None]
    proven: int
    expected: int


class Matrix(NamedTuple):
    """`columns`: frequencies with (proven, expected) of each. `rows_cut`, `columns_cut`: how many are not drawn."""

    columns: list[tuple[str, int, int]]
    lines: list[Line]
    proven: int
    expected: int
    rows_cut: int
    columns_cut: int


def look_of(cell: Cell) -> Sign:
    """The sign of a cell: what a person should know first."""
    if cell.proven == cell.expected:
        return sign("simulation", "done")
    if cell.failed:
        return Sign("octagon-x", f"{cell.failed} failed", "bad")
    if cell.running:
        return sign("simulation", "running")
    if cell.proven + cell.cancelled == cell.expected:
        return sign("assignment", "CANCELLED")
    return sign("simulation", "pending")


def matrix(cells: Iterable[Cell], path: str) -> Matrix:
    """The cells as a table. `path`: where the assignments are listed."""
    found = list(cells)
    frequencies = sorted({cell.frequency for cell in found}, key=_megahertz)
    keys = list(dict.fromkeys((cell.phantom, cell.scenario) for cell in found))
    by_place = {(cell.phantom, cell.scenario, cell.frequency): cell for cell in found}
    lines = []
    for phantom, scenario in keys[:ROWS]:
        own = [cell for cell in found if (cell.phantom, cell.scenario) == (phantom, scenario)]
        shown = [by_place.get((phantom, scenario, it)) for it in frequencies[:COLUMNS]]
        lines.append(
            Line(
                phantom,
                scenario,
                [None if it is None else Shown(it, look_of(it), address(path, it)) for it in shown],
                sum(cell.proven for cell in own),
                sum(cell.expected for cell in own),
            )
        )
    columns = []
    for frequency in frequencies[:COLUMNS]:
        own = [cell for cell in found if cell.frequency == frequency]
        columns.append((frequency, sum(it.proven for it in own), sum(it.expected for it in own)))
    return Matrix(
        columns, lines, sum(it.proven for it in found), sum(it.expected for it in found),
        max(len(keys) - ROWS, 0), max(len(frequencies) - COLUMNS, 0),
    )  # fmt: skip


def address(path: str, cell: Cell) -> str:
    """Where the assignments that hold a cell are listed."""
    asked = {"phantom": cell.phantom, "frequency": cell.frequency, "scenario": cell.scenario}
    return f"{path}{query_text(asked)}#tabs"


def _megahertz(frequency: str) -> tuple[list[float], str]:
    """Single tones before several, each by number."""
    tones = frequency.split("+")
    try:
        return [float(len(tones) > 1), *(float(tone) for tone in tones)], frequency
    except ValueError:
        return [2.0], frequency


def load(study_id: str, connection: Connection, now: int) -> Mapping[str, Any]:
    """What the tab shows. Raises `Refused` 404."""
    del now
    study = count_assignments(connection, study_id)
    found = cells_of(connection, study_id, scenarios_of(connection, study_id))
    return {
        "title": "",
        "study": study,
        "matrix": matrix(found, f"/studies/{study_id}/assignments"),
        "near": any(cell.scenario for cell in found),
        "unknown": unknown_of(connection, study_id),
    }


def scenarios_of(connection: Connection, study_id: str) -> list[str]:
    """Names of the placement scenarios of a near-field study; none for a far-field one."""
    studies = tables.super_studies
    text = connection.execute(select(studies.c.base_config).where(studies.c.id == study_id)).scalar_one()
    config = msgspec.json.decode(text, type=dict[str, Any])
    if config.get("study_type") != "near_field" or not isinstance(config.get("placement_scenarios"), dict):
        return []
    return list(config["placement_scenarios"])


def make(study_id: str, query: Query, future: Outlook) -> Made:
    """The tab as the address asks for it."""
    del query, future
    return Made({}, partial(load, study_id))


TAB = Tab("matrix", "Matrix", make)

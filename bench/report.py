"""One table on the terminal, and docs/benchmarks.md.

What was measured is kept beside the text as JSON, so that a run of some measurements replaces theirs and no others.
"""

from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bench.machine import lasting
from bench.method import METHOD
from bench.rows import Row, Verdict

PAGE = Path("docs/benchmarks.md")
DATA = Path("bench/results.json")
# The measurement that draws a plot, and where it lies beside the page.
PLOTTED, PLOT = "soak", "img/soak.svg"
STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.NOT_COUNTED: "yellow", Verdict.NOT_MEASURED: "yellow"}
COLUMNS = ("What", "Measured", "Limit", "Ratio", "Bar", "Verdict")


class Measured(msgspec.Struct, kw_only=True):
    """One measurement: its name, its rows, when and of which commit, how long it took."""

    name: str
    rows: list[Row]
    date: str
    commit: str
    rounds: int
    seconds: float
    took_s: float
    others: float
    """Cores that other programs used meanwhile, on average (PostgreSQL's processes are among them)."""


class Results(msgspec.Struct, kw_only=True):
    """All that stands in the text."""

    machine: dict[str, str]
    measured: dict[str, Measured]


def print_table(console: Console, measured: list[Measured]) -> None:
    """The table, and below it what was seen beside the figures."""
    table = Table(*COLUMNS, title="goliat-monitoring: what it does against what could be done", title_justify="left")
    for one in measured:
        table.add_section()
        for row in one.rows:
            cells = (row.what, row.ours, row.limit, row.ratio, row.bar, row.verdict)
            table.add_row(*map(escape, cells[:-1]), Text(cells[-1], style=STYLES.get(row.verdict, "")))
    console.print(table)
    for one in measured:
        for row in one.rows:
            if row.note:
                console.print(Text(f"{row.what}: {row.note}", style="dim"))


def write(machine: dict[str, str], measured: list[Measured], order: list[str]) -> None:
    """Bring data and text up to date. Figures of another machine are dropped: they belong in no common table."""
    known = _known(machine)
    known.update({one.name: one for one in measured})
    results = Results(machine=machine, measured={name: known[name] for name in order if name in known})
    DATA.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    PAGE.write_text(text_of(results), "utf-8")


def text_of(results: Results) -> str:
    """The page."""
    parts = ["# Benchmarks\n", "`make bench` wrote this page; see `bench/`. " + METHOD.strip() + "\n", "## Machine\n"]
    parts.append(
        "| | |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in results.machine.items())
    )
    parts.append("## Figures\n")
    head = "| " + " | ".join(COLUMNS) + " |\n|" + " --- |" * len(COLUMNS) + "\n"
    lines = [head]
    for one in results.measured.values():
        lines.extend(_line(row) for row in one.rows)
    parts.append("".join(lines))
    if PLOTTED in results.measured:
        parts.append(f"![Memory of the server over time]({PLOT})\n")
    parts.append("## Beside the figures\n")
    for one in results.measured.values():
        parts.append(
            f"**{one.name}**, {one.date}, commit {one.commit}, {one.rounds} rounds of {one.seconds:g} s, "
            f"took {one.took_s / 60:.1f} min; other programs used {one.others:.2f} cores meanwhile\n"
        )
        parts.append("".join(f"- {row.what}: {row.note}\n" for row in one.rows if row.note))
    return "\n".join(parts)


def _line(row: Row) -> str:
    verdict = f"**{row.verdict}**" if row.verdict in (Verdict.FAIL, Verdict.NOT_COUNTED) else row.verdict
    return "| " + " | ".join((row.what, row.ours, row.limit, row.ratio, row.bar, verdict)) + " |\n"


def _known(machine: dict[str, str]) -> dict[str, Measured]:
    try:
        results = msgspec.json.decode(DATA.read_bytes(), type=Results)
    except (FileNotFoundError, msgspec.ValidationError):
        return {}
    return dict(results.measured) if lasting(results.machine) == lasting(machine) else {}

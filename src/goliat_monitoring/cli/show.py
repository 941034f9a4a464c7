"""How answers look on a terminal. Text that came from a worker is never trusted to be harmless there."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from goliat_monitoring.wire.lines import plain

ID_WIDTH = 36  # of a UUID
PIPE_WIDTH = 1000

console = Console(highlight=False)
problems = Console(stderr=True, highlight=False)

STYLES: Mapping[str, str] = {
    "error": "red",
    "fatal": "bold red",
    "failed": "red",
    "memory_error": "red",
    "finished_with_errors": "red",
    "lost": "red",
    "warning": "yellow",
    "unreachable": "yellow",
    "success": "green",
    "completed": "green",
    "succeeded": "green",
    "running": "cyan",
    "header": "bold",
    "highlight": "bold",
    "verbose": "dim",
}


def safe(value: object) -> str:
    """Text without anything that could steer a terminal."""
    text = plain(str(value)) if value is not None else ""
    return "".join(
        letter
        if letter == "\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
        else "\N{REPLACEMENT CHARACTER}"
        for letter in text
    )


def as_json(value: object) -> None:
    """The value as JSON, for scripts."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def done(answer: object, text: str, json_wanted: bool) -> None:
    """What a command did: the server's answer for scripts, else a sentence for people."""
    if json_wanted:
        as_json(answer)
    else:
        console.print(safe(text), markup=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """A table, or a sentence where there is nothing to show."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # An id is there to be copied: on a narrow terminal the others give way.
        is_id = column == "Id"
        grid.add_column(column, overflow="fold", no_wrap=is_id, min_width=ID_WIDTH if is_id else None)
    for row in rows:
        grid.add_row(*(cell if isinstance(cell, Text) else Text(safe(cell)) for cell in row))
    _wide().print(grid if grid.row_count else empty)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; what is absent is left out."""
    shown = [(name, value) for name, value in pairs if value not in (None, "")]
    width = max((len(name) for name, _ in shown), default=0)
    wide = _wide()
    for name, value in shown:
        wide.print(
            Text(f"{name:<{width}}  ", "dim").append_text(value if isinstance(value, Text) else Text(safe(value)))
        )


def _wide() -> Console:
    """The terminal; what reads a pipe wants a row in a line, however wide."""
    return console if console.is_terminal else Console(file=console.file, width=PIPE_WIDTH, highlight=False)


def state(value: object) -> Text:
    """A state word in its colour."""
    word = safe(value)
    return Text(word, STYLES.get(word.lower(), ""))


def when(value: object) -> str:
    """ISO time as local time to the second."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return ""
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def percent(value: object) -> str:
    """A share as people read it."""
    return f"{value:.0f} %" if isinstance(value, (int, float)) else ""


def log_line(line: Mapping[str, Any]) -> Text:
    """A log line: number, time, text in the colour of its level."""
    number = line.get("n")
    text = Text(f"{number if number is not None else '':>6}  {when(line.get('time'))[11:]}  ", "dim")
    text.append(safe(line.get("text")), STYLES.get(str(line.get("level")), ""))
    count = line.get("count")
    if isinstance(count, int) and count > 1:
        text.append(f"  repeated {count:,} times, last at {when(line.get('lastTime'))[11:]}", "dim")
    return text

"""The log of a run as a section of a page: tools and an empty list for the viewer's script, lines for who has none."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from markupsafe import escape
from sqlalchemy import Connection

from goliat_monitoring.server.pages.assets import STATIC
from goliat_monitoring.server.pages.numbers import plural, shown
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.services import Services
from goliat_monitoring.store.read.log_pieces import Load
from goliat_monitoring.store.read.logs import LogLine, read_log

LINES_SHOWN = 200
# More than any window shows of the list.
SCREEN = 48
# Bytes of lines as HTML, which stand in the page at most twice; what is cut off or left out is a click away.
LOG_BUDGET = 100_000
# Of a line's HTML beside its text.
AROUND_TEXT = 130
LONGEST_LINE = 2000
# As GOLIAT names them, in the order in which they are offered.
LEVELS = (
    "fatal",
    "error",
    "warning",
    "success",
    "header",
    "highlight",
    "progress",
    "info",
    "default",
    "verbose",
    "caller",
)
# How a line came, and what that means.
SOURCES = {
    "status": "what GOLIAT's window shows",
    "terminal_only": "what GOLIAT shows in its terminal alone",
    "print": "what GOLIAT or a library printed",
    "server": "what the server noted",
}
# What a page with a log needs beside its own scripts and styles.
# All of the viewer's modules, or each would be fetched after the one that imports it.
SCRIPTS = ("log.js", *sorted(f"log/{path.name}" for path in (STATIC / "log").glob("*.js")))
STYLES = ("log.css",)


def topic(run_id: str) -> str:
    """What a page with the log of this run listens to."""
    return f"log:{run_id}"


async def log_section(services: Services, run_id: str, before: int | None = None) -> str:
    """The section as HTML. Its list shows the newest lines until the script has them all; without script those are
    there, or those before line `before`.

    Raises `Refused` 404.
    """
    found = await services.db.read(partial(lines_shown, run_id, services.storage.read_part, before))
    return render("log.html", run_id=run_id, levels=LEVELS, sources=SOURCES, **found)


def lines_shown(run_id: str, load: Load, before: int | None, connection: Connection) -> Mapping[str, Any]:
    """The lines in the page itself, as many of the last ones as its budget allows."""
    page = read_log(connection, run_id, load, limit=LINES_SHOWN, newest=before is None, before=before)
    kept: list[LogLine] = []
    budget = LOG_BUDGET
    for line in reversed(page.lines):
        text = line.text
        if len(text) > LONGEST_LINE:
            text = f"{text[:LONGEST_LINE]} … {plural(len(text) - LONGEST_LINE, 'more character')}"
        budget -= len(escape(shown(text)).encode()) + AROUND_TEXT
        if budget < 0 and kept:
            break
        kept.append(msgspec.structs.replace(line, text=text))
    kept.reverse()
    first = kept[0].n if kept else None
    earlier = first if first is not None and first > 1 else None
    return {"lines": kept, "screen": kept[-SCREEN:], "total": page.total, "earlier": earlier}

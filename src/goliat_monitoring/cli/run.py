"""`goliat-monitoring run`: attempts at assignments, their logs, and the Stop button."""

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client

app = typer.Typer(no_args_is_help=True, help="Runs: list, read their logs, stop them.")
RunArgument = Annotated[str, typer.Argument(help="Id of a run.")]
PAGE, MOST, LOOK_EVERY_S = 1000, 10_000, 1.0


@app.command("list")
def list_runs(
    worker: Annotated[str | None, typer.Option(help="Only runs of this worker (id).")] = None,
    assignment: Annotated[str | None, typer.Option(help="Only runs of this assignment (id).")] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Runs, newest first."""
    with client(server, token) as api:
        runs = api.get("/api/runs", workerId=worker, assignmentId=assignment)
    if as_json:
        show.as_json(runs)
        return
    show.table(
        ("State", "Study", "#", "Worker", "Progress", "Lines", "Claimed", "Id"),
        (
            (
                show.state(it.get("state")),
                it.get("superStudyName"),
                it.get("index"),
                it.get("workerName"),
                show.percent(it.get("percent")),
                it.get("lines"),
                show.when(it.get("claimedAt")),
                it.get("id"),
            )
            for it in runs
        ),
        "No runs yet.",
    )


@app.command()
def log(
    run: RunArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over.")] = False,
    after: Annotated[int, typer.Option(min=0, help="Only lines after this number.")] = 0,
    search: Annotated[str | None, typer.Option(help="Only lines that hold this text, whatever its case.")] = None,
    regex: Annotated[bool, typer.Option("--regex", help="The text to search is a regular expression (RE2).")] = False,
    level: Annotated[str | None, typer.Option(help="Only lines of these levels or sources: warning,error.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Texts alone, with the terminal escapes they came with.")] = False,
    problems: Annotated[bool, typer.Option("--problems", help="Warnings and errors grouped by text.")] = False,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """A run's log, oldest line first; with --json one object a line."""
    if sum((follow, search is not None, level is not None, problems)) > 1 or (regex and search is None):
        raise typer.BadParameter("use one of --follow, --search, --level and --problems; --regex goes with --search")
    asked: dict[str, str | None] = {"level": level, "raw": "true" if raw else None}
    with client(server, token) as api:
        if problems:
            _print_problems(api, run, as_json=as_json)
            return
        if search is not None:
            found = _found(api, run, search, after, regex="true" if regex else None, raw=asked["raw"])
        elif follow:
            found = _followed(api, run, after, **asked)
        else:
            found = _lines(api, run, after, **asked)
        for line in found:
            if as_json:
                print(json.dumps(line, ensure_ascii=False), flush=True)
            elif raw:
                print(line.get("text"), flush=True)
            else:
                show.console.print(show.log_line(line), soft_wrap=True)


@app.command()
def stop(
    run: RunArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Press GOLIAT's Stop button on the machine of this run."""
    with client(server, token) as api:
        answer = api.post(f"/api/runs/{quote(run, safe='')}/stop")
    show.done(answer, f"{run} will stop.", as_json)


@app.command()
def cancel(
    run: RunArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """End it at once, with all its processes; its assignment then waits for a person."""
    with client(server, token) as api:
        answer = api.post(f"/api/runs/{quote(run, safe='')}/cancel")
    show.done(answer, f"{run} is cancelled, or will be when its machine has ended it.", as_json)


@app.command()
def strangers(server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False) -> None:
    """Claims that never spoke, and machines that began to speak meanwhile: perhaps the same under another address."""
    with client(server, token) as api:
        offers = api.get("/api/strangers")
    if as_json:
        show.as_json(offers)
        return
    show.table(
        ("Study", "#", "Claimed by", "Claimed", "Speaks as", "Since", "What speaks for it", "Run", "Its run"),
        (
            (
                it.get("superStudyName"),
                it.get("index"),
                it.get("workerName"),
                show.when(it.get("claimedAt")),
                it.get("strangerName"),
                show.when(it.get("beganAt")),
                "; ".join(it.get("hints") or []),
                it.get("runId"),
                it.get("strangerRunId"),
            )
            for it in offers
        ),
        "None.",
    )


@app.command("belongs-to")
def belongs_to(
    run: Annotated[str, typer.Argument(help="Id of the run that was claimed and never spoke.")],
    speaks: Annotated[str, typer.Argument(help="Id of the run that its machine speaks as.")],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say that a claim which never spoke is the run of another machine; see `run strangers`."""
    with client(server, token) as api:
        answer = api.post(f"/api/runs/{quote(run, safe='')}/belongs-to", {"runId": speaks})
    if as_json:
        show.as_json(answer)
    else:
        told = f"{speaks} is {answer.get('superStudyName')} #{answer.get('index')} now; {run} is lost."
        show.console.print(told, markup=False)


def _lines(api: Client, run: str, after: int, **asked: str | None) -> Iterator[dict[str, Any]]:
    """All lines there are, page by page. Those still waiting for their number come last."""
    while True:
        page = api.get(_log_of(run), after=after, limit=PAGE, **asked)
        yield from page["lines"]
        numbered = [line["n"] for line in page["lines"] if line.get("n") is not None]
        if not page["more"] or not numbered:
            return
        after = numbered[-1]


def _followed(api: Client, run: str, after: int, **asked: str | None) -> Iterator[dict[str, Any]]:
    """Lines as they get their numbers, until the run is over and nothing more comes."""
    while True:
        over = not api.get(f"/api/runs/{quote(run, safe='')}")["run"]["live"]
        for line in _lines(api, run, after, **asked):
            if line.get("n") is not None:
                after = line["n"]
                yield line
        if over:
            return
        time.sleep(LOOK_EVERY_S)


def _found(api: Client, run: str, text: str, after: int, **asked: str | None) -> Iterator[dict[str, Any]]:
    """Lines that match, and at the end, on standard error, how many there are."""
    found = api.get(f"{_log_of(run)}/search", q=text, after=after, limit=MOST, **asked)
    yield from found["lines"]
    told = f"{len(found['lines']):,} of {found['total']:,} matching lines"
    unfinished = "" if found["complete"] else f"; the time was over after {found['searched']:,} of {found['ofLines']:,}"
    show.problems.print(f"{told}{unfinished}", markup=False)


def _print_problems(api: Client, run: str, *, as_json: bool) -> None:
    answer = api.get(f"{_log_of(run)}/problems")
    if as_json:
        show.as_json(answer)
        return
    show.table(
        ("Level", "Times", "First line", "Last line", "Last", "Text"),
        (
            (
                show.state(it.get("level")),
                it.get("count"),
                it.get("firstLine"),
                it.get("lastLine"),
                show.when(it.get("lastTime")),
                it.get("text"),
            )
            for it in answer["problems"]
        ),
        "No warnings, no errors.",
    )


def _log_of(run: str) -> str:
    return f"/api/runs/{quote(run, safe='')}/log"

"""`goliat-monitoring study ...`: what a person does with a study in the queue."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

import typer

from goliat_monitoring.cli import show
from goliat_monitoring.cli.client import Client
from goliat_monitoring.cli.options import DEFAULT_SERVER, JsonOption, ServerOption, TokenOption, client
from goliat_monitoring.cli.study import StudyArgument, find
from goliat_monitoring.wire.errors import Refused

app = typer.Typer()
IndexArgument = Annotated[int, typer.Argument(help="Index of an assignment.", min=0)]
SplitsOption = Annotated[int | None, typer.Option("--num-splits", min=1, help="At least so many assignments.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Balanced for so many equal workers.")]
PreviewOption = Annotated[bool, typer.Option("--preview", help="Show what it would be; change nothing.")]


@app.command()
def pause(
    study: StudyArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Give out nothing more of it; what runs goes on."""
    _act(server, token, study, as_json, "pause", lambda it: f"{it['name']} is paused.")


@app.command()
def resume(
    study: StudyArgument, server: ServerOption = DEFAULT_SERVER, token: TokenOption = "", as_json: JsonOption = False
) -> None:
    """Give out its assignments again, also where its retries had been stopped."""
    _act(server, token, study, as_json, "resume", lambda it: f"{it['name']} goes on.")


@app.command()
def cancel(
    study: StudyArgument,
    index: Annotated[int | None, typer.Option("--assignment", help="Only the one with this index.", min=0)] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """End all work on it for good, or on one assignment; results stay."""
    if index is None:
        _act(server, token, study, as_json, "cancel", lambda it: f"{it['name']} is cancelled.")
        return
    with client(server, token) as api:
        part = _assignment(api, study, index)
        answer = api.post(f"/api/assignments/{quote(part['id'])}/cancel")
    show.done(answer, f"Assignment {index} of {study} is cancelled, or will be when its machine has ended it.", as_json)


@app.command()
def retry(
    study: StudyArgument,
    index: Annotated[int | None, typer.Option("--assignment", help="Only the one with this index.", min=0)] = None,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Queue what failed again; only missing simulations are computed.

    An assignment whose missing simulations no single config asks for alone is replaced by several that do.
    """
    with client(server, token) as api:
        if index is None:
            answer = api.post(f"/api/super-studies/{quote(find(api, study)['id'])}/retry")
            text = f"What failed of {answer['name']} waits again."
        else:
            answer = api.post(f"/api/assignments/{quote(_assignment(api, study, index)['id'])}/retry")
            lacks = "What is missing of assignment" if answer.get("cut") else "Assignment"
            text = f"{lacks} {index} of {study} waits again."
    show.done(answer, text, as_json)
    if answer.get("cut") and not as_json:
        replaced = ", ".join(map(str, answer["cut"]["replaced"]))
        show.console.print(f"In the place of {replaced}, so that nothing is computed twice:", markup=False)
        _parts(answer["cut"])


# A negative number is no option.
@app.command(context_settings={"ignore_unknown_options": True})
def priority(
    study: StudyArgument,
    value: Annotated[int, typer.Argument(help="Higher is given out first.", min=-1000, max=1000)],
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Change its priority, also while it runs."""
    with client(server, token) as api:
        answer = api.patch(f"/api/super-studies/{quote(find(api, study)['id'])}", {"priority": value})
    show.done(answer, f"{study} has priority {value}.", as_json)


@app.command("split-again")
def split_again(
    study: StudyArgument,
    num_splits: SplitsOption = None,
    workers: WorkersOption = None,
    preview: PreviewOption = False,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Cut what waits into other assignments."""
    body = {"numSplits": num_splits, "workers": workers, "preview": preview}
    with client(server, token) as api:
        answer = api.post(f"/api/super-studies/{quote(find(api, study)['id'])}/split-again", body)
    if as_json:
        show.as_json(answer)
        return
    replaced = ", ".join(map(str, answer["replaced"]))
    show.console.print(f"In the place of {replaced}{', if asked without --preview' if preview else ''}:", markup=False)
    _parts(answer)


@app.command()
def missing(
    study: StudyArgument,
    name: Annotated[str, typer.Option("--name", "-n", help="Name of the new study.")],
    num_splits: SplitsOption = None,
    workers: WorkersOption = None,
    preview: PreviewOption = False,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Create a study from what is missing of it: of assignments that failed or were cancelled."""
    body = {"name": name, "numSplits": num_splits, "workers": workers, "preview": preview}
    with client(server, token) as api:
        answer = api.post(f"/api/super-studies/{quote(find(api, study)['id'])}/missing", body)
    if as_json:
        show.as_json(answer)
        return
    show.console.print(f"{name}{' would have' if preview else ' has'}:", markup=False)
    _parts(answer)


@app.command()
def why(
    study: StudyArgument,
    index: IndexArgument,
    server: ServerOption = DEFAULT_SERVER,
    token: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Why an assignment is not running: every rule, and every worker."""
    with client(server, token) as api:
        answer = api.get(f"/api/assignments/{quote(_assignment(api, study, index)['id'])}/why")
    if as_json:
        show.as_json(answer)
        return
    show.console.print(answer["answer"], markup=False)
    show.table(
        ("", "Rule", "Says"),
        (("yes" if it["ok"] else "no", it["rule"].replace("_", " "), it["text"]) for it in answer["rules"]),
        "",
    )
    show.table(
        ("Worker", "", "Why not"),
        (
            (
                it["name"],
                "yes" if it["ok"] else "no",
                " ".join(verdict["text"] for verdict in it["verdicts"] if not verdict["ok"]),
            )
            for it in answer["workers"]
        ),
        "No workers.",
    )


def _act(
    server: str, token: str, study: str, as_json: bool, action: str, says: Callable[[dict[str, Any]], str]
) -> None:
    with client(server, token) as api:
        answer = api.post(f"/api/super-studies/{quote(find(api, study)['id'])}/{action}")
    show.done(answer, says(answer), as_json)


def _assignment(api: Client, study: str, index: int) -> dict[str, Any]:
    found: list[dict[str, Any]] = find(api, study)["assignments"]
    for one in found:
        if one["index"] == index:
            return one
    raise Refused(404, f"{study} has no assignment {index}", f"it has 0 to {len(found) - 1}")


def _parts(answer: dict[str, Any]) -> None:
    show.table(
        ("#", "Simulations", "Asks for"),
        ((it["index"], it["simulations"], it["label"]) for it in answer["assignments"]),
        "Nothing.",
    )
    for warning in answer.get("warnings") or []:
        show.problems.print(f"Note: {show.safe(warning)}", markup=False, soft_wrap=True)

"""What the server holds after the storm, held against what the agents themselves know."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from goliat_monitoring.fleet.audit import Event, audit
from tests.chaos.agent import LINES, text_of
from tests.chaos.storm import notes_in
from tests.support.senders import texts_of

READERS = 4


@dataclass(slots=True)
class Verdict:
    """`faults`: what must never be, each in a sentence. `seen`: counts, for the table."""

    faults: list[str] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)


def judge(http: httpx.Client, agents: Path, assignments: int) -> Verdict:
    """Every check. `agents`: the folder with the agents' own notes."""
    verdict = Verdict()
    faults, seen = verdict.faults, verdict.seen
    states: Counter[str] = Counter()
    for study in _get(http, "/api/super-studies"):
        states.update({state: count for state, count in study["counts"].items() if count})
    seen["assignments COMPLETED"] = states["COMPLETED"]
    if states != {"COMPLETED": assignments}:
        faults.append(f"not every assignment is completed: {dict(states)}")
    events = list(_events(http))
    seen["events audited"] = len(events)
    faults += [fault.text for fault in audit(events)]
    ends = Counter(event.kind for event in events if event.kind.startswith("run_"))
    seen["runs"] = ends["run_claimed"]
    moves = Counter((event.data.get("was"), event.kind) for event in events)
    seen["runs unreachable"] = ends["run_unreachable"]
    seen["runs heard again"] = moves["unreachable", "run_running"]
    seen["runs lost"] = ends["run_lost"]
    succeeded = Counter(event.assignment_id for event in events if event.kind == "run_succeeded")
    faults += [f"assignment {one} succeeded {count} times" for one, count in succeeded.items() if count != 1]
    notes = notes_in(agents)
    refusals = Counter(str(what) for kind, what in notes if kind == "refused")
    seen["refusals that agents did not expect"] = refusals.total()
    _files(http, notes, events, verdict)
    _logs(http, events, verdict)
    return verdict


def _files(http: httpx.Client, notes: Sequence[Sequence[Any]], events: Sequence[Event], verdict: Verdict) -> None:
    """What was acknowledged is there, under its run, with the bytes that were sent; and nothing was put over it."""
    own: dict[tuple[str, str, str], set[str]] = {}
    for kind, what in notes:
        if kind == "file":
            own.setdefault((what["run"], what["path"], what["name"]), set()).add(what["sha256"])
    runs = sorted({event.run_id for event in events if event.kind == "run_claimed" and event.run_id})

    def look(run_id: str) -> list[tuple[tuple[str, str, str], str, int]]:
        answer = http.get(f"/api/runs/{run_id}")
        if answer.status_code == 404:
            verdict.faults.append(f"run {run_id} was claimed, and nobody knows it")
            return []
        found = []
        for artifact in answer.raise_for_status().json()["artifacts"]:
            digest = hashlib.sha256(http.get(artifact["url"]).raise_for_status().content).hexdigest()
            found.append(((run_id, artifact["relativePath"], artifact["filename"]), digest, artifact["version"]))
        return found

    held: dict[tuple[str, str, str], str] = {}
    with ThreadPoolExecutor(READERS) as readers:
        for found in readers.map(look, runs):
            for key, digest, version in found:
                if version != 1 or key in held:
                    verdict.faults.append(f"{key} was overwritten: version {version}")
                held[key] = digest
    for key, digests in own.items():
        if digests != {held.get(key)}:
            verdict.faults.append(f"{key}: its agent sent {sorted(digests)}, downloaded is {held.get(key)}")
    verdict.seen["files downloaded and hashed"] = len(held)
    verdict.seen["files that agents know of"] = len(own)
    verdict.seen["files of runs that did not count"] = len(held) - len(_counting(held, events))
    if not own:
        verdict.faults.append("no file was ever acknowledged")


def _counting(held: dict[tuple[str, str, str], str], events: Sequence[Event]) -> list[tuple[str, str, str]]:
    good = {event.run_id for event in events if event.kind == "run_succeeded"}
    return [key for key in held if key[0] in good]


def _logs(http: httpx.Client, events: Sequence[Event], verdict: Verdict) -> None:
    """Of some runs that counted: each line once, in order."""
    runs = [event.run_id for event in events if event.kind == "run_succeeded" and event.run_id]
    chosen = runs[:: max(len(runs) // 100, 1)]
    for run_id in chosen:
        if texts_of(http, run_id) != [text_of(run_id, number) for number in range(LINES)]:
            verdict.faults.append(f"the log of run {run_id} is not what was sent")
    verdict.seen["logs read line by line"] = len(chosen)


def _events(http: httpx.Client) -> Iterator[Event]:
    before: dict[str, Any] = {}
    while page := _get(http, "/api/events", limit=1000, **before):
        for event in page:
            yield Event(event["id"], 0, event["kind"], event["runId"], event["assignmentId"], event["workerId"],
                        event["data"])  # fmt: skip
        before = {"before": page[-1]["id"]}


def _get(http: httpx.Client, path: str, **params: Any) -> Any:
    return http.get(path, params=params).raise_for_status().json()

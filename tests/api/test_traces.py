"""Recorded requests of the real client, in the order of the recording and shuffled: the same final state."""

import asyncio
import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from goliat_monitoring.wire.lines import plain
from tests.support.app import App, running_app

TRACES = Path(__file__).parents[1] / "data" / "traces"
MACHINE = "agent-01"

CONFIG: dict[str, Any] = {
    "study_type": "far_field",
    "phantoms": ["thelonious"],
    "frequencies_mhz": [700],
    "far_field_setup": {
        "type": "environmental",
        "environmental": {"incident_directions": ["x_pos", "z_neg"], "polarizations": ["theta", "phi"]},
    },
}
CASES = [f"thelonious/700MHz/environmental_{d}_{p}" for d in ("x_pos", "z_neg") for p in ("theta", "phi")]

# trace → state of its run, of its assignment, and of its cases in order
ENDS = {
    "study_success": ("succeeded", "COMPLETED", ["done"] * 4),
    "study_v14": ("succeeded", "COMPLETED", ["done"] * 4),
    "study_fatal_error": ("failed", "FAILED", ["unproven"]),
    "study_memory_error": ("memory_error", "PENDING", ["failed"]),
    "study_setup_exception": ("finished_with_errors", "FAILED", ["failed"] * 4),
    "study_stop_button": ("cancelled", "FAILED", ["failed"]),
}


def recorded(trace: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TRACES / f"{trace}.jsonl").read_text().splitlines()[1:]]


def content_of(part: dict[str, Any]) -> bytes:
    """The recording kept sizes and sums of files only: bytes of that size that only this sum gives."""
    seed = bytes.fromhex(part["sha256"])
    size = int(part["size"])
    return (seed * (size // len(seed) + 1))[:size]


async def send(app: App, request: dict[str, Any], assignment: str | None) -> None:
    path = request["path"]
    # The recorded assignment was another server's.
    if path.endswith("/results"):
        if assignment is None:
            return
        path = f"/api/assignments/{assignment}/results"
    if "json" in request:
        answer = await app.http.request(request["method"], path, json=request["json"])
    else:
        fields = {part["name"]: part["value"] for part in request["parts"] if part["filename"] is None}
        fields = {"machineId": MACHINE} if "machineId" in fields else fields
        files = [
            (part["name"], (part["filename"], content_of(part)))
            for part in request["parts"]
            if part["filename"] is not None
        ]
        answer = await app.http.request(request["method"], path, data=fields, files=files)
    assert answer.status_code == 200, answer.text


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


async def final_state(app: App, assignment: str | None) -> dict[str, Any]:
    """Everything that a person can see afterwards, arrival times and ids aside."""
    (listed,) = await app.get("/api/runs")
    detail = await app.get(f"/api/runs/{listed['id']}")
    log = await app.get(f"/api/runs/{listed['id']}/log", params={"after": 0, "limit": 10_000})
    worker = await app.get(f"/api/workers/{MACHINE}")
    times = ("id", "workerId", "assignmentId", "superStudyId", "claimedAt", "firstSignAt", "lastSignAt", "leaseUntil",
             "finishedAt", "endedAt", "workerName")  # fmt: skip
    state: dict[str, Any] = {
        "run": without(detail["run"], *times),
        "cases": [without(case, "evidence") for case in detail["cases"]],
        "evidence": sorted(
            (sign["kind"], sign["time"], sign["text"])
            for holder in (detail, *detail["cases"])
            for sign in holder["evidence"]
            if sign["kind"] != "result"  # has the server's own time
        ),
        "files": sorted((a["relativePath"], a["filename"], a["version"], a["sha256"]) for a in detail["artifacts"]),
        "tabs": sorted(shot["tab"] for shot in detail["screenshots"]),
        "lines": [(line["time"], line["level"], line["source"], line["text"]) for line in log["lines"]
                  if line["source"] != "server"],
        "worker": (worker["worker"]["hostname"], worker["worker"]["status"], worker["guiState"]["stage"]),
    }  # fmt: skip
    assert [line["n"] for line in log["lines"]] == list(range(1, log["total"] + 1))
    if assignment is not None:
        (study,) = await app.get("/api/super-studies")
        (part,) = await app.get(f"/api/super-studies/{study['id']}/assignments")
        state["assignment"] = part["status"]
        state["progress"] = study["masterProgress"]
    return state


def replay(
    folder: Path, requests: list[dict[str, Any]], *, claimed: bool, around: Callable[[int], float] = lambda _: 0.01
) -> dict[str, Any]:
    """The final state after `requests`; `around` gives the pause before each, in seconds."""

    async def run() -> dict[str, Any]:
        async with running_app(folder) as app:
            assignment = None
            if claimed:
                study = await app.post(
                    "/api/super-studies",
                    {"name": "replay", "baseConfig": CONFIG, "assignments": [{"splitConfig": CONFIG}]},
                )
                assignment = study["assignments"][0]["id"]
                await app.post(f"/api/assignments/{assignment}/claim", {"machineId": MACHINE})
            for position, request in enumerate(requests):
                app.clock.now += round(around(position) * 1_000_000)
                await send(app, request, assignment)
            await app.pass_time(16)
            await app.pass_time(30)
            return await final_state(app, assignment)

    return asyncio.run(run())


@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "by-hand"])
@pytest.mark.parametrize("trace", ENDS)
def test_a_recording_gives_the_same_state_in_any_order(tmp_path: Path, trace: str, claimed: bool) -> None:
    requests = recorded(trace)
    in_order = replay(tmp_path / "in-order", requests, claimed=claimed)

    outcome, assignment, cases = ENDS[trace]
    assert in_order["run"]["state"] == outcome, in_order["run"]["reason"]
    assert [case["state"] for case in in_order["cases"]] == cases
    assert [case["caseKey"] for case in in_order["cases"]] == CASES[: len(cases)]
    assert in_order["lines"] == sorted(in_order["lines"], key=lambda line: line[0])
    if claimed:
        assert in_order["assignment"] == assignment
    assert in_order["progress"] == 100 if claimed and outcome == "succeeded" else True

    for seed in (1, 2) if len(requests) < 200 else (1,):
        shuffled = list(requests)
        random.Random(f"{trace}-{seed}").shuffle(shuffled)
        assert replay(tmp_path / f"shuffled-{seed}", shuffled, claimed=claimed) == in_order


def test_every_recorded_file_is_there_byte_for_byte(tmp_path: Path) -> None:
    requests = recorded("study_success")
    state = replay(tmp_path, requests, claimed=True)
    sent = {
        (fields["relativePath"], part["filename"], 1, hashlib.sha256(content_of(part)).hexdigest())
        for request in requests
        if request["path"].endswith("/results")
        for fields in [{p["name"]: p["value"] for p in request["parts"] if p["filename"] is None}]
        for part in request["parts"]
        if part["filename"] is not None
    }
    assert set(map(tuple, state["files"])) == sent
    assert len(sent) == 24
    assert state["tabs"] == sorted(
        ["Timings", "Timings_Piecharts", "Time_Remaining", "Overall_Progress", "System_Utilization", "Disk_I/O"]
    )


def uploaded(folder: Path, requests: list[dict[str, Any]]) -> tuple[dict[str, int], list[list[Any]]]:
    """What was answered to uploads of four assignments' results, by assignment, and the files that are there then."""

    async def run() -> tuple[dict[str, int], list[list[Any]]]:
        async with running_app(folder) as app:
            study = await app.study(parts=4, config=CONFIG)
            ids = {f"asg-{part['index'] + 1}": part["id"] for part in study["assignments"]}
            for assignment in ids.values():
                await app.post(f"/api/assignments/{assignment}/claim", {"machineId": MACHINE})
            answers = {}
            for request in requests:
                name = request["path"].split("/")[3]
                url, parts = f"/api/assignments/{ids[name]}/results", request.get("parts")
                if parts is None:
                    form = {"Content-Type": "application/x-www-form-urlencoded"}
                    answer = await app.http.post(url, content=request["raw"], headers=form)
                else:
                    path, *files = parts
                    answer = await app.http.post(
                        url, data={"relativePath": path["value"]},
                        files=[(part["name"], (part["filename"], content_of(part))) for part in files],
                    )  # fmt: skip
                answers[name] = answer.status_code
            kept = []
            for name, assignment in ids.items():
                (run,) = await app.get("/api/runs", params={"assignmentId": assignment})
                files = (await app.get(f"/api/runs/{run['id']}"))["artifacts"]
                kept += [
                    [name, *(it[key] for key in ("relativePath", "filename", "version", "sha256"))] for it in files
                ]
            return answers, sorted(kept)

    return asyncio.run(run())


def test_recorded_uploads_are_kept_in_any_order(tmp_path: Path) -> None:
    requests = recorded("results_upload")
    answers, kept = uploaded(tmp_path / "in-order", requests)
    # GOLIAT sends no multipart form where it found no file at all.
    assert answers == {"asg-1": 200, "asg-2": 200, "asg-3": 200, "asg-4": 400}
    assert kept == sorted(
        [
            request["path"].split("/")[3],
            path["value"],
            part["filename"],
            1,
            hashlib.sha256(content_of(part)).hexdigest(),
        ]
        for request in requests
        if "parts" in request
        for path, *files in [request["parts"]]
        for part in files
    )
    for seed in (1, 2):
        shuffled = random.Random(seed).sample(requests, len(requests))
        assert uploaded(tmp_path / f"shuffled-{seed}", shuffled) == (answers, kept)


SOLVER = "MCells/s"


def test_every_line_that_was_sent_is_there_once(tmp_path: Path) -> None:
    requests = recorded("study_success")
    sent = []
    for request in requests:
        message = (request.get("json") or {}).get("message") or {}
        items = message.get("logs", []) if message.get("type") == "log_batch" else [message]
        sent += [
            part
            for item in items
            if item.get("type") in ("status", "terminal_only", "print")
            for part in item["message"].rstrip("\r\n" if item["type"] == "print" else "").split("\n")
        ]
    state = replay(tmp_path, requests, claimed=False)
    kept = sorted(line[3] for line in state["lines"])
    told = sorted(plain(text) for text in sent)
    # The solver's own progress goes on in one line.
    assert [text for text in kept if SOLVER not in text] == [text for text in told if SOLVER not in text]
    assert 0 < sum(SOLVER in text for text in kept) < sum(SOLVER in text for text in told)


@pytest.mark.parametrize(
    "trace", ["super_study_auto_ff8", "super_study_auto_nf4", "super_study_custom", "super_study_scenario"]
)
def test_recorded_studies_of_the_command_line_are_created_whole(tmp_path: Path, trace: str) -> None:
    (request,) = [r for r in recorded(trace) if r["method"] == "POST"]

    async def run() -> None:
        async with running_app(tmp_path) as app:
            created = await app.post("/api/super-studies", request["json"])
            asked = request["json"]["assignments"]
            assert created["totalAssignments"] == len(asked)
            parts = await app.get(f"/api/super-studies/{created['id']}/assignments")
            assert [part["index"] for part in parts] == list(range(len(asked)))
            for part, wanted in zip(parts, asked, strict=True):
                assert json.dumps(part["splitConfig"]) == json.dumps(wanted["splitConfig"])
                # As a file, with the order of its keys.
                config = await app.http.get(part["configUrl"])
                assert json.dumps(config.json()) == json.dumps(wanted["splitConfig"])

    asyncio.run(run())


def test_a_recorded_worker_finds_and_claims_its_assignment(tmp_path: Path) -> None:
    requests = recorded("worker_ci")
    create, find, _list, claim = requests

    async def run() -> None:
        async with running_app(tmp_path) as app:
            created = await app.post("/api/super-studies", create["json"])
            (found,) = await app.get("/api/super-studies", params=find["query"])
            assert (found["id"], found["totalAssignments"]) == (created["id"], len(create["json"]["assignments"]))
            part = (await app.get(f"/api/super-studies/{found['id']}/assignments"))[0]
            assert {"id", "index", "status", "splitConfig"} <= part.keys()
            claimed = await app.post(f"/api/assignments/{part['id']}/claim", claim["json"])
            assert claimed["worker"]["ipAddress"] == claim["json"]["machineId"]
            refused = await app.http.post(f"/api/assignments/{part['id']}/claim", json={"machineId": "192.0.2.99"})
            assert refused.status_code == 409

    asyncio.run(run())

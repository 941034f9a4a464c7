"""What an unmodified GOLIAT and today's dashboard's scripts do, call by call."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.app import App

WithApp = Callable[..., None]
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 2000


def test_heartbeat_registers_a_worker_with_the_old_fields(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        said = {
            "machineId": "203.0.113.7", "hostname": "win10-new", "gpuName": "RTX 4090", "cpuCores": 16,
            "totalRamGB": 63.9,
        }  # fmt: skip
        answer = await app.post("/api/heartbeat", said)
        assert answer["success"] is True
        assert answer["timestamp"].endswith("Z")
        [worker] = await app.get("/api/workers")
        assert {name: worker[name] for name in ("ipAddress", "hostname", "status", "gpuName", "cpuCores")} == {
            "ipAddress": "203.0.113.7", "hostname": "win10-new", "status": "IDLE", "gpuName": "RTX 4090",
            "cpuCores": 16,
        }  # fmt: skip
        assert worker["totalRamGB"] == pytest.approx(63.9)
        assert worker["guiState"] is None
        assert {"id", "lastSeen", "machineLabel", "createdAt", "updatedAt"} <= worker.keys()
        machine = await app.get("/api/heartbeat", params={"ipAddress": "203.0.113.7"})
        assert machine["id"] == worker["id"]
        assert machine["assignments"] == []
        assert machine["isOffline"] is False

    with_app(test)


def test_heartbeat_of_nobody(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for body in ({}, {"hostname": "x"}, {"machineId": ""}):
            assert (await app.http.post("/api/heartbeat", json=body)).status_code == 400
        assert (await app.http.get("/api/heartbeat")).status_code == 400
        missing = await app.http.get("/api/heartbeat", params={"ipAddress": "1.2.3.4"})
        assert missing.status_code == 404
        assert missing.json()["error"] == "no such worker"

    with_app(test)


def test_two_machines_behind_one_id_are_never_merged(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for hostname in ("alpha", "beta"):
            await app.post("/api/heartbeat", {"machineId": "203.0.113.7", "hostname": hostname})
        assert {worker["hostname"] for worker in await app.get("/api/workers")} == {"alpha", "beta"}
        answer = await app.get("/api/workers/203.0.113.7")
        assert len(answer["ambiguous"]) == 1
        for refused in (
            await app.http.delete("/api/workers/203.0.113.7"),
            await app.http.post("/api/workers", json={"ipAddress": "203.0.113.7", "machineLabel": "left"}),
        ):
            assert refused.status_code == 409
            assert len(refused.json()["ambiguous"]) == 2
        assert len(await app.get("/api/workers")) == 2

    with_app(test)


def test_a_removed_machine_stays_away_when_the_other_one_of_its_id_speaks(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for hostname in ("stays", "goes"):
            await app.post("/api/heartbeat", {"machineId": "m", "hostname": hostname})
            await app.pass_time(1)
        ids = {worker["hostname"]: worker["id"] for worker in await app.get("/api/workers")}
        assert (await app.http.delete(f"/api/workers/{ids['goes']}")).status_code == 200
        await app.lines("m", 0, "whose?")
        [worker] = await app.get("/api/workers")
        assert (worker["hostname"], worker["state"]) == ("stays", "running")
        # Long after nobody was heard, too.
        await app.pass_time(3600)
        await app.lines("m", 1, "and now?")
        assert [worker["hostname"] for worker in await app.get("/api/workers")] == ["stays"]

    with_app(test)


def test_a_heartbeat_that_tells_less_takes_nothing_back(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        whole = {"machineId": "m", "hostname": "h", "gpuName": "RTX 4090", "cpuCores": 16, "totalRamGB": 64.0}
        await app.post("/api/heartbeat", whole)
        for less in ({}, {"gpuName": None, "cpuCores": None, "totalRamGB": None}, {"hostname": ""}):
            await app.post("/api/heartbeat", {"machineId": "m", **less})
            [worker] = await app.get("/api/workers")
            told = {"machineId": worker["ipAddress"], **{name: worker[name] for name in whole if name != "machineId"}}
            assert told == whole, less
        await app.post("/api/heartbeat", {"machineId": "m", "hostname": "h", "cpuCores": 8})
        [worker] = await app.get("/api/workers")
        assert (worker["cpuCores"], worker["gpuName"]) == (8, "RTX 4090")

    with_app(test)


def test_names_and_sizes_that_no_machine_has(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        long, message = "x" * 20_000, {"type": "print", "message": "x"}
        study = await app.study()
        claim = f"/api/assignments/{study['assignments'][0]['id']}/claim"
        for path, body in (
            ("/api/heartbeat", {"machineId": long}),
            ("/api/heartbeat", {"machineId": "m", "hostname": long}),
            ("/api/gui-update", {"machineId": long, "message": message}),
            ("/api/workers", {"ipAddress": long}),
            (claim, {"machineId": long}),
        ):
            refused = await app.http.post(path, json=body)
            assert (refused.status_code, refused.json()["error"]) == (400, "the machine's name is too long"), path
        assert await app.get("/api/workers") == []
        huge = {"machineId": "m", "hostname": "h", "gpuName": long, "cpuCores": 10**30, "totalRamGB": 1e308}
        await app.post("/api/heartbeat", huge)
        [worker] = await app.get("/api/workers")
        assert len(worker["gpuName"]) == 255
        assert (await app.http.get("/readyz")).status_code == 200

    with_app(test)


MESSAGES: list[dict[str, Any]] = [
    {"type": "log_batch", "logs": [{"type": "status", "message": "hello"}], "sequence": 0},
    {"type": "terminal_only", "message": "\x1b[31mred\x1b[0m [A.b]", "log_type": "verbose", "timestamp": 1.0},
    {"type": "print", "message": "x\n", "stream": "stdout"},
    {"type": "overall_progress", "current": 1, "total": 4},
    {"type": "stage_progress", "name": "Setup", "current": 0, "total": 1, "sub_stage": "s"},
    {"type": "start_animation", "estimate": 12.5, "end_value": 100},
    {"type": "end_animation"},
    {"type": "profiler_update", "eta_seconds": None},
    {"type": "sim_details", "count": 1, "total": 2, "details": "thelonious, 700MHz, x_pos, theta"},
    {"type": "simulation_details", "simulation_count": 1, "total_simulations": 2, "current_case": "c"},
    {"type": "memory_error", "message": "out of memory", "exit_code": 42},
    {"type": "finished", "message": "Study finished successfully"},
    {"type": "fatal_error", "message": "boom"},
    {"type": "status", "message": "bare status"},
    {"type": "never_heard_of", "anything": [1, {"deep": None}]},
]


def test_every_message_type_is_taken(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        for message in MESSAGES:
            machine = f"machine with {message['type']}"
            await app.gui(machine, **message)
            # The same through the framework's route, which the documentation shows.
            body = {"machineId": machine, "message": message, "new": 1}
            other = await app.http.post("/api/gui-update/", json=body)
            assert (other.status_code, other.json()) == (200, {"success": True})
            assert (await app.get(f"/api/workers/{machine}"))["guiState"], message

    with_app(test)


def test_worker_shows_progress_and_the_newest_500_lines(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.post("/api/heartbeat", {"machineId": "m", "hostname": "h"})
        for sequence in range(60):
            await app.lines("m", sequence, *(f"line {sequence * 10 + i}" for i in range(10)))
            app.clock.now += 1000
        await app.gui("m", type="overall_progress", current=1, total=4)
        await app.gui("m", type="stage_progress", name="Setup", current=50, total=100)
        await app.gui("m", type="profiler_update", eta_seconds=60.0)
        await app.lines("m", 60, "careful", level="warning")
        await app.lines("m", 61, "broken", level="error")
        for _ in range(2):
            state = (await app.get("/api/workers/m"))["guiState"]
            assert state["progress"] == 25
            assert state["stageProgress"] == 50
            assert state["stage"] == "Setup"
            assert (state["warningCount"], state["errorCount"]) == (1, 1)
            assert state["eta"] > (await app.get("/api/workers/m"))["worker"]["lastSeen"]
            messages = [line["message"] for line in state["logMessages"]]
            assert len(messages) == 500
            assert messages[-3:] == ["line 599", "careful", "broken"]
            assert state["logMessages"][-1]["logType"] == "error"
            # Waiting lines and numbered ones are told alike.
            await app.pass_time(20)
        [listed] = await app.get("/api/workers")
        assert listed["guiState"].keys() == {
            "progress", "stageProgress", "stage", "warningCount", "errorCount", "eta",
        }  # fmt: skip
        assert listed["status"] == "RUNNING"

    with_app(test)


def test_log_lines_come_back_in_the_order_of_their_own_times(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        start = app.clock.seconds
        for offset in (3, 1, 2, 0, 5, 4):
            logs = [{"type": "status", "message": f"line {offset}", "timestamp": start + offset / 10}]
            message = {"type": "log_batch", "logs": logs, "sequence": offset}
            await app.post("/api/gui-update", {"machineId": "m", "message": message, "timestamp": start})
        run_id = (await app.get("/api/workers"))[0]["runId"]
        wanted = [f"line {i}" for i in range(6)]
        log = await app.get(f"/api/runs/{run_id}/log")
        assert [line["text"] for line in log["lines"]] == wanted
        assert {line["n"] for line in log["lines"]} == {None}
        await app.pass_time(16)
        log = await app.get(f"/api/runs/{run_id}/log")
        assert [(line["n"], line["text"]) for line in log["lines"]] == list(enumerate(wanted, 1))
        assert log["total"] == 6
        part = await app.get(f"/api/runs/{run_id}/log", params={"after": 2, "limit": 3})
        assert [line["n"] for line in part["lines"]] == [3, 4, 5]
        assert set(part["lines"][0]) == {"n", "time", "receivedAt", "level", "source", "text"}

    with_app(test)


def test_screenshots_keep_the_slash_of_a_tab_and_never_use_it_as_a_path(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        form: list[tuple[str, Any]] = [
            ("machineId", (None, "m")),
            ("Disk_I/O", ("Disk_I/O.jpg", JPEG, "image/jpeg")),
            ("../../evil", ("../../evil.jpg", JPEG + b"2", "image/jpeg")),
        ]
        early = await app.http.post("/api/gui-screenshots", files=form)
        assert early.status_code == 200
        await app.lines("m", 0, "start")
        assert (await app.http.post("/api/gui-screenshots", files=form)).json() == {"success": True, "stored": 2}
        run_id = (await app.get("/api/workers"))[0]["runId"]
        shots = await app.get(f"/api/runs/{run_id}/screenshots")
        assert [shot["tab"] for shot in shots] == ["../../evil", "Disk_I/O"]
        image = await app.http.get(shots[1]["url"])
        assert image.content == JPEG
        assert image.headers["content-type"] == "image/jpeg"
        assert image.headers["x-content-type-options"] == "nosniff"

    with_app(test)


def test_worker_is_renamed_paused_and_removed_and_its_work_stays(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.post("/api/heartbeat", {"machineId": "m", "hostname": "h"})
        await app.lines("m", 0, "work")
        worker_id = (await app.get("/api/workers"))[0]["id"]
        changed = await app.http.patch(f"/api/workers/{worker_id}", json={"label": "Left rack", "wish": "paused"})
        assert changed.json()["machineLabel"] == "Left rack"
        assert changed.json()["wish"] == "paused"
        named = await app.post("/api/workers", {"ipAddress": "m", "hostname": "h", "machineLabel": "Right rack"})
        assert named["machineLabel"] == "Right rack"
        # As today's dashboard asks: by the machine id alone.
        again = await app.post("/api/workers", {"ipAddress": "m", "machineLabel": "Middle rack"})
        assert (again["id"], again["machineLabel"], again["ambiguous"]) == (worker_id, "Middle rack", [])
        refused = await app.http.delete(f"/api/workers/{worker_id}")
        assert refused.status_code == 409
        gone = await app.http.delete(f"/api/workers/{worker_id}", params={"force": "true"})
        assert gone.status_code == 200
        assert gone.json()["success"] is True
        assert await app.get("/api/workers") == []
        assert [worker["id"] for worker in await app.get("/api/workers?includeStale=true")] == [worker_id]
        await app.pass_time(20)
        [run] = await app.get("/api/runs", params={"workerId": worker_id})
        assert run["state"] == "lost"
        assert "work" in [line["text"] for line in (await app.get(f"/api/runs/{run['id']}/log"))["lines"]]

    with_app(test)

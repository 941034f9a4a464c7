"""The bridge of a study: what it sends, in what order, how often, and what happens when nobody takes it."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest

from goliat_monitoring.goliat_hook import web_bridge
from goliat_monitoring.goliat_hook.web_bridge import WaitingRoom, WebGUIBridge
from tests.goliat.recorder import Recorder


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bridge(server: Recorder, clock: Clock) -> WebGUIBridge:
    """A bridge that takes messages and sends only by `step`."""
    made = WebGUIBridge(server.url + "/r/1/", "gpu-7", clock=clock)
    made.running = True
    made.step()  # the first heartbeat
    return made


def status(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "status", "message": text, "log_type": "info", "timestamp": 1.5, **more}


def drain(bridge: WebGUIBridge, clock: Clock) -> int:
    """Sends all that waits, at the rate that is allowed, and tells in how many steps."""
    steps = 0
    while bridge.internal_queue.qsize():
        bridge.step()
        clock.now += bridge.throttle_interval
        steps += 1
    return steps


def messages_of(room: WaitingRoom) -> list[dict[str, Any]]:
    found = []
    while (entry := room.take()) is not None:
        found.append(entry.as_message())
    return found


def test_heartbeat_tells_the_machine_every_30_seconds(server: Recorder, clock: Clock) -> None:
    told: list[bool] = []
    bridge = WebGUIBridge(server.url, "gpu-7", clock=clock)
    bridge.set_system_info({"gpuName": "H200", "cpuCores": 16, "totalRamGB": 128.0, "hostname": "box"})
    bridge.set_connection_callback(told.append)
    assert bridge.step() == 30.0
    clock.now += 29.9
    bridge.step()
    assert len(server.requests) == 1
    clock.now += 0.1
    bridge.step()
    assert [request.path for request in server.requests] == ["/api/heartbeat"] * 2
    assert server.requests[0].json() == {
        "machineId": "gpu-7",
        "gpuName": "H200",
        "cpuCores": 16,
        "totalRamGB": 128.0,
        "hostname": "box",
    }
    assert told == [True, True]
    assert bridge.is_connected


def test_lines_travel_together_and_numbered(bridge: WebGUIBridge, clock: Clock, server: Recorder) -> None:
    for number in range(450):
        bridge.enqueue(status(f"line {number}"))
    assert drain(bridge, clock) == 3
    batches = server.messages()
    assert [batch["sequence"] for batch in batches] == [0, 1, 2]
    assert [item["message"] for batch in batches for item in batch["logs"]] == [f"line {n}" for n in range(450)]
    update = server.at("/r/1/api/gui-update")[0].json()
    assert set(update) == {"machineId", "message", "timestamp"}
    assert update["machineId"] == "gpu-7"
    assert abs(update["timestamp"] - time.time()) < 60


def test_at_most_five_requests_a_second(bridge: WebGUIBridge, clock: Clock, server: Recorder) -> None:
    for number in range(20):
        bridge.enqueue({"type": "sim_details", "count": number, "total": 20, "details": ""})
    for _ in range(100):
        bridge.step()
        clock.now += 0.01
    assert len(server.messages()) == 5


def test_only_the_newest_progress_is_sent_but_each_stage_and_simulation_keeps_its_last() -> None:
    room = WaitingRoom(100)
    for current in (0, 1):
        room.put({"type": "stage_progress", "name": "Setup", "current": current, "total": 1})
    room.put({"type": "overall_progress", "current": 1, "total": 4})
    room.put({"type": "stage_progress", "name": "Extracting Results", "current": 1, "total": 1})
    room.put({"type": "overall_progress", "current": 2, "total": 4})
    room.put({"type": "sim_details", "count": 2, "total": 4, "details": "x"})
    room.put({"type": "stage_progress", "name": "Setup", "current": 0, "total": 1})
    found = messages_of(room)
    assert [(message["type"], message.get("name"), message.get("current")) for message in found] == [
        ("stage_progress", "Setup", 1),
        ("overall_progress", None, 2),
        ("stage_progress", "Extracting Results", 1),
        ("sim_details", None, None),
        ("stage_progress", "Setup", 0),
    ]


def test_nothing_goes_past_the_end() -> None:
    room = WaitingRoom(100)
    room.put(status("before"))
    room.put({"type": "finished", "message": "Study finished successfully"})
    room.put(status("after"))
    assert [message["type"] for message in messages_of(room)] == ["log_batch", "finished", "log_batch"]


def test_raw_lines_that_are_neighbours_become_one_text() -> None:
    room = WaitingRoom(100)
    for text in ("a", "b"):
        room.put({"type": "terminal_only", "message": text, "log_type": "info", "timestamp": 2.0})
    room.put({"type": "print", "message": "c", "stream": "stdout"})
    room.put({"type": "terminal_only", "message": "d", "log_type": "error", "timestamp": 3.0})
    assert messages_of(room) == [
        {"type": "terminal_only", "message": "a\nb", "log_type": "info", "timestamp": 2.0},
        {"type": "print", "message": "c", "stream": "stdout"},
        {"type": "terminal_only", "message": "d", "log_type": "error", "timestamp": 3.0},
    ]


def test_failed_request_is_tried_again_with_its_number(bridge: WebGUIBridge, clock: Clock, server: Recorder) -> None:
    server.refusals = [503, 429]
    bridge.enqueue(status("first"))
    bridge.step()
    assert not bridge.is_connected
    bridge.enqueue(status("second"))
    for pause in (1.0, 2.0):
        clock.now += pause - 0.1
        before = len(server.requests)
        bridge.step()
        assert len(server.requests) == before
        clock.now += 0.1
        bridge.step()
    clock.now += 1.0
    bridge.step()
    batches = [(message["sequence"], message["logs"][0]["message"]) for message in server.messages()]
    assert batches == [(0, "first"), (0, "first"), (0, "first"), (1, "second")]
    assert bridge.is_connected


def test_refusal_that_would_come_again_is_not_repeated(bridge: WebGUIBridge, clock: Clock, server: Recorder) -> None:
    server.refusals = [413, 302]
    bridge.enqueue(status("too large"))
    bridge.enqueue({"type": "finished", "message": "x"})
    drain(bridge, clock)
    assert len(server.messages()) == 2


def test_memory_is_bounded_and_the_loss_is_said(clock: Clock) -> None:
    bridge = WebGUIBridge("http://127.0.0.1:9", "gpu-7", clock=clock, max_waiting=1000)
    bridge.running = True
    bridge.enqueue({"type": "sim_details", "count": 1, "total": 1, "details": "kept"})
    for number in range(5000):
        bridge.enqueue(status(f"line {number}"))
    bridge.step()
    with Recorder() as server:
        bridge.server_url = server.url
        clock.now += 60
        drain(bridge, clock)
    lines = server.log_lines()
    (notice,) = [line for line in lines if "were lost" in line]
    assert int(notice.split()[0]) + len(lines) - 1 == 5000
    assert len(lines) - 1 <= 1000
    assert lines[-1] == "line 4999"
    assert "sim_details" in [message["type"] for message in server.messages()]


def test_screenshots_are_a_form_with_the_tabs(bridge: WebGUIBridge, clock: Clock, server: Recorder) -> None:
    for picture in (b"old", b"new"):
        bridge.enqueue({"type": "gui_screenshots", "screenshots": {"Disk I/O": picture, "Time Remaining": b"\xff"}})
    drain(bridge, clock)
    (request,) = server.at("/api/gui-screenshots")
    assert request.parts() == [
        ("machineId", None, b"gpu-7"),
        ("Disk_I/O", "Disk_I/O.jpg", b"new"),
        ("Time_Remaining", "Time_Remaining.jpg", b"\xff"),
    ]


def test_what_json_does_not_know_does_not_stop_a_message(bridge: WebGUIBridge, clock: Clock, server: Recorder) -> None:
    bridge.enqueue({"type": "profiler_update", "eta_seconds": float("nan"), "profiler": object()})
    drain(bridge, clock)
    assert server.messages() == [{"type": "profiler_update", "eta_seconds": None, "profiler": "<object>"}]


def test_stop_delivers_what_waits(server: Recorder) -> None:
    bridge = WebGUIBridge(server.url, "gpu-7")
    bridge.enqueue(status("too early"))
    bridge.start()
    bridge.start()
    for number in range(30):
        bridge.enqueue({"type": "sim_details", "count": number, "total": 30, "details": ""})
    bridge.stop(timeout=30)
    assert [message["count"] for message in server.messages()] == list(range(30))
    assert len(server.at("/api/heartbeat")) == 1
    bridge.enqueue(status("too late"))
    bridge.stop()
    assert server.log_lines() == []


def test_lines_that_were_put_together_already_are_numbered_with_the_others() -> None:
    room = WaitingRoom(100)
    room.put(status("first"))
    room.put({"type": "log_batch", "logs": [status("second"), status("third")], "sequence": 7})
    room.put(status("fourth"))
    (batch,) = messages_of(room)
    assert [item["message"] for item in batch["logs"]] == ["first", "second", "third", "fourth"]


def test_credentials_of_the_address_become_a_basic_header(server: Recorder, clock: Clock) -> None:
    bridge = WebGUIBridge(server.url.replace("://", "://goliat:a%2Fb@") + "/", "gpu-7", clock=clock)
    assert bridge.server_url == server.url
    bridge.step()
    (request,) = server.requests
    scheme, _, rest = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(rest)) == ("Basic", b"goliat:a/b")


@pytest.mark.parametrize("missing", ["GOLIAT_WEBGUI_ENABLED", "GOLIAT_MONITORING_URL", "GOLIAT_MACHINE_ID", None])
def test_environment_activates(missing: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"GOLIAT_WEBGUI_ENABLED": "1", "GOLIAT_MONITORING_URL": "http://h/x/", "GOLIAT_MACHINE_ID": "m"}
    for name, value in given.items():
        monkeypatch.setenv(name, "" if name == missing else value)
    bridge = web_bridge.from_environment()
    assert (bridge is None) == (missing is not None)
    if bridge is not None:
        assert (bridge.server_url, bridge.machine_id, bridge.running) == ("http://h/x", "m", False)

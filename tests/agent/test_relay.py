"""The relay answers GOLIAT when what it sent is on disk, and hostile requests with a plain no."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from goliat_monitoring.agent.api import Server
from goliat_monitoring.agent.intake import Intake
from goliat_monitoring.agent.outbox import Outbox
from goliat_monitoring.agent.relay import Relay
from goliat_monitoring.agent.screenshots import Screenshots
from goliat_monitoring.agent.settings import Limits
from goliat_monitoring.agent.spool import take_spool
from goliat_monitoring.agent.uploads import Uploads
from goliat_monitoring.wire.agent import Enrol, Facts, Fingerprint
from tests.agent.place import ServerProcess

BOUNDARY = "b0undary"
# Nothing listens there. Made once: each one reads all certificates.
NOBODY = Server("http://127.0.0.1:9", 1.0)


class Station:
    """A relay with one run, and what reached its disk."""

    def __init__(self, folder: Path, server: Server = NOBODY) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.outbox = Outbox(folder / "outbox.sqlite", reorder_s=0)
        self.uploads = Uploads(folder / "uploads.sqlite")
        self.screenshots = Screenshots()
        self.heard: list[dict[str, Any]] = []
        self.intake = Intake(
            assignment_id="a1",
            folder=folder / "received",
            outbox=self.outbox,
            uploads=self.uploads,
            screenshots=self.screenshots,
            server=server,
            limits=Limits(message=100_000, screenshot=50_000),
            heard=self.heard.append,
            drop_screenshots=lambda: False,
        )
        self.relay = Relay(folder)
        self.relay.open("run1", "secret", self.intake)

    def close(self) -> None:
        self.relay.close()
        self.outbox.close()
        self.uploads.close()

    def request(
        self,
        path: str,
        body: bytes,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=10)
        given = {"Content-Type": content_type, "Authorization": "Bearer secret", **(headers or {})}
        connection.request(method, path, body, given)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer

    def update(self, message: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"machineId": "m", "message": message, "timestamp": time.time()}).encode()
        return self.request("/r/run1/api/gui-update", body, headers=headers)

    def items(self) -> list[dict[str, Any]]:
        self.outbox.flush()
        return [msgspec.json.decode(body) for body in self.outbox.read(0, 1000, 1 << 20)]


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    made = Station(tmp_path)
    yield made
    made.close()


def multipart(*parts: tuple[str, str | None, bytes]) -> bytes:
    body = b""
    for name, filename, content in parts:
        file = f'; filename="{filename}"' if filename is not None else ""
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
RESULTS = "/r/run1/api/assignments/a1/results"


def test_what_is_answered_is_on_disk(station: Station) -> None:
    assert station.update({"type": "print", "message": "hello", "stream": "stdout"})[0] == 200
    assert station.update({"type": "from_the_future", "x": 1})[0] == 200
    assert [item.get("text") or item["message"]["type"] for item in station.items()] == ["hello", "from_the_future"]
    assert [message["type"] for message in station.heard] == ["print", "from_the_future"]


def test_a_lone_surrogate_costs_one_character(station: Station) -> None:
    body = rb'{"message": {"type": "print", "message": "a\udcffb"}, "timestamp": 1}'
    assert station.request("/r/run1/api/gui-update", body)[0] == 200
    assert station.items()[0]["text"] == "a\N{REPLACEMENT CHARACTER}b"


def test_the_same_request_twice_counts_once(station: Station) -> None:
    for _ in range(2):
        assert station.update({"type": "print", "message": "once"}, **{"X-Goliat-Hook-Id": "7"})[0] == 200
    assert len(station.items()) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"message": 1}',
        b'{"message": [1, 2]}',
        b'{"message": {"type": "x", "v": NaN}}',
        b'{"message": ' + b"[" * 50_000,
        # Deeper than any Python reads: 3.13 goes ten times as deep as 3.11.
        b'{"message": {"x": ' + b"[" * 40_000 + b"1" + b"]" * 40_000 + b"}}",
    ],
)
def test_a_body_that_cannot_be_read_gets_400_and_leaves_nothing(station: Station, body: bytes) -> None:
    status, answer = station.request("/r/run1/api/gui-update", body)
    assert status == 400
    assert set(answer) <= {"error", "details"}
    assert station.items() == []


@pytest.mark.parametrize(
    "message",
    [
        {"type": "log_batch", "logs": 5},
        {"type": "log_batch", "logs": [None, 1, {"message": {"a": 1}, "timestamp": "x", "log_type": []}]},
        {"type": "log_batch", "sequence": -1, "logs": [{"message": "x", "timestamp": 1e300}]},
        {"type": ["a"], "message": None},
        {"type": "print", "message": "\u0000\u001b[31m"},
        {"type": "sim_details", "count": 10**30},
        {},
    ],
)
def test_strange_messages_are_taken(station: Station, message: dict[str, Any]) -> None:
    assert station.update(message)[0] == 200
    station.items()


def test_the_relay_serves_its_own_run_only(station: Station) -> None:
    body = b'{"message": {"type": "x"}}'
    assert station.request("/r/run1/api/gui-update", body, headers={"Authorization": "Bearer wrong"})[0] == 401
    assert station.request("/r/run1/api/gui-update", body, headers={"Authorization": ""})[0] == 401
    assert station.request("/r/other/api/gui-update", body)[0] == 404
    assert station.request("/api/gui-update", body)[0] == 404
    assert station.request("/r/run1/api/nothing", body)[0] == 404
    assert station.request("/r/run1/api/gui-update", body, headers={"Host": "evil.example:80"})[0] == 403
    assert station.items() == []


def test_a_body_that_is_too_large_gets_413_and_the_connection_goes_on(station: Station) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", station.relay.port, timeout=10)
    headers = {"Authorization": "Bearer secret"}
    connection.request("POST", "/r/run1/api/gui-update", b"x" * 200_000, headers)
    response = connection.getresponse()
    assert (response.status, set(json.loads(response.read()))) == (413, {"error", "details"})
    connection.request("POST", "/r/run1/api/heartbeat", b"{}", headers)
    assert connection.getresponse().status == 200
    connection.close()


@pytest.mark.parametrize("length", ["-1", "abc", "1e9"])
def test_a_broken_length_gets_400(station: Station, length: str) -> None:
    with socket.create_connection(("127.0.0.1", station.relay.port), timeout=10) as raw:
        raw.sendall(
            f"POST /r/run1/api/gui-update HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        assert b" 400 " in raw.recv(1000).split(b"\r\n")[0]


def test_a_sender_that_dies_leaves_nothing_half_written(station: Station) -> None:
    head = "Host: 127.0.0.1\r\nAuthorization: Bearer secret\r\nContent-Length: 5000\r\n"
    for path, kind in (("gui-update", "application/json"), ("assignments/a1/results", MULTIPART)):
        with socket.create_connection(("127.0.0.1", station.relay.port), timeout=10) as raw:
            raw.sendall(f"POST /r/run1/api/{path} HTTP/1.1\r\n{head}Content-Type: {kind}\r\n\r\n".encode())
            raw.sendall(multipart(("relativePath", None, b"x"), ("files", "a.json", b"{}"))[:120])
    assert station.update({"type": "alive"})[0] == 200
    assert len(station.items()) == 1
    assert station.uploads.waiting == 0
    assert not list((station.folder / "received").glob("*/*"))


def test_results_are_kept_with_their_names(station: Station) -> None:
    body = multipart(
        ("relativePath", None, b"far_field/duke/700MHz/environmental_x_pos_theta"),
        ("files", "config.json", b'{"a": 1}'),
        ("files", "sar_results.json", b"\r\n--" + BOUNDARY.encode()[:4] + b"\x00" * 100_000),
    )
    assert station.request(RESULTS, body, MULTIPART)[0] == 200
    assert station.uploads.waiting == 2
    first = station.uploads.next_waiting(0)
    assert first is not None
    assert (first.name, Path(first.source).read_bytes()) == ("config.json", b'{"a": 1}')
    assert station.request(RESULTS, body, MULTIPART)[0] == 200
    assert station.uploads.waiting == 2, "the same bytes again are the same files"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("../../etc", "a.json"),
        ("/etc", "a.json"),
        ("C:\\Windows", "a.json"),
        ("a\x00b", "a.json"),
        ("ok", "../a.json"),
        ("ok", "a/b.json"),
        ("ok", ""),
        ("ok", "CON"),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(station: Station, path: str, name: str) -> None:
    body = multipart(("relativePath", None, path.encode()), ("files", name, b"{}"))
    status, answer = station.request(RESULTS, body, MULTIPART)
    assert status == 400
    assert "error" in answer
    assert station.uploads.waiting == 0
    assert not [file for file in (station.folder / "received").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", MULTIPART),
        (b"garbage", MULTIPART),
        (multipart(("relativePath", None, b"x"))[:-6], MULTIPART),
        (multipart(("files", "a.json", b"{}")), MULTIPART),
        (multipart(("relativePath", None, b"x" * 100_000)), MULTIPART),
        (multipart(*[("files", f"{n}.json", b"") for n in range(300)]), MULTIPART),
        (b"{}", "application/json"),
        (b"{}", "multipart/form-data"),
        (b"{}", 'multipart/form-data; boundary="'),
    ],
)
def test_broken_uploads_get_400(station: Station, body: bytes, kind: str) -> None:
    status, answer = station.request(RESULTS, body, kind)
    assert status == 400
    assert "error" in answer
    assert station.uploads.waiting == 0


def test_results_for_another_assignment_are_refused(station: Station) -> None:
    body = multipart(("relativePath", None, b"x"), ("files", "a.json", b"{}"))
    assert station.request("/r/run1/api/assignments/other/results", body, MULTIPART)[0] == 409


def test_the_newest_picture_of_each_tab_is_kept(station: Station) -> None:
    for picture in (b"old", b"new"):
        body = multipart(("machineId", None, b"m"), ("Disk_I/O", "Disk_I/O.jpg", picture), ("Timings", "t.jpg", b"t"))
        assert station.request("/r/run1/api/gui-screenshots", body, MULTIPART)[0] == 200
    pictures = [station.screenshots.take(0), station.screenshots.take(0)]
    assert {(one.tab, one.body) for one in pictures if one} == {("Disk_I/O", b"new"), ("Timings", b"t")}
    assert station.screenshots.take(0) is None
    huge = multipart(("Timings", "t.jpg", b"x" * 60_000))
    assert station.request("/r/run1/api/gui-screenshots", huge, MULTIPART)[0] == 413


def test_the_command_lines_calls_reach_a_server_that_is_open(tmp_path: Path, server: ServerProcess) -> None:
    (assignment,) = server.create([])
    name = server.get(f"/api/assignments/{assignment}")["superStudyName"]
    to_server = Server(server.url, 10.0)
    to_server.credential = to_server.enrol(Enrol(Fingerprint(name, "box", "boot"), Facts()), None).credential
    station = Station(tmp_path / "station", to_server)
    try:
        query = urlencode({"name": name})
        (found,) = station.request(f"/r/run1/api/super-studies?{query}", b"", method="GET")[1]
        (part,) = station.request(f"/r/run1/api/super-studies/{found['id']}/assignments", b"", method="GET")[1]
        assert part["id"] == assignment
        claim, body = f"/r/run1/api/assignments/{assignment}/claim", b'{"machineId": "by hand"}'
        assert station.request(claim, body)[0] == 200
        assert station.request(claim, body.replace(b"hand", b"foot"))[0] == 409
    finally:
        station.close()
        to_server.close()


def test_the_command_lines_calls_say_when_the_server_is_away(station: Station) -> None:
    status, answer = station.request("/r/run1/api/super-studies?name=x", b"", method="GET")
    assert status == 502
    assert "error" in answer


def test_the_address_stays_the_same_in_the_next_life(tmp_path: Path) -> None:
    first = Relay(tmp_path)
    first.close()
    second = Relay(tmp_path)
    assert second.port == first.port
    second.close()


def test_nobody_listens_before_a_run_is_there_and_after_the_end(tmp_path: Path) -> None:
    """A GOLIAT that outlived its agent must see a refused connection, and spool, rather than an answer."""
    relay = Relay(tmp_path)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay.port), timeout=5)
    station = Station(tmp_path / "station")
    port = station.relay.port
    assert station.update({"type": "x"})[0] == 200
    station.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    relay.close()


def spool(folder: Path, name: str, head: dict[str, Any] | str, body: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.req"
    file.write_bytes((head if isinstance(head, str) else json.dumps(head)).encode() + b"\n" + body)
    return file


def test_the_spool_is_taken_in_order_and_once(station: Station) -> None:
    folder = station.folder / "spool"
    for number in (2, 1, 3):
        body = json.dumps({"message": {"type": "print", "message": f"line {number}"}, "timestamp": 1.0}).encode()
        head = {"method": "POST", "path": "/api/gui-update", "headers": {}, "time": 1.0, "id": f"id{number}"}
        spool(folder, f"{number:020d}-1-0", head, body)
    # The relay had taken the first of them but died before it answered.
    assert station.update({"type": "print", "message": "line 1"}, **{"X-Goliat-Hook-Id": "id1"})[0] == 200
    assert take_spool(folder, station.intake) == 3
    assert sorted(item["text"] for item in station.items()) == ["line 1", "line 2", "line 3"]
    assert list(folder.iterdir()) == []


def test_the_spool_holds_uploads_too(station: Station) -> None:
    body = multipart(("relativePath", None, b"far_field/x"), ("files", "sar_results.json", b"{}"))
    head = {
        "method": "POST",
        "path": "/r/run1/api/assignments/a1/results",
        "headers": {"Content-Type": MULTIPART},
        "time": 1.0,
    }
    spool(station.folder / "spool", "1-1-0", head, body)
    assert take_spool(station.folder / "spool", station.intake) == 1
    assert station.uploads.waiting == 1


def test_broken_spool_files_are_put_aside(station: Station) -> None:
    folder = station.folder / "spool"
    spool(folder, "1-1-0", "no json", b"")
    spool(folder, "2-1-0", {"method": "POST", "path": "/api/gui-update"}, b"{")
    spool(folder, "3-1-0", {"method": "POST", "path": "/api/gui-update"}, b'{"message": {"type": "x"}}')
    assert take_spool(folder, station.intake) == 1
    assert sorted(file.name for file in folder.iterdir()) == ["1-1-0.bad", "2-1-0.bad"]
    assert len(station.items()) == 1

"""The server as a process: claims that race, shutdown under load, power cuts, starts that must not happen."""

import concurrent.futures
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from goliat_monitoring.server.alone import address_of
from goliat_monitoring.wire.errors import Refused
from tests.support.server import ServerProcess
from tests.support.studies import new_study

Start = Callable[..., ServerProcess]


def line(machine: str, number: int) -> dict[str, Any]:
    """One GUI update that holds one log line."""
    log = {"type": "status", "message": f"line {number}", "timestamp": 1_800_000_000 + number / 1000}
    return {
        "machineId": machine,
        "message": {"type": "log_batch", "logs": [log], "sequence": number},
        "timestamp": 1_800_000_000 + number / 1000,
    }


def lines_of(http: httpx.Client, machine: str) -> list[str]:
    """All lines of the machine's only run."""
    [run] = http.get(
        "/api/runs", params={"workerId": http.get(f"/api/workers/{machine}").json()["worker"]["id"]}
    ).json()
    return [row["text"] for row in http.get(f"/api/runs/{run['id']}/log", params={"limit": 10_000}).json()["lines"]]


def test_fifty_concurrent_claims_give_exactly_one_200(start_server: Start) -> None:
    server = start_server()
    with server.client() as http:
        made = http.post("/api/super-studies", json=new_study()).json()
        url = f"{server.url}/api/assignments/{made['assignments'][0]['id']}/claim"
        gate = threading.Barrier(50)

        def claim(number: int) -> int:
            with httpx.Client(trust_env=False, timeout=30) as own:
                gate.wait()
                return own.post(url, json={"machineId": f"machine-{number}"}).status_code

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(claim, range(50)))
        assert sorted(answers) == [200] + [409] * 49
        assert len(http.get("/api/runs").json()) == 1


def test_sigterm_under_load_loses_nothing_acknowledged(start_server: Start) -> None:
    server = start_server(reorder_window_s=0)
    acknowledged: dict[str, list[int]] = {f"machine-{i}": [] for i in range(4)}

    def send(machine: str) -> None:
        # A new connection for each request, as the real client does.
        with server.client(headers={"Connection": "close"}) as http:
            for number in itertools.count():
                try:
                    answer = http.post("/api/gui-update", json=line(machine, number))
                except httpx.HTTPError:
                    return
                if answer.status_code == 200:
                    acknowledged[machine].append(number)

    threads = [threading.Thread(target=send, args=(machine,)) for machine in acknowledged]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + 60
    while min(map(len, acknowledged.values())) < 30 and time.monotonic() < ends:
        time.sleep(0.05)
    assert server.stop() == 0
    for thread in threads:
        thread.join(30)
    server.start()
    with server.client() as http:
        for machine, numbers in acknowledged.items():
            assert len(numbers) >= 30
            assert {f"line {number}" for number in numbers} <= set(lines_of(http, machine))


def test_a_power_cut_loses_nothing_acknowledged(start_server: Start) -> None:
    server = start_server()
    with server.client() as http:
        for number in range(30):
            assert http.post("/api/gui-update", json=line("m", number)).status_code == 200
    server.kill()
    server.start()
    with server.client() as http:
        assert lines_of(http, "m") == [f"line {number}" for number in range(30)]
        assert http.get("/readyz").json()["status"] == "ready"


def test_an_open_stream_and_a_waiting_claim_do_not_hold_up_the_end(start_server: Start) -> None:
    server = start_server()
    fingerprint = {"machineId": "m", "hostname": "h", "bootId": "b"}
    with server.client() as http, server.client() as other:
        enrolled = http.post("/api/agent/v1/enrol", json={"fingerprint": fingerprint, "facts": {}}).json()
        own = {"Authorization": f"Bearer {enrolled['credential']}"}
        opened = http.post(
            "/api/agent/v1/session", json={"fingerprint": fingerprint, "facts": {}, "sentAt": 0}, headers=own
        ).json()
        asked = {"sessionId": opened["sessionId"], "waitS": 30}
        answers: list[int] = []
        waiting = threading.Thread(
            target=lambda: answers.append(other.post("/api/agent/v1/claim", json=asked, headers=own).status_code)
        )
        with http.stream("GET", "/live", params={"topics": "fleet"}) as stream:
            assert stream.status_code == 200
            waiting.start()
            time.sleep(0.5)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 8
        waiting.join(20)
    assert answers == [503]


def test_a_claim_whose_asker_left_takes_no_work(start_server: Start) -> None:
    server = start_server()
    fingerprint = {"machineId": "m", "hostname": "h", "bootId": "b"}
    with server.client() as http:
        enrolled = http.post("/api/agent/v1/enrol", json={"fingerprint": fingerprint, "facts": {}}).json()
        own = {"Authorization": f"Bearer {enrolled['credential']}"}
        opened = http.post(
            "/api/agent/v1/session", json={"fingerprint": fingerprint, "facts": {}, "sentAt": 0}, headers=own
        ).json()
        asked = {"sessionId": opened["sessionId"], "waitS": 30}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/api/agent/v1/claim", json=asked, headers=own, timeout=0.5, trust_env=False)
        time.sleep(0.5)
        http.post("/api/super-studies", json=new_study())
        time.sleep(1)
        assert http.get("/api/runs").json() == []


def test_a_name_of_this_machine_is_an_address_too(start_server: Start) -> None:
    with start_server(host="localhost").client() as http:
        assert http.get("/healthz").status_code == 200
    with pytest.raises(Refused, match="no address"):
        address_of("no-such-name.invalid")


def test_what_keeps_a_server_from_starting_is_said_in_a_line(start_server: Start) -> None:
    server = start_server()
    command = [sys.executable, "-m", "goliat_monitoring.cli.main", "serve"]
    taken = server.data_dir / "a file"
    taken.write_text("no database, and no folder either")
    for arguments, word in (
        (["--data-dir", str(server.data_dir), "--port", "0"], "another server uses this data folder"),
        (["--data-dir", str(server.data_dir / "other"), "--port", str(server.port)], "listen"),
        (["--data-dir", str(server.data_dir / "other"), "--host", "0.0.0.0"], "ADMIN_TOKEN"),
        (["--data-dir", str(server.data_dir / "other"), "--database-url", "oracle://x/y"], "sqlite"),
        # Nothing here needs a look into the program to be understood.
        (["--data-dir", str(taken / "data")], "data folder cannot be used"),
        (["--data-dir", str(server.data_dir / "fine"), "--port", "0", "--storage-url", "foo://bar"], "s3://BUCKET"),
    ):
        ended = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode != 0
        assert word in " ".join((ended.stdout + ended.stderr).split()), ended
        assert "Traceback" not in ended.stderr

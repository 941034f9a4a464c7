"""A solver that cannot start makes its client loop without delay: 24,000 messages become a few lines, none is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import httpx

from tests.support.senders import run_of, wait_for_numbers
from tests.support.server import ServerProcess

Start = Callable[..., ServerProcess]
ATTEMPTS = 12_000
# GOLIAT's own sender threads.
THREADS = 3
T0 = 1_800_000_000.0
# 110 s for 24,000 messages.
PAUSE = 110 / 24_000


def storm() -> list[dict[str, Any]]:
    """What the client sends: per attempt one verbose line and one in a batch of its own, and a sum each 50 attempts."""
    messages: list[dict[str, Any]] = []

    def say(text: str, level: str, *, batch: bool) -> None:
        at = T0 + len(messages) * PAUSE
        line = {"type": "status" if batch else "terminal_only", "message": text, "log_type": level, "timestamp": at}
        message = {"type": "log_batch", "logs": [line], "sequence": len(messages)} if batch else line
        messages.append({"machineId": "10.0.0.9", "message": message, "timestamp": at})

    for attempt in range(1, ATTEMPTS + 1):
        say(
            "\x1b[36mRunning iSolve with Acceleware on duke_Input.h5\x1b[0m [ISolveManualStrategy.run]",
            "info",
            batch=False,
        )
        say(f"    - iSolve failed, retry attempt {attempt}", "warning", batch=True)
        if attempt % 50 == 0:
            say(f"iSolve failed {attempt} times", "error", batch=True)
    return messages


def test_a_storm_is_folded_and_slows_nobody_down(start_server: Start) -> None:
    server = start_server(reorder_window_s=2)
    messages = storm()

    # As GOLIAT's senders do: each takes the next of one queue, so they are never far apart.
    queue = SimpleQueue[dict[str, Any]]()
    for message in messages:
        queue.put(message)

    def send(_sender: int) -> int:
        good = 0
        with server.client() as http, suppress(Empty):
            while True:
                good += http.post("/api/gui-update", json=queue.get_nowait()).status_code == 200
        return good

    with ThreadPoolExecutor(THREADS + 1) as pool, server.client() as http:
        # Another machine goes on meanwhile.
        other = pool.submit(quiet_machine, http)
        sent = sum(pool.map(send, range(THREADS)))
        assert sent == len(messages)
        assert other.result() == 200
        run_id = run_of(http, "10.0.0.9")
        wait_for_numbers(http, run_id, 60)
        run = http.get(f"/api/runs/{run_id}").json()
        assert (run["run"]["warnings"], run["run"]["errors"]) == (ATTEMPTS, ATTEMPTS // 50)
        page = http.get(f"/api/runs/{run_id}/log", params={"limit": 10_000}).json()
        lines = [line for line in page["lines"] if line["source"] != "server"]
        assert len(lines) < ATTEMPTS / 8
        assert sum(line.get("count", 1) for line in lines) == len(messages)
        first = next(line for line in lines if line.get("count", 1) > 10)
        assert first["lastTime"] > first["time"]
        problems = {row["text"]: row for row in http.get(f"/api/runs/{run_id}/log/problems").json()["problems"]}
        assert sorted(row["count"] for row in problems.values()) == [ATTEMPTS // 50, ATTEMPTS]


def quiet_machine(http: httpx.Client) -> int:
    """200 lines of a machine that has nothing to do with it."""
    good = 0
    for number in range(200):
        line = {"type": "terminal_only", "message": f"all is well {number}", "log_type": "info", "timestamp": T0}
        body = {"machineId": "10.0.0.1", "message": line, "timestamp": T0}
        good += http.post("/api/gui-update", json=body, timeout=5).status_code == 200
    return good

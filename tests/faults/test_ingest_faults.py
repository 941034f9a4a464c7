"""What goes wrong between a sender and the server: nothing is there by half, nothing is there twice."""

import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.senders import OutboxSender, run_of, texts_of, wait_for_numbers
from tests.support.server import ServerProcess

Start = Callable[..., ServerProcess]


def test_two_lives_of_an_agent_with_one_outbox_deliver_once(start_server: Start, tmp_path: Path) -> None:
    server = start_server()
    sender = OutboxSender(server.url, tmp_path / "outbox", "gpu-1")
    # A second life that was started beside the first: it reads the same outbox and sends the same items.
    stop = threading.Event()
    others = [threading.Thread(target=sender.new_shipper(sender.outbox).run, args=(stop,)) for _ in range(2)]
    for other in others:
        other.start()
    time.sleep(3)
    sender.stop()
    assert sender.delivered()
    stop.set()
    for other in others:
        other.join(30)
    with server.client() as http:
        assert len(sender.sent) > 500
        assert texts_of(http, sender.run_id) == sender.sent


def test_a_request_cut_anywhere_leaves_nothing_behind(start_server: Start) -> None:
    server = start_server(reorder_window_s=0)
    logs = [{"type": "status", "message": f"line {i}", "log_type": "info", "timestamp": 1.8e9 + i} for i in range(10)]
    message = {"type": "log_batch", "logs": logs, "sequence": 0}
    body = json.dumps({"machineId": "m", "message": message, "timestamp": 1.8e9}).encode()
    head = f"POST /api/gui-update HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    whole = head + body
    for cut in (1, len(head) - 1, len(head), len(head) + 1, len(whole) // 2, len(whole) - 1):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(whole[:cut])
    with server.client() as http:
        assert http.get("/api/workers").json() == []
        assert http.get("/api/runs").json() == []
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(whole)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        run_id = run_of(http, "m")
        wait_for_numbers(http, run_id)
        assert texts_of(http, run_id) == [f"line {i}" for i in range(10)]

"""The three sender threads of GOLIAT's bridge: arrival order is not guaranteed, and nothing is sent twice."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from goliat_monitoring.simulator.post import post_json
from goliat_monitoring.simulator.surroundings import Surroundings

# A batch of log items goes out when it has this many, or after this long.
BATCH_ITEMS = 10
BATCH_S = 0.05


class Sender:
    """Takes messages at once, sends them in the background: log items in batches, everything else one by one."""

    def __init__(self, to: Surroundings) -> None:
        self._to = to
        self._queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._pool = ThreadPoolExecutor(3, "sender")
        self._sequence = itertools.count()
        self._forwarder = threading.Thread(target=self._forward, name="forwarder", daemon=True)
        self._forwarder.start()

    def message(self, kind: str, **fields: object) -> None:
        """Queue one GUI message."""
        self._queue.put({"type": kind, **fields})

    def log(self, text: str, level: str) -> None:
        """Queue one log item for the next batch."""
        self._queue.put({"type": "status", "message": text, "log_type": level, "timestamp": time.time()})

    def close(self) -> None:
        """Send what is queued and end the threads."""
        self._queue.put(None)
        self._forwarder.join()
        self._pool.shutdown(wait=True)

    def _forward(self) -> None:
        items: list[dict[str, Any]] = []
        flush_at = 0.0
        while True:
            try:
                message = self._queue.get(timeout=max(0.0, flush_at - time.monotonic()) if items else None)
            except Empty:
                message = {}
            if message and message["type"] == "status":
                if not items:
                    flush_at = time.monotonic() + BATCH_S
                items.append(message)
            elif message:
                self._pool.submit(self._send, message)
            if items and (message is None or len(items) >= BATCH_ITEMS or time.monotonic() >= flush_at):
                self._pool.submit(self._send_batch, items)
                items = []
            if message is None:
                return

    def _send_batch(self, items: list[dict[str, Any]]) -> None:
        # Numbered when a thread starts to send, so that the numbers can race as GOLIAT's do.
        self._send({"type": "log_batch", "logs": items, "sequence": next(self._sequence)})

    def _send(self, message: dict[str, Any]) -> None:
        body = {"machineId": self._to.machine_id, "message": message, "timestamp": time.time()}
        post_json(self._to, "/api/gui-update", body, 10 if message["type"] == "log_batch" else 3)

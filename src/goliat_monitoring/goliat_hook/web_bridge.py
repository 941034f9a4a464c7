"""A study's own side of the dashboard: takes the messages of its GUI and delivers them, in order, as few as possible.

One file, standard library only, with the interface of GOLIAT's `goliat.utils.gui_bridge.WebGUIBridge`, whose place it
can take. What differs: a failed request is tried again; at most five requests a second are made; log lines wait
together and are never dropped while there is room, and of progress only the newest state is sent.
"""

from __future__ import annotations

import base64
import json
import math
import os
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

# A state that is outdated by the next message of its kind. Between two of other kinds only the last one is sent.
PROGRESS = ("overall_progress", "stage_progress", "profiler_update", "start_animation", "end_animation")
# Lines that have no batch on the wire; those that wait side by side are sent as one text of several lines.
RAW_LINES = ("terminal_only", "print")
BATCH_ITEMS = 200
RAW_LINES_CHARACTERS = 32_000
HEARTBEAT_S = 30.0
REQUEST_TIMEOUT_S = 10.0
SCREENSHOTS_TIMEOUT_S = 30.0
LONGEST_PAUSE_S = 30.0
TRY_AGAIN = (408, 425, 429)  # and all from 500 on; other refusals would come again


def from_environment() -> WebGUIBridge | None:
    """The bridge that the environment asks for, not yet started, or None.

    GOLIAT_WEBGUI_ENABLED (1, true, yes or on) asks for it, GOLIAT_MONITORING_URL says where the dashboard is, and
    GOLIAT_MACHINE_ID who this machine is; all three are needed.
    """
    is_wanted = os.environ.get("GOLIAT_WEBGUI_ENABLED", "").strip().lower() in ("1", "true", "yes", "on")
    server_url = os.environ.get("GOLIAT_MONITORING_URL", "").strip()
    machine_id = os.environ.get("GOLIAT_MACHINE_ID", "").strip()
    return WebGUIBridge(server_url, machine_id) if is_wanted and server_url and machine_id else None


class WebGUIBridge:
    """Delivers the messages of one study's GUI to the dashboard.

    Args:
        server_url: base URL of the dashboard; may have a path, and credentials (`https://any:TOKEN@host`), which become
            a Basic header as they do in GOLIAT's own bridge.
        machine_id: who this machine is there.
        throttle_hz: most requests a second; heartbeats come on top.
        max_waiting: most lines and messages kept while the dashboard is away; then the oldest go, and a line says how
            many.
        clock: seconds that never go back, for rate, pauses and heartbeats.
    """

    def __init__(
        self,
        server_url: str,
        machine_id: str,
        throttle_hz: float = 5.0,
        *,
        max_waiting: int = 50_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.server_url, self._headers = _address(server_url)
        self.machine_id = machine_id
        self.throttle_interval = 1.0 / throttle_hz
        self.internal_queue = WaitingRoom(max_waiting)
        self.running = False
        self.thread: threading.Thread | None = None
        self.is_connected = False
        self.last_heartbeat_success = False
        self.connection_callback: Callable[[bool], None] | None = None
        self._system_info: dict[str, Any] = {}
        self._clock = clock
        self._wake = threading.Condition()
        self._next_heartbeat = self._next_request = clock()
        self._failures = 0
        self._sequence = 0
        self._opener = _opener(self.server_url)

    def set_system_info(self, system_info: Mapping[str, Any]) -> None:
        """What heartbeats tell about the machine: gpuName, cpuCores, totalRamGB, hostname."""
        self._system_info = dict(system_info)

    def set_connection_callback(self, callback: Callable[[bool], None]) -> None:
        """Has `callback` told whether the dashboard answers, on the bridge's thread, after each heartbeat."""
        self.connection_callback = callback

    def start(self) -> None:
        """Begins to deliver; the first request is a heartbeat. A second call does nothing."""
        if self.running:
            return
        self.running = True
        self._next_heartbeat = self._clock()
        self.thread = threading.Thread(target=self._run, name="web_bridge", daemon=True)
        self.thread.start()

    def enqueue(self, message: Mapping[str, Any]) -> None:
        """Takes one message of the GUI, at once and whatever it holds; nothing while the bridge does not run."""
        if not self.running:
            return
        with self._wake:
            self.internal_queue.put(dict(message))
            self._wake.notify()

    def send_heartbeat_with_system_info(self, system_info: Mapping[str, Any]) -> None:
        """Sends a heartbeat now, in the caller's thread."""
        self.set_system_info(system_info)
        self._send_heartbeat()

    def stop(self, timeout: float = 5.0) -> None:
        """Delivers what waits, for at most `timeout` seconds, and ends. A second call does nothing."""
        if not self.running:
            return
        with self._wake:
            self.running = False
            self._wake.notify()
        if self.thread is not None:
            self.thread.join(timeout)

    def step(self) -> float:
        """Makes the requests that are due, at most a heartbeat and one other; seconds until the next may be."""
        now = self._clock()
        if now >= self._next_heartbeat:
            self._next_heartbeat = now + HEARTBEAT_S
            self._send_heartbeat()
        if now >= self._next_request:
            with self._wake:
                entry = self.internal_queue.take()
            if entry is not None:
                self._deliver(entry, now)
        due = [self._next_heartbeat]
        if self.internal_queue.qsize():
            due.append(self._next_request)
        return max(0.0, min(due) - self._clock())

    def _run(self) -> None:
        while self.running:
            pause = self.step()
            with self._wake:
                if self.running and (pause > 0.0 or not self.internal_queue.qsize()):
                    # A message that comes meanwhile may still have to wait for the rate's sake.
                    self._wake.wait(pause)
        self._next_heartbeat = math.inf
        while self.internal_queue.qsize():
            self._next_request = self._clock()
            self.step()
            if self._failures:
                break

    def _deliver(self, entry: Entry, now: float) -> None:
        if entry.sequence is None and entry.kind == "log_batch":
            entry.sequence = self._sequence
            self._sequence += 1
        status = self._post_entry(entry)
        if status == 200:
            self.is_connected = True
            self._failures = 0
            self._next_request = now + self.throttle_interval
        elif status is None or status >= 500 or status in TRY_AGAIN:
            self.is_connected = False
            self._failures += 1
            with self._wake:
                self.internal_queue.put_back(entry)
            self._next_request = now + min(LONGEST_PAUSE_S, 2.0 ** min(self._failures - 1, 10))
        else:
            self._next_request = now + self.throttle_interval

    def _post_entry(self, entry: Entry) -> int | None:
        if entry.kind == "gui_screenshots":
            body, content_type = _multipart(self.machine_id, entry.message.get("screenshots") or {})
            return self._post("/api/gui-screenshots", body, content_type, SCREENSHOTS_TIMEOUT_S)
        envelope = {"machineId": self.machine_id, "message": entry.as_message(), "timestamp": time.time()}
        return self._post("/api/gui-update", _json(envelope), "application/json", REQUEST_TIMEOUT_S)

    def _send_heartbeat(self) -> None:
        body = _json({"machineId": self.machine_id, **self._system_info})
        is_success = self._post("/api/heartbeat", body, "application/json", REQUEST_TIMEOUT_S) == 200
        self.is_connected = self.last_heartbeat_success = is_success
        if self.connection_callback is not None:
            try:
                self.connection_callback(is_success)
            except Exception:  # noqa: BLE001  # the callback is the GUI's; delivery goes on without it
                self.connection_callback = None

    def _post(self, path: str, body: bytes, content_type: str, timeout: float) -> int | None:
        """The status of the answer, or None where there was none."""
        headers = {"Content-Type": content_type, **self._headers}
        request = urllib.request.Request(self.server_url + path, body, headers, method="POST")  # noqa: S310  # configured
        try:
            with self._opener.open(request, timeout=timeout) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            error.close()
            return int(error.code)
        except Exception:  # noqa: BLE001  # refused, timed out, no such host, broken answer: all the same here
            return None


class Entry:
    """What one request will carry.

    Attributes:
        kind: the message's type; `log_batch` for status lines.
        message: a message that stands alone.
        items: status lines, or texts of raw lines, that travel together.
        sequence: the number of a log batch, given when it is first sent.
    """

    def __init__(self, kind: str, message: dict[str, Any]) -> None:
        self.kind = kind
        self.message = message
        self.items: list[Any] = []
        self.sequence: int | None = None

    def as_message(self) -> dict[str, Any]:
        """The message as it goes on the wire."""
        if self.kind == "log_batch":
            return {"type": "log_batch", "logs": self.items, "sequence": self.sequence}
        if self.kind in RAW_LINES:
            return {**self.message, "message": "\n".join(self.items)}
        return self.message

    def weight(self) -> int:
        """How much it counts against the room there is."""
        return max(1, len(self.items))


class WaitingRoom:
    """The messages not yet delivered, in order, put together where the wire allows it.

    Not safe for threads by itself. A message that is neither a line nor progress (the next simulation, the end) is a
    border: nothing that comes after it is put together with what came before.

    Args:
        limit: most lines and messages; the oldest lines go first when it is reached.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._open: dict[object, Entry] = {}
        self._size = 0
        self._lost = 0

    def qsize(self) -> int:
        """How many requests wait."""
        return len(self._entries)

    def put(self, message: dict[str, Any]) -> None:
        """Takes one message of the GUI."""
        kind = str(message.get("type", ""))
        if kind == "status":
            self._join("log_batch", "log_batch", {}, message, BATCH_ITEMS)
        elif kind == "log_batch" and isinstance(message.get("logs"), (list, tuple)):
            # Put together by the caller already: numbered here with the others.
            for item in message["logs"]:
                self._join("log_batch", "log_batch", {}, item, BATCH_ITEMS)
        elif kind in RAW_LINES:
            text = str(message.get("message", ""))
            key = (kind, message.get("log_type"), message.get("stream"))
            # Lines of other kinds in between keep their place: only neighbours become one text.
            for other in [known for known in self._open if isinstance(known, tuple) and known[0] in RAW_LINES]:
                if other != key:
                    del self._open[other]
            self._join(key, kind, message, text, max(1, RAW_LINES_CHARACTERS // max(1, len(text))))
        elif kind in PROGRESS or kind == "gui_screenshots":
            self._replace((kind, message.get("name")), kind, message)
        else:
            self._open.clear()
            self._append(Entry(kind, message))
        while self._size > self._limit and self._entries:
            self._drop_oldest()

    def take(self) -> Entry | None:
        """The next entry to send, or None; what comes now goes into new ones."""
        if self._lost:
            text = f"{self._lost} lines or messages were lost while the dashboard was away"
            self._lost = 0
            item = {"type": "status", "message": text, "log_type": "warning", "timestamp": time.time()}
            notice = Entry("log_batch", {})
            notice.items.append(item)
            return notice
        if not self._entries:
            return None
        entry = self._entries.popleft()
        self._size -= entry.weight()
        self._forget(entry)
        return entry

    def put_back(self, entry: Entry) -> None:
        """Lets an entry that could not be delivered be the next again."""
        self._entries.appendleft(entry)
        self._size += entry.weight()

    def _join(self, key: object, kind: str, message: dict[str, Any], item: Any, limit: int) -> None:
        entry = self._open.get(key)
        if entry is None or len(entry.items) >= limit:
            entry = self._open[key] = Entry(kind, message)
            self._entries.append(entry)
        entry.items.append(item)
        self._size += 1

    def _replace(self, key: object, kind: str, message: dict[str, Any]) -> None:
        entry = self._open.get(key)
        if entry is None:
            entry = self._open[key] = Entry(kind, message)
            self._append(entry)
        entry.message = message

    def _append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._size += entry.weight()

    def _drop_oldest(self) -> None:
        # What a study has come to says more than any line, so lines and screenshots go first.
        index = next((i for i, entry in enumerate(self._entries) if entry.items), 0)
        entry = self._entries[index]
        del self._entries[index]
        self._size -= entry.weight()
        self._lost += entry.weight()
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        for key in [key for key, known in self._open.items() if known is entry]:
            del self._open[key]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without its body, and count as delivered."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _address(server_url: str) -> tuple[str, dict[str, str]]:
    """The base URL without credentials, and the header that carries them."""
    base = server_url.rstrip("/")
    try:
        parts = urlsplit(base)
        userinfo, has_credentials, host = parts.netloc.rpartition("@")
    except ValueError:  # no address at all: each request will say so
        return base, {}
    if not has_credentials:
        return base, {}
    user, _, password = userinfo.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}".encode()
    return parts._replace(netloc=host).geturl(), {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _opener(server_url: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
    host = urlsplit(server_url).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        handlers.append(urllib.request.ProxyHandler({}))  # no proxy can reach this machine's loopback
    return urllib.request.build_opener(*handlers)


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, default=_strange).encode()
    except ValueError:
        return json.dumps(_finite(value), default=_strange).encode()


def _strange(value: Any) -> str:
    return f"<{type(value).__name__}>"


def _finite(value: Any) -> Any:
    """The same without NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _multipart(machine_id: str, screenshots: Mapping[str, Any]) -> tuple[bytes, str]:
    """The form that GOLIAT sends: the machine, then one JPEG per tab under the tab's title with underscores."""
    boundary = uuid.uuid4().hex
    parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="machineId"\r\n\r\n{machine_id}\r\n'.encode()]
    for tab, jpeg in screenshots.items():
        name = str(tab).replace(" ", "_").replace('"', "%22").replace("\r", "").replace("\n", "")
        disposition = f'Content-Disposition: form-data; name="{name}"; filename="{name}.jpg"'
        head = f"--{boundary}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n"
        parts += [head.encode(), bytes(jpeg), b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"

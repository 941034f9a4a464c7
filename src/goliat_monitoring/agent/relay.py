"""The dashboard as GOLIAT sees it: an HTTP server on this machine's loopback, at the same address in every life.

Each run has a base path, `/r/<run id>`, and a token. GOLIAT waits for nobody: the answer comes once the outbox has it.
"""

import hmac
import http.server
import logging
import socketserver
import sys
import threading
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from goliat_monitoring.agent.intake import Answer, Intake, Request
from goliat_monitoring.agent.statedir import read_json, write_json

log = logging.getLogger(__name__)
HOOK_ID = "X-Goliat-Hook-Id"
IDLE_S = 60.0
CLOSE_S = 5.0
# What is left of a body that nobody wants is read away up to here, so that the sender gets to see the answer.
MAX_DISCARD = 64 * 1024 * 1024


class Relay:
    """Listens from its making until `close`. Runs come and go."""

    def __init__(self, folder: Path) -> None:
        """The port is kept in `folder`: a GOLIAT that outlived its agent goes on speaking to it.

        Raises OSError when the kept port is taken by somebody else although a run still needs it.
        """
        self._runs: dict[str, tuple[Intake, str]] = {}
        relay = self

        class Handler(_Handler):
            find = relay._runs.get

        kept = read_json(folder / "relay.json")
        port = kept.get("port", 0) if isinstance(kept, dict) else 0
        try:
            self._server = _Server(port if isinstance(port, int) else 0, Handler)
        except (OSError, OverflowError) as error:
            log.warning("port %s of the relay is taken (%s); using another", port, error)
            self._server = _Server(0, Handler)
        self.port = int(self._server.server_address[1])
        write_json(folder / "relay.json", {"port": self.port})
        self._thread: threading.Thread | None = None
        self._closed = False

    def address(self, run_id: str) -> str:
        """Base URL for the GOLIAT of a run."""
        return f"http://127.0.0.1:{self.port}/r/{run_id}"

    def open(self, run_id: str, token: str, intake: Intake) -> None:
        """Take requests for a run. Nobody listens before the first: a GOLIAT that comes too early must spool."""
        self._runs[run_id] = (intake, token)
        if self._thread is None and not self._closed:
            self._server.server_activate()
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="relay", daemon=True)
            self._thread.start()

    def shut(self, run_id: str) -> None:
        """Take no more requests for a run."""
        self._runs.pop(run_id, None)

    def close(self) -> None:
        """Stop listening, and finish what was begun. What was answered is kept."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.wait_idle(CLOSE_S)


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    # A backlog for bursts: GOLIAT opens a new connection for each of 50 messages a second.
    request_queue_size = 256
    # On Windows this option would let a second program share the port.
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, port: int, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler, bind_and_activate=False)
        self._busy = 0
        self._idle = threading.Condition()
        try:
            self.server_bind()
        except BaseException:
            self.server_close()
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._idle:
            self._busy += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_idle(self, timeout: float) -> None:
        """Until all connections that were accepted are over, at most `timeout` seconds."""
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0, timeout)

    def server_bind(self) -> None:
        # HTTPServer looks up its own host name here, which may take seconds without a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        log.debug("a request ended early: %r", sys.exception())


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    find: Callable[[str], tuple[Intake, str] | None]
    # One segment for head and body: with two, delayed acknowledgements cost 40 ms a message.
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        log.debug(format, *args)

    def _serve(self) -> None:
        self._left = 0
        self._reply(self._answered())

    def _answered(self) -> Answer:
        try:
            return self._answer()
        except (ConnectionError, TimeoutError):
            raise
        except Exception as error:
            log.exception("a request failed")
            return self._refuse(500, f"The relay failed: {type(error).__name__}.")

    def _answer(self) -> Answer:
        # A browser page on this machine must not be able to speak here.
        host = (self.headers.get("Host") or "").rpartition(":")[0]
        if host not in ("127.0.0.1", "localhost", ""):
            return self._refuse(403, "The relay serves this machine only.")
        if self.headers.get("Transfer-Encoding"):
            return self._refuse(411, "The relay needs a Content-Length.")
        try:
            length = int(self.headers.get("Content-Length") or "0")
            if length < 0:
                raise ValueError
        except ValueError:
            return self._refuse(400, "The Content-Length is no number.")
        self._left = length
        url = urlsplit(self.path)
        prefix, _, rest = url.path.removeprefix("/r/").partition("/")
        known = self.find(unquote(prefix)) if url.path.startswith("/r/") else None
        if known is None:
            return self._refuse(404, "The relay knows no such run.")
        intake, token = known
        if not hmac.compare_digest(self._token().encode(), token.encode()):
            return self._refuse(401, "The relay needs its token.")
        request = Request(
            method=self.command,
            path="/" + rest,
            query=url.query,
            content_type=self.headers.get("Content-Type") or "",
            length=length,
            read=self._read,
            request_id=(self.headers.get(HOOK_ID) or "")[:200],
        )
        return intake.take(request)

    def _read(self, size: int) -> bytes:
        data = self.rfile.read(min(size, self._left))
        self._left -= len(data)
        return data

    def _refuse(self, status: int, error: str) -> Answer:
        return Answer(status, b'{"error": "' + error.encode() + b'"}')

    def _token(self) -> str:
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "bearer":
            return value.strip()
        if kind.lower() == "basic":
            try:
                return b64decode(value, validate=True).decode().partition(":")[2]
            except ValueError:
                return ""
        return ""

    def _reply(self, answer: Answer) -> None:
        discarded = 0
        while self._left and discarded < MAX_DISCARD:
            data = self._read(65536)
            if not data:
                break
            discarded += len(data)
        if self._left:
            self.close_connection = True
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
        self.wfile.flush()

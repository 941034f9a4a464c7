"""A small server that writes down what GOLIAT says to it, and answers as a dashboard would."""

import email.parser
import email.policy
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

SUPER_STUDY_ID = "study-1"


class Request(NamedTuple):
    """One request as it arrived.

    Attributes:
        method: GET or POST.
        path: with the prefix, without the query.
        headers: names in lower case.
        body: as sent.
        at: unix time in seconds.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def parts(self) -> list[tuple[str, str | None, bytes]]:
        """The parts of a multipart body: field name, file name, content."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + self.body)
        return [
            (str(part.get_param("name", header="content-disposition")), part.get_filename(), _content(part))
            for part in message.iter_parts()
        ]


def _content(part: Any) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


class Recorder:
    """The server; a context manager, listening on a free port of loopback while it lasts.

    Args:
        assignments: what `GET .../assignments` tells, so that `goliat worker` finds one.
        port: a certain port, to come back where another recorder was.

    Attributes:
        requests: all that arrived, in order.
        refusals: statuses with which the next requests are answered instead of 200.
    """

    def __init__(self, assignments: list[dict[str, Any]] | None = None, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.assignments = assignments or []
        self.refusals: list[int] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops answering; a second call does nothing."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    @property
    def url(self) -> str:
        """The server's own URL, without a prefix."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def at(self, ending: str) -> list[Request]:
        """The requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(ending)]

    def messages(self) -> list[dict[str, Any]]:
        """The messages of all gui-updates, in order of arrival."""
        return [request.json()["message"] for request in self.at("/api/gui-update")]

    def log_lines(self) -> list[str]:
        """The text of all log items, in order of arrival."""
        return [item["message"] for message in self.messages() for item in message.get("logs", ())]

    def answer(self, request: Request) -> Any:
        """What a request is answered with, as JSON."""
        study = {"id": SUPER_STUDY_ID, "name": "study", "totalAssignments": 4, "completedAssignments": 0}
        if request.path.endswith("/api/super-studies"):
            return study if request.method == "POST" else [study]
        return self.assignments if request.path.endswith("/assignments") else {"success": True}


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _record(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path.partition("?")[0], headers, body, time.time())
            recorder.requests.append(request)
            answer = json.dumps(recorder.answer(request)).encode()
            self.send_response(recorder.refusals.pop(0) if recorder.refusals else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_CONNECT = _record  # noqa: N815  # the names that http.server calls

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its signature
            pass

    return Handler

"""A proxy as some companies have: it lets short calls through and refuses those that are held open."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

HOP = frozenset({"connection", "transfer-encoding", "content-length", "host", "keep-alive"})


class DeafProxy:
    """In front of the server at `target`. `refused` counts the calls for orders that it did not let through."""

    def __init__(self, target: str) -> None:
        self.refused = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path.endswith("/orders"):
                    outer.refused += 1
                    self._answer(504, b"", {})
                    return
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
                got = outer._client.request(self.command, self.path, content=body, headers=headers)
                self._answer(got.status_code, got.content, dict(got.headers))

            do_GET = do_POST = do_PUT = _pass  # noqa: N815 - the names of the base class

            def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in HOP | {"content-encoding", "date", "server"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silent."""

        self._client = httpx.Client(base_url=target, timeout=60, trust_env=False)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

"""The least work that answers wrk at all: accept, read, write, close, one connection after the other, no HTTP library.

`python -m bench.ceiling PORT`. What wrk reaches here is the load generator's own ceiling, as far as it can be seen.
"""

import contextlib
import socket
import sys

BODY = b'{"success":true}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)
    + BODY
)
LENGTH = b"Content-Length: "


def serve(port: int) -> None:
    """Answer until the process is ended."""
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(ConnectionError):
                _answer(connection)


def _answer(connection: socket.socket) -> None:
    """Read one request to its end and answer it."""
    got = connection.recv(65536)
    head, found, body = got.partition(b"\r\n\r\n")
    if found:
        length = int(head[head.index(LENGTH) + len(LENGTH) :].split(b"\r\n", 1)[0])
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                return
            body += piece
        connection.sendall(ANSWER)


if __name__ == "__main__":
    serve(int(sys.argv[1]))

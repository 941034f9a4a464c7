"""One request as GOLIAT makes it: a new connection each time, 200 is the only success, nothing is repeated."""

import base64
import http.client
import itertools
import json
import os
import secrets
import ssl
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from goliat_monitoring.simulator.surroundings import Surroundings

# (field name, file name or None for a text field, content type or "", content)
Part = tuple[str, str | None, str, bytes]
ID_HEADER = "X-Goliat-Hook-Id"
_numbers = itertools.count()
_started = time.time_ns()


def post_json(to: Surroundings, path: str, body: object, timeout: float) -> bool:
    """Send a JSON body; whether it arrived."""
    return post(to, path, "application/json", json.dumps(body, allow_nan=False).encode(), timeout)


def post_parts(to: Surroundings, path: str, parts: Iterable[Part]) -> bool:
    """Send multipart/form-data with the parts in this order; whether it arrived."""
    boundary = secrets.token_hex(16)
    pieces: list[bytes] = []
    for name, filename, content_type, content in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        head += f'; filename="{filename}"' if filename is not None else ""
        head += f"\r\nContent-Type: {content_type}" if content_type else ""
        pieces += [head.encode(), b"\r\n\r\n", content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return post(to, path, f"multipart/form-data; boundary={boundary}", b"".join(pieces), 30)


def post(to: Surroundings, path: str, content_type: str, body: bytes, timeout: float) -> bool:
    """Send one request. While the relay is away it is spooled, if there is a spool; otherwise it is lost."""
    if not to.relay:
        return False
    base = urlsplit(to.relay)
    host, port = base.hostname or "", base.port
    connection: http.client.HTTPConnection
    if base.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    # By the id the relay drops a spooled request that it had taken after all.
    request_id = f"{_started:x}-{os.getpid()}-{next(_numbers)}"
    headers = _headers(to, content_type) | {ID_HEADER: request_id}
    try:
        connection.request("POST", base.path.rstrip("/") + path, body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return to.spool is not None and _spool(to.spool, path, content_type, body, request_id)
    else:
        return answer.status == 200
    finally:
        connection.close()


def _headers(to: Surroundings, content_type: str) -> dict[str, str]:
    headers = {"Content-Type": content_type, "User-Agent": "goliat-monitoring-simulator", "Accept": "*/*"}
    base = urlsplit(to.relay)
    if to.token:
        headers["Authorization"] = f"Bearer {to.token}"
    elif base.username or base.password:
        pair = f"{unquote(base.username or '')}:{unquote(base.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def _spool(folder: Path, path: str, content_type: str, body: bytes, request_id: str) -> bool:
    """One file a request, named so that names sort by time; renamed into place so that none is seen half."""
    now = time.time_ns()
    head = {"method": "POST", "path": path, "headers": {"content-type": content_type}, "time": now / 1e9}
    name = f"{now:020d}-{os.getpid()}-{next(_numbers)}.req"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{name}.part"
        part.write_bytes(json.dumps({**head, "id": request_id}).encode() + b"\n" + body)
        part.replace(folder / name)
    except OSError:
        return False
    return True

"""Takes what the hook kept on disk while the relay was away, in the order in which it was written.

A file's name appears only when it is complete: `<unix ns>-<pid>-<counter>.req`, a line of JSON, then the raw body.
"""

import logging
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from goliat_monitoring.agent.intake import Intake, Request
from goliat_monitoring.wire.clock import sender_micros

log = logging.getLogger(__name__)
MAX_HEAD = 64 * 1024


class _Head(msgspec.Struct):
    method: str
    path: str
    headers: dict[str, str] = {}
    time: float = 0.0
    id: str = ""


def take_spool(folder: Path, intake: Intake) -> int:
    """Hand every request in `folder` to `intake`, and delete what it took; how many those were.

    What it refuses for good is put aside as `*.bad`; what it cannot keep now stays for the next time.
    """
    taken = 0
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".req")
    except OSError:
        return 0
    for file in files:
        try:
            status = _take(file, intake)
            if status == 507:
                return taken
            if status == 200:
                file.unlink()
                taken += 1
            else:
                log.warning("spooled request %s is refused with %s", file.name, status)
                file.replace(file.with_suffix(".bad"))
        except FileNotFoundError:
            # The hook replaced it by a newer one of its kind.
            continue
        except OSError as error:
            log.warning("spooled request %s cannot be read yet: %s", file.name, error)
    return taken


def _take(file: Path, intake: Intake) -> int:
    with file.open("rb") as stream:
        line = stream.readline(MAX_HEAD)
        try:
            head = msgspec.json.decode(line, type=_Head)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return 400
        headers = {name.lower(): value for name, value in head.headers.items()}
        url = urlsplit(head.path)
        path = url.path
        if path.startswith("/r/"):
            path = "/" + path.removeprefix("/r/").partition("/")[2]
        request = Request(
            method=head.method,
            path=path,
            query=url.query,
            content_type=headers.get("content-type", ""),
            length=file.stat().st_size - len(line),
            read=stream.read,
            # A request that the relay had taken but not answered was spooled, too: by the id it is known. Without an
            # id, the file's own name guards against the agent's death between taking it and deleting it.
            request_id=head.id or file.name,
            at=sender_micros(head.time),
        )
        return intake.take(request).status

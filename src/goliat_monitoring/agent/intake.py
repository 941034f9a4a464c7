"""What GOLIAT's requests mean for a run, whether they came over the relay or from the spool.

Everything in them is hostile text. An answer is 200 only when what was sent is on disk.
"""

import errno
import logging
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from goliat_monitoring.agent import drafts
from goliat_monitoring.agent.api import Server, Unreachable
from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.multipart_body import BadBody, Part, events
from goliat_monitoring.agent.outbox import Outbox, OutboxFull
from goliat_monitoring.agent.screenshots import Screenshots
from goliat_monitoring.agent.settings import Limits
from goliat_monitoring.agent.statedir import sync_folder
from goliat_monitoring.agent.uploads import Uploads
from goliat_monitoring.study.paths import PathProblem, clean_file_name, clean_relative_path
from goliat_monitoring.wire.clock import sender_micros
from goliat_monitoring.wire.decode import decode
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)
MAX_FIELD = 64 * 1024


class Request(NamedTuple):
    """One of GOLIAT's requests. `path` is below the relay's base, `/api/...`. `read(n)`: up to n bytes of the body.

    `request_id`: the hook's, empty without one. `at`: when it was sent, UTC microseconds, if known.
    """

    method: str
    path: str
    query: str
    content_type: str
    length: int
    read: Callable[[int], bytes]
    request_id: str = ""
    at: int | None = None

    def body(self, limit: int) -> bytes:
        """All of it. Raises Refused when it is too large or ends early."""
        if self.length > limit:
            raise Refused(413, "The body is too large.", f"{self.length} bytes; at most {limit} are taken.")
        pieces = []
        left = self.length
        while left:
            piece = self.read(min(left, 1024 * 1024))
            if not piece:
                raise Refused(400, "The body ended early.", f"{left} of {self.length} bytes are missing.")
            left -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)


class Answer(NamedTuple):
    """Status and JSON body."""

    status: int
    body: bytes


_anything = msgspec.json.Decoder()
OK = Answer(200, b'{"ok": true}')


class Intake:
    """Takes what GOLIAT sends for one run. Safe to use from several threads."""

    def __init__(
        self,
        *,
        assignment_id: str,
        folder: Path,
        outbox: Outbox,
        uploads: Uploads,
        screenshots: Screenshots,
        server: Server,
        limits: Limits,
        heard: Callable[[dict[str, Any]], None],
        drop_screenshots: Callable[[], bool],
    ) -> None:
        """`folder`: for files that GOLIAT uploads. `heard` is told each message, after it is kept."""
        self._assignment_id = assignment_id
        self._folder = folder
        self._outbox = outbox
        self._uploads = uploads
        self._screenshots = screenshots
        self._server = server
        self._limits = limits
        self._heard = heard
        self._drop_screenshots = drop_screenshots

    def take(self, request: Request) -> Answer:
        """The answer for GOLIAT. Never raises for what the request holds; socket errors pass through."""
        try:
            return self._take(request)
        except Refused as refused:
            return Answer(refused.status, msgspec.json.encode(refused.body()))
        except BadBody as bad:
            return _error(400, "The body cannot be read.", str(bad))
        except (OutboxFull, sqlite3.Error) as full:
            return _error(507, "The agent's disk takes no more.", str(full))

    def _take(self, request: Request) -> Answer:
        path = request.path.rstrip("/")
        post = request.method == "POST"
        if path == "/api/gui-update" and post:
            return self._message(request)
        if path == "/api/heartbeat" and post:
            # The agent's own heartbeat says more; GOLIAT only wants to know that somebody listens.
            request.body(self._limits.message)
            return OK
        if path == "/api/gui-screenshots" and post:
            return self._pictures(request)
        parts = path.split("/")
        if post and len(parts) == 5 and parts[1:3] == ["api", "assignments"] and parts[4] == "results":
            return self._results(request, parts[3])
        if len(parts) > 2 and parts[1] == "api" and parts[2] in ("super-studies", "assignments"):
            return self._forward(request)
        return _error(404, "The agent's relay does not know this path.", f"{request.method} {request.path}")

    def _message(self, request: Request) -> Answer:
        body = request.body(self._limits.message)
        try:
            envelope: Any = decode(body, _anything)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise Refused(400, "The body is no JSON.", str(error)) from error
        message = envelope.get("message") if isinstance(envelope, dict) else None
        if not isinstance(message, dict):
            raise Refused(400, "The body must be an object with an object `message`.")
        sent_at = sender_micros(envelope.get("timestamp")) or request.at or now_micros()
        try:
            items = list(drafts.of_message(message, sent_at))
        except (ValueError, RecursionError) as error:
            raise Refused(400, "The message cannot be passed on as JSON.", str(error)) from error
        self._outbox.put(items, request.request_id)
        self._heard(message)
        return OK

    def _pictures(self, request: Request) -> Answer:
        tab = ""
        picture = bytearray()
        for event in events(request.read, request.length, request.content_type):
            if isinstance(event, Part):
                tab = event.name if event.filename is not None else ""
                picture = bytearray()
            elif event is None:
                if tab and picture and not self._drop_screenshots():
                    self._screenshots.put(tab[:200], bytes(picture))
            else:
                picture += event
                if len(picture) > self._limits.screenshot:
                    raise Refused(413, "A screenshot is too large.", f"At most {self._limits.screenshot} bytes.")
        return OK

    def _results(self, request: Request, assignment_id: str) -> Answer:
        if assignment_id != self._assignment_id:
            raise Refused(409, "These results are for another assignment.", f"This run is for {self._assignment_id}.")
        folder = self._folder / secrets.token_hex(8)
        try:
            folder.mkdir(parents=True)
            relative, files = self._save(request, folder)
            sync_folder(folder)
            for name, file in files.items():
                if not self._uploads.add(relative, name, file, received=True):
                    file.unlink()
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                # The files still lie in GOLIAT's results folder, from where the agent takes them.
                raise OutboxFull(str(error)) from error
            raise
        except (BadBody, Refused):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._heard({"type": "results", "relative_path": relative})
        return OK

    def _save(self, request: Request, folder: Path) -> tuple[str, dict[str, Path]]:
        """(relative path, file name -> copy on disk) of an upload of results."""
        relative: str | None = None
        files: dict[str, Path] = {}
        part: Part | None = None
        field = bytearray()
        out = None
        try:
            for event in events(request.read, request.length, request.content_type):
                if isinstance(event, Part):
                    part, field = event, bytearray()
                    if event.filename is not None:
                        name = _checked(clean_file_name, event.filename)
                        files[name] = folder / str(len(files))
                        out = files[name].open("wb")
                elif event is None:
                    if out is not None:
                        out.flush()
                        os.fsync(out.fileno())
                        out.close()
                        out = None
                    elif part is not None and part.name == "relativePath":
                        relative = _checked(clean_relative_path, field.decode(errors="replace"))
                elif out is not None:
                    out.write(event)
                elif len(field) + len(event) > MAX_FIELD:
                    raise BadBody("a text field is too long")
                else:
                    field += event
        finally:
            if out is not None:
                out.close()
        if relative is None:
            raise BadBody("the field relativePath is missing")
        return relative, files

    def _forward(self, request: Request) -> Answer:
        """GOLIAT's command line, run by hand or by `goliat worker`, speaks to the server itself."""
        body = request.body(self._limits.message)
        try:
            status, answer = self._server.forward(
                request.method, request.path, request.query, request.content_type, body
            )
        except Unreachable as error:
            return _error(502, "The server cannot be reached.", str(error))
        return Answer(status, answer)


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except PathProblem as problem:
        raise Refused(400, "A path or name is refused.", str(problem)) from problem


def _error(status: int, error: str, details: str) -> Answer:
    return Answer(status, msgspec.json.encode({"error": error, "details": details}))

"""Sends GOLIAT's dashboard traffic to the relay: every request of the process passes here, and nearly all just pass.

All versions of GOLIAT speak through `requests`, to a host that is written in their code, from the GUI process, the
study's process and the command line. Looking at each request as it is sent covers all three.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import time
from types import ModuleType
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from .notes import note
from .settings import Settings
from .spool import Spool

DASHBOARD_HOSTS = ("monitor.goliat.waves-ugent.be", "goliat-monitoring.vercel.app")
ADDRESS_SERVICE = "api.ipify.org"
ID_HEADER = "X-Goliat-Hook-Id"
CONNECT_S = 2.0
# Windows takes 2 s to refuse a connection on loopback; a relay that is away must not slow GOLIAT's three sending
# threads.
CONNECT_WHILE_AWAY_S = 0.25


def redirect_sessions(module: ModuleType, settings: Settings) -> None:
    """Wraps `requests.Session.send`."""
    sessions: Any = module
    gate = _Gate(settings)
    original = sessions.Session.send

    @functools.wraps(original)
    def send(session: Any, request: Any, **options: Any) -> Any:
        return gate.send(functools.partial(original, session), request, options)

    sessions.Session.send = send


def redirect_bridge(module: ModuleType, settings: Settings) -> None:
    """Tells the bridge where it really speaks to, so that GOLIAT's own log says so."""
    manager: Any = module.WebBridgeManager
    original = manager.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        self.server_url = settings.relay
        self.machine_id = settings.machine_id or self.machine_id

    manager.__init__ = init


class _Gate:
    """Decides for each request: pass, rewrite, answer here, or keep for later."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = settings.base
        self._response = importlib.import_module("requests.models").Response
        errors = importlib.import_module("requests.exceptions")
        # Also a timeout: GOLIAT never repeats, and the id in the header lets the relay drop what it has after all.
        self._errors = (errors.ConnectionError, errors.Timeout)
        self._spool = Spool(settings.spool) if settings.spool else None
        self._counter = itertools.count()
        self._started_ns = time.time_ns()
        self._is_away = False

    def send(self, forward: Any, request: Any, options: dict[str, Any]) -> Any:
        """What `Session.send` does, for this request."""
        try:
            url = urlsplit(request.url)
            if url.hostname == ADDRESS_SERVICE and self._settings.machine_id:
                return self._answer(request, self._settings.machine_id.encode())
            if url.hostname in DASHBOARD_HOSTS:
                url = self._rewrite(request, url, options)
            is_ours = self._is_below_base(url)
        except Exception as error:  # noqa: BLE001  # whatever it is, it is not for us to stop it
            note(f"could not look at a request: {error!r}")
            return forward(request, **options)
        if not is_ours:
            return forward(request, **options)
        return self._send_to_relay(forward, request, url, options)

    def _send_to_relay(self, forward: Any, request: Any, url: SplitResult, options: dict[str, Any]) -> Any:
        if self._settings.token:
            request.headers["Authorization"] = "Bearer " + self._settings.token
        # A relay that dies between taking a request and answering it gets it twice: by this it can tell.
        request_id = f"{self._started_ns:x}-{os.getpid()}-{next(self._counter)}"
        request.headers[ID_HEADER] = request_id
        if self._settings.is_loopback:
            options["proxies"] = {}  # a proxy cannot reach this machine's loopback, whatever the environment says
            options["timeout"] = self._timeout(options.get("timeout"))
        try:
            response = forward(request, **options)
        except self._errors as error:
            self._is_away = True
            answer = self._keep(request, url, request_id)
            if answer is None:
                raise
            note(f"kept {url.path}: {error!r}")
            return answer
        self._is_away = False
        return response

    def _keep(self, request: Any, url: SplitResult, request_id: str) -> Any:
        path = url.path[len(self._base.path) :]
        if self._spool is None or not self._spool.takes(request.method, path):
            return None
        body = request.body if request.body is not None else b""
        body = body.encode() if isinstance(body, str) else body
        if not isinstance(body, bytes):  # a stream that has been read; GOLIAT sends none
            return None
        try:
            self._spool.keep(request.method, path, request.headers.get("Content-Type"), body, request_id)
        except OSError as error:
            note(f"could not keep {path}: {error!r}")
            return None
        return self._answer(request, b'{"spooled": true}')

    def _rewrite(self, request: Any, url: SplitResult, options: dict[str, Any]) -> SplitResult:
        new = url._replace(scheme=self._base.scheme, netloc=self._base.netloc, path=self._base.path + url.path)
        request.url = urlunsplit(new)
        # Both were chosen for the host that was left behind: its credentials are none of this one's business.
        request.headers.pop("Authorization", None)
        request.headers.pop("Host", None)
        if not self._settings.is_loopback and options.get("proxies"):
            options["proxies"] = importlib.import_module("requests.utils").get_environ_proxies(request.url)
        return new

    def _is_below_base(self, url: SplitResult) -> bool:
        same_host = (url.scheme, url.netloc) == (self._base.scheme, self._base.netloc)
        return same_host and url.path.startswith(self._base.path + "/")

    def _timeout(self, asked: Any) -> Any:
        read = asked[1] if isinstance(asked, tuple) else asked
        return (CONNECT_WHILE_AWAY_S if self._is_away else CONNECT_S, read)

    def _answer(self, request: Any, body: bytes) -> Any:
        response = self._response()
        response.status_code = 200
        response.reason = "OK"
        response.encoding = "utf-8"
        response.url = request.url
        response.request = request
        response._content = body  # noqa: SLF001  # requests has no other way to make a response
        return response

"""The server's calls, as plain functions: one request each, one kind of answer, two kinds of failure.

`Unreachable` is worth another try; `Refused` is the server's word and stays so.
"""

import contextlib
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.errors import Refused

T = TypeVar("T")
PREFIX = f"/api/agent/v{wire.API_VERSION}/"
# Answers that a later try may turn into a success. 408 and 425 come from proxies.
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


class Unreachable(Exception):
    """No usable answer: try again later. `retry_after`: seconds the server asked to wait, if it did."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


def is_fenced(refused: Refused) -> bool:
    """Whether the server says that the run is no longer this agent's."""
    return refused.status == 409 and refused.extra.get("fenced") is True


class Server:
    """The server as one agent sees it. Safe to use from several threads."""

    def __init__(self, url: str, stall_s: float) -> None:
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            # Of each step, not of the whole: a slow upload that moves is not broken.
            timeout=httpx.Timeout(stall_s, connect=10.0),
            limits=httpx.Limits(max_connections=16, keepalive_expiry=30.0),
            # A redirected POST arrives as a GET without its body.
            follow_redirects=False,
        )
        self.url = url
        self.credential: str | None = None

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def enrol(self, enrol: wire.Enrol, token: str | None) -> wire.Enrolled:
        """Become a worker. `token`: as the person who set up the agent was given, or none on an open server."""
        return self._json("POST", "enrol", enrol, wire.Enrolled, credential=token)

    def open_session(self, opening: wire.OpenSession) -> wire.SessionOpened:
        """Begin this life of the agent."""
        return self._json("POST", "session", opening, wire.SessionOpened)

    def end_session(self, session_id: str) -> wire.Accepted:
        """This life of the agent is over, and nothing of it is left to be done."""
        return self._json("POST", "session/end", wire.EndSession(session_id), wire.Accepted)

    def beat(self, beat: wire.Beat, fence: str | None) -> wire.BeatReply:
        """Heartbeat; renews the lease of the run whose fence is given."""
        return self._json("POST", "heartbeat", beat, wire.BeatReply, fence=fence)

    def listen(self, listen: wire.Listen, fence: str | None) -> wire.Orders:
        """What is asked of the agent and its run; may be held open for `listen.wait_s`."""
        return self._json("POST", "orders", listen, wire.Orders, fence=fence, extra_wait=listen.wait_s)

    def claim(self, claim: wire.Claim) -> wire.Claimed:
        """Ask for work; may be held open for `claim.wait_s`."""
        return self._json("POST", "claim", claim, wire.Claimed, extra_wait=claim.wait_s)

    def batch(self, run_id: str, fence: str, body: bytes) -> wire.Accepted:
        """Deliver an encoded `Batch`."""
        return self._json("POST", f"runs/{quote(run_id, safe='')}/batch", body, wire.Accepted, fence=fence)

    def artifact(
        self,
        run_id: str,
        fence: str,
        *,
        path: str,
        name: str,
        sha256: str,
        cached: bool,
        body: Iterable[bytes],
        size: int,
    ) -> wire.Stored:
        """Deliver one result file of `size` bytes."""
        return self._json(
            "PUT",
            f"runs/{quote(run_id, safe='')}/artifacts",
            body,
            wire.Stored,
            fence=fence,
            params={"path": path, "name": name, "sha256": sha256, "cached": "true" if cached else "false"},
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(size)},
        )

    def screenshot(self, run_id: str, fence: str, *, tab: str, at: int, body: bytes) -> wire.Accepted:
        """Deliver the newest picture of a tab. `at`: UTC microseconds."""
        return self._json(
            "PUT",
            f"runs/{quote(run_id, safe='')}/screenshots",
            body,
            wire.Accepted,
            fence=fence,
            params={"tab": tab, "at": str(at)},
            headers={"Content-Type": "image/jpeg"},
        )

    def end(self, run_id: str, fence: str, end: wire.End) -> wire.Ended:
        """Report how the process ended; the server's judgement."""
        return self._json("POST", f"runs/{quote(run_id, safe='')}/end", end, wire.Ended, fence=fence)

    def forward(self, method: str, path: str, query: str, content_type: str, body: bytes) -> tuple[int, bytes]:
        """One of GOLIAT's own calls to the dashboard, passed on: status and body.

        Without this agent's credential, which is for its runs alone: an open server answers, another says what is
        missing.
        """
        target = str(PurePosixPath(path)) + (f"?{query}" if query else "")
        headers = {"Content-Type": content_type} if content_type else {}
        response = self._send(method, target, body, headers, credential="")
        return response.status_code, response.content

    def _json(
        self,
        method: str,
        path: str,
        body: object,
        answer: type[T],
        *,
        credential: str | None = None,
        fence: str | None = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        extra_wait: float = 0,
    ) -> T:
        headers = dict(headers or {})
        content: Any = body
        if isinstance(body, (msgspec.Struct, bytes)):
            headers.setdefault("Content-Type", "application/json")
            content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        if fence:
            headers[wire.FENCE_HEADER] = fence
        response = self._send(method, PREFIX + path, content, headers, credential, params, extra_wait)
        if response.status_code != 200:
            raise _refusal(response)
        try:
            return msgspec.json.decode(response.content, type=answer)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            # A captive portal or a proxy's page answers 200, too.
            raise Unreachable(f"{self.url} answered something else than this server would: {error}") from error

    def _send(
        self,
        method: str,
        path: str,
        content: Any,
        headers: dict[str, str],
        credential: str | None = None,
        params: dict[str, str] | None = None,
        extra_wait: float = 0,
    ) -> httpx.Response:
        if secret := self.credential if credential is None else credential:
            headers["Authorization"] = f"Bearer {secret}"
        timeout: Any = httpx.USE_CLIENT_DEFAULT
        if extra_wait:
            timeout = httpx.Timeout(extra_wait + 30.0, connect=10.0)
        try:
            response = self._client.request(
                method, path, content=content, headers=headers, params=params, timeout=timeout
            )
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error
        if response.status_code in TRY_AGAIN or response.status_code < 200:
            raise Unreachable(f"{self.url} answered {response.status_code}", _retry_after(response))
        if 300 <= response.status_code < 400:
            target = response.headers.get("location", "elsewhere")
            raise Unreachable(f"{self.url} redirects to {target}; give the agent that address")
        return response


def _refusal(response: httpx.Response) -> Refused:
    body: Any = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        body = msgspec.json.decode(response.content)
    if not isinstance(body, dict) or not isinstance(body.get("error"), str):
        return Refused(response.status_code, f"the server answered {response.status_code}", response.text[:500])
    extra = {str(key): value for key, value in body.items() if key not in ("error", "details")}
    return Refused(response.status_code, body["error"], str(body.get("details", "")), extra)


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return min(max(float(response.headers["retry-after"]), 0.0), 300.0)
    except (KeyError, ValueError):
        return None

"""Who calls, and whether this address may be called like this.

Without an admin token the server listens on loopback only and is open to that machine; then only the `Host` and
`Origin` headers tell its own pages from a foreign one that a browser was lured to. With a token every call needs one:
`Authorization: Bearer`, or Basic with the token as password, which is what a URL with credentials becomes.
"""

import base64
import binascii
import hmac
from contextlib import suppress
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from goliat_monitoring.server.body import Headers, RequestHeaders
from goliat_monitoring.server.callers import Callers
from goliat_monitoring.server.services import Services
from goliat_monitoring.server.settings import is_loopback
from goliat_monitoring.store import credentials
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The one GET that changes something.
CLAIMING_PATH = "/api/assignment"
AGENT_PATHS = "/api/agent/"
ENROL_PATH = "/api/agent/v1/enrol"
# Changes here are an admin's.
ADMIN_PATHS = ("/api/tokens", "/api/settings")
# Questions whose body is too long for an address.
ASKING_PATHS = frozenset({"/api/super-studies/preview", "/fragments/studies/new"})
# How exactly the last use of a token is kept, microseconds.
NOTE_EVERY = 300 * SECOND
# Headers by which a call is more than that of a program on this machine.
TELLING = frozenset({b"authorization", b"origin", b"sec-fetch-site"})
# Ways to write its own name that a server remembers.
MOST_HOSTS = 100
# They tell nothing but that a server is here, and what watches it has no token.
OPEN_PATHS = frozenset({"/healthz", "/readyz"})


class Principal(msgspec.Struct, frozen=True):
    """Who calls. `id`: what the event log names. `worker_id` for agents; `credential_id` for an enrolment token.
    `role`: what a person may do, one of `store.credentials.ROLES`.
    """

    kind: Literal["person", "agent", "enrolment"]
    id: str
    worker_id: str = ""
    credential_id: str = ""
    role: str = "admin"


_LOCAL = Principal("person", "local")


class Gate:
    """Decides over each request before anything else sees it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        settings = services.settings
        self._token = settings.admin_token.encode()
        self._hosts = {"localhost", "127.0.0.1", "::1", settings.host.strip("[]").lower()}
        self._hosts.update(host.strip("[]").lower() for host in settings.trusted_hosts)
        self._check_hosts = "*" not in self._hosts and (settings.open_to_this_machine or bool(settings.trusted_hosts))
        self._origins = frozenset(origin.rstrip("/").lower() for origin in settings.cors_origins)
        # `Host` headers that were found to be this server's.
        self._known_hosts: set[str] = set()
        self._callers = Callers(services)

    def allows_origin(self, origin: str) -> bool:
        """Whether pages of `origin` may read the API."""
        return origin.lower() in self._origins

    def admit_at_once(self, path: str, headers: RequestHeaders) -> Principal | None:
        """What `admit` says of a call in which nothing has to be looked up; None where it has to be asked."""
        if self._token or path.startswith(AGENT_PATHS) or not headers.lacks(TELLING):
            return None
        return _LOCAL if headers.get("host", "") in self._known_hosts else None

    async def admit(self, method: str, path: str, headers: Headers) -> Principal:
        """The caller. Raises `Refused` 401 or 403. `headers` with names in lower case."""
        self._check_host(headers.get("host", ""))
        path = path.rstrip("/")
        if method not in SAFE_METHODS or path == CLAIMING_PATH:
            self._check_origin(headers)
        if path in OPEN_PATHS:
            return Principal("person", "anyone")
        authorization = headers.get("authorization", "")
        caller = await self._caller(authorization) if authorization or self._token else _LOCAL
        if caller.kind == "agent" and not path.startswith(AGENT_PATHS):
            raise Refused(403, "an agent's credential is not valid here", f"it is for {AGENT_PATHS} only")
        if caller.kind != "agent" and path.startswith(AGENT_PATHS) and path != ENROL_PATH:
            raise Refused(401, "an agent's credential is needed", f"enrol first: POST {ENROL_PATH}")
        if caller.kind == "enrolment" and path != ENROL_PATH:
            raise Refused(403, "an enrolment token is not valid here", f"it is for POST {ENROL_PATH} only")
        if caller.kind == "person":
            _check_role(caller.role, method, path)
        return caller

    async def _caller(self, authorization: str) -> Principal:
        secret = token_of(authorization)
        if secret and self._token and hmac.compare_digest(secret.encode(), self._token):
            return Principal("person", "admin")
        found = await self._credential(secret) if secret else None
        if found is not None and found.kind == "agent" and found.worker_id:
            return Principal("agent", found.worker_id, worker_id=found.worker_id)
        if found is not None and found.kind == "api":
            return Principal("person", f"token {found.label}", credential_id=found.id, role=found.role)
        if found is not None and found.kind == "enrolment":
            return Principal("enrolment", "enrolment token", credential_id=found.id)
        if not self._token:
            return _LOCAL
        if secret:
            raise Refused(401, "the token is not valid", "it is unknown, revoked or expired")
        raise Refused(
            401, "a token is needed", "send Authorization: Bearer TOKEN, or Basic with the token as the password"
        )

    async def _credential(self, secret: str) -> credentials.Credential | None:
        found, just_read = await self._callers.find(secret)
        if just_read and found is not None and found.kind == "api":
            self._note_use(found)
        return found

    def _note_use(self, found: credentials.Credential) -> None:
        """For people who wonder which tokens are still needed. Nobody waits for it, and it may be lost."""
        now = self._services.clock()
        if found.used_at is None or now - found.used_at > NOTE_EVERY:
            with suppress(Refused):
                self._services.db.submit(partial(credentials.note_use, credential_id=found.id, now=now))

    def _check_host(self, host: str) -> None:
        if not self._check_hosts:
            return
        name = host_name(host)
        if name not in self._hosts and not is_loopback(name):
            raise Refused(
                403, "unknown Host", f"{host!r} is not this server; name it in GOLIAT_MONITORING_TRUSTED_HOSTS"
            )
        if len(self._known_hosts) < MOST_HOSTS:
            self._known_hosts.add(host)

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin", "").rstrip("/").lower()
        if not origin:
            if headers.get("sec-fetch-site", "") not in ("", "same-origin", "none"):
                raise Refused(403, "another site may not do this", "the request comes from a page of another site")
            return
        if origin in self._origins or urlsplit(origin).netloc == headers.get("host", "").lower() != "":
            return
        raise Refused(403, "another site may not do this", f"{origin} is not an origin of this server")


def _check_role(role: str, method: str, path: str) -> None:
    """Raises `Refused` 403 for what a role may not do."""
    reads = (method in SAFE_METHODS and path != CLAIMING_PATH) or path in ASKING_PATHS
    if role == "viewer" and not reads:
        raise Refused(403, "this token may only look", "its role is viewer; use one of an operator or admin")
    if role != "admin" and not reads and path.startswith(ADMIN_PATHS):
        raise Refused(403, "only an admin may do this", f"the role of this token is {role}")


def may(caller: Principal, method: str, path: str) -> bool:
    """Whether the role of a person lets it call that; pages offer nothing else."""
    with suppress(Refused):
        _check_role(caller.role, method, path)
        return True
    return False


def host_name(host: str) -> str:
    """The name in a `Host` header, without port and brackets, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def token_of(authorization: str) -> str:
    """The secret in an `Authorization` header; "" where there is none. Raises `Refused` 401 for what it cannot read."""
    scheme, _, rest = authorization.strip().partition(" ")
    rest = rest.strip()
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            raise Refused(401, "the Authorization header cannot be read", "Basic needs base64 of user:token") from None
    return ""

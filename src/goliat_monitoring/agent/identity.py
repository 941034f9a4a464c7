"""Who this agent is: worker id and credential, kept in the state dir, and the session of this life."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from goliat_monitoring.agent.api import Server, Unreachable
from goliat_monitoring.agent.backoff import Backoff
from goliat_monitoring.agent.clock import now_micros
from goliat_monitoring.agent.statedir import write_json
from goliat_monitoring.wire.agent import Enrol, Facts, Fingerprint, OpenSession, SessionOpened
from goliat_monitoring.wire.errors import Refused

log = logging.getLogger(__name__)


class Identity(msgspec.Struct, rename="camel"):
    """What `identity.json` holds. The credential is valid at `server` only."""

    worker_id: str
    credential: str
    server: str


def load(folder: Path) -> Identity | None:
    """The identity in a state dir; None where it has none or a broken one."""
    try:
        return msgspec.json.decode((folder / "identity.json").read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError):
        return None


class Enrolment:
    """Enrols when needed and opens sessions, however long the server is away."""

    def __init__(
        self,
        folder: Path,
        server: Server,
        fingerprint: Fingerprint,
        facts: Facts,
        *,
        token: str | None,
        label: str,
        pause: Callable[[float], bool],
        backoff: Backoff,
    ) -> None:
        """`pause` waits that many seconds and tells whether the agent is to end."""
        self._folder = folder
        self._server = server
        self._fingerprint = fingerprint
        self._facts = facts
        self._token = token
        # The id under which GOLIAT itself would have reported is the name people know this machine by.
        self._label = label or os.environ.get("GOLIAT_MACHINE_ID", "")
        self._pause = pause
        self._backoff = backoff
        self.identity = load(folder)
        if self.identity:
            server.credential = self.identity.credential

    @property
    def worker_id(self) -> str | None:
        """The id by which the server knows this agent, or is asked to."""
        return self.identity.worker_id if self.identity else os.environ.get("GOLIAT_MACHINE_ID") or None

    def open(self) -> SessionOpened | None:
        """Enrolled and with a session; None when told to end meanwhile.

        Raises:
            Refused: the server does not want this agent; its text says what to do.
        """
        tried_again = False
        while True:
            try:
                if self.identity is None or self.identity.server != self._server.url:
                    self._enrol()
                opened = self._server.open_session(OpenSession(self._fingerprint, self._facts, now_micros()))
            except Unreachable as error:
                wait = error.retry_after or self._backoff.step()
                log.warning("no session yet, trying again in %.0f s: %s", wait, error)
                if self._pause(wait):
                    return None
            except Refused as refused:
                # The credential may be of a database that was restored or replaced: enrol once more, same id.
                if refused.status not in (401, 403, 404) or tried_again:
                    raise
                tried_again = True
                self._enrol_again()
            else:
                self._backoff.reset()
                return opened

    def _enrol_again(self) -> None:
        log.warning("the server does not know this agent's credential; enrolling again")
        while True:
            try:
                self._enrol()
            except Unreachable as error:
                if self._pause(error.retry_after or self._backoff.step()):
                    return
            else:
                return

    def _enrol(self) -> None:
        enrol = Enrol(self._fingerprint, self._facts, self.worker_id, self._label)
        enrolled = self._server.enrol(enrol, self._token)
        self.identity = Identity(enrolled.worker_id, enrolled.credential, self._server.url)
        write_json(self._folder / "identity.json", self.identity, private=True)
        self._server.credential = enrolled.credential
        log.info("enrolled as worker %s at %s", enrolled.worker_id, self._server.url)

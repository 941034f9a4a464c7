"""The agent's side of the conversation: enrolment, sessions, orders and the end of a run. Heartbeats: `store.beats`."""

import re

import msgspec
from sqlalchemy import Connection, insert, select, update

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import AGENT_HEARTBEAT, ASK_FOR_WORK, LATE_AGENT
from goliat_monitoring.store import driver, epoch, runs, tables, verdicts, workers
from goliat_monitoring.store.admission import admit, require_live, require_session
from goliat_monitoring.store.beats import ASKED
from goliat_monitoring.store.bulk import marked
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.credentials import use_enrolment
from goliat_monitoring.store.events import record
from goliat_monitoring.store.grants import secret_hash
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id, new_secret

# What may stand in an address and in a folder's name as it is.
WISHED_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

sessions, credentials = tables.sessions, tables.credentials
_HEARD = "SELECT next_offset FROM streams WHERE run_id = {value} AND stream_id = {value}"
_FILES = "SELECT relative_path, filename, sha256 FROM artifacts WHERE run_id = {value}"


def enrol(
    connection: Connection, moment: Moment, asked: wire.Enrol, ip: str, token_id: str | None = None
) -> wire.Enrolled:
    """Give a machine an identity and a credential of its own. The same worker id again gets a new credential.

    A machine may wish for an id (`GOLIAT_MACHINE_ID`), so that the name of its folder or of its cloud instance is also
    its id here. `token_id`: the enrolment token that this spends, if one was shown. Raises `Refused`.
    """
    if token_id is not None:
        use_enrolment(connection, moment, token_id)
    worker_id = asked.worker_id
    known = None
    if worker_id is not None:
        known = connection.execute(select(tables.workers).where(tables.workers.c.id == worker_id)).one_or_none()
    if known is None:
        worker_id = worker_id if worker_id is not None and WISHED_ID.fullmatch(worker_id) else new_id()
        connection.execute(
            insert(tables.workers).values(
                id=worker_id,
                kind="agent",
                hostname=asked.fingerprint.hostname,
                label=asked.label.strip()[:200],
                ip=ip,
                facts=msgspec.json.encode(asked.facts).decode(),
                last_seen=moment.now,
                created_at=moment.now,
            )
        )
    else:
        _refuse_clone(connection, moment, known.id, asked.fingerprint)
        connection.execute(
            update(credentials)
            .where(credentials.c.worker_id == known.id, credentials.c.revoked_at.is_(None))
            .values(revoked_at=moment.now)
        )
        workers.seen(connection, moment, known.id, ip)
        worker_id = str(known.id)
    secret = new_secret()
    connection.execute(
        insert(credentials).values(
            id=new_id(),
            secret_hash=secret_hash(secret),
            kind="agent",
            worker_id=worker_id,
            created_at=moment.now,
        )
    )
    record(connection, moment.now, "worker_enrolled", worker_id=worker_id, hostname=asked.fingerprint.hostname)
    touch(connection, "fleet", f"worker:{worker_id}")
    return wire.Enrolled(worker_id=str(worker_id), credential=secret)


def open_session(
    connection: Connection, moment: Moment, worker_id: str, asked: wire.OpenSession, ip: str
) -> wire.SessionOpened:
    """One life of an agent begins. Refused with 409 while another machine lives under the same identity."""
    _refuse_clone(connection, moment, worker_id, asked.fingerprint)
    workers.end_sessions(connection, moment, worker_id)
    session_id = new_id()
    connection.execute(
        insert(sessions).values(
            id=session_id,
            worker_id=worker_id,
            fingerprint=_fingerprint(asked.fingerprint),
            started_at=moment.now,
            last_seen=moment.now,
        )
    )
    connection.execute(
        update(tables.workers)
        .where(tables.workers.c.id == worker_id)
        .values(facts=msgspec.json.encode(asked.facts).decode(), hostname=asked.fingerprint.hostname)
    )
    workers.seen(connection, moment, worker_id, ip, skew=asked.sent_at - moment.now)
    if runs.newest_live(connection, [worker_id]) is None:
        # It did end itself, and was started again.
        connection.execute(
            update(tables.workers)
            .where(tables.workers.c.id == worker_id, tables.workers.c.wish == "stopping")
            .values(wish="active")
        )
    record(connection, moment.now, "session_opened", worker_id=worker_id, sessionId=session_id)
    return wire.SessionOpened(
        session_id=session_id,
        epoch=epoch.current(connection),
        heartbeat_s=AGENT_HEARTBEAT / SECOND,
        ask_s=ASK_FOR_WORK / SECOND,
    )


def end_session(
    connection: Connection, moment: Moment, worker_id: str, said: wire.EndSession, ip: str
) -> wire.Accepted:
    """An agent ends itself in good order: nobody need wait for its next heartbeat."""
    require_session(connection, worker_id, said.session_id)
    workers.seen(connection, moment, worker_id, ip)
    connection.execute(
        update(sessions).where(sessions.c.id == said.session_id).values(last_seen=moment.now, ended_at=moment.now)
    )
    connection.execute(update(tables.workers).where(tables.workers.c.id == worker_id).values(left_at=moment.now))
    record(connection, moment.now, "session_ended", worker_id=worker_id, sessionId=said.session_id)
    touch(connection, "fleet", f"worker:{worker_id}")
    return wire.Accepted()


def orders(connection: Connection, worker_id: str, fence: str | None, said: wire.Listen) -> wire.Orders:
    """What people ask of this agent and of its run. Raises `Refused` 409 `fenced` where that is over or another's."""
    require_session(connection, worker_id, said.session_id)
    reply = wire.Orders(wish=workers.get(connection, worker_id).wish)
    if said.run_id is not None:
        run = admit(connection, worker_id, said.run_id, fence)
        require_live(run)
        reply.directive = run.directive
        reply.reason = ASKED if run.directive != "continue" else ""
    return reply


def end(
    connection: Connection, moment: Moment, worker_id: str, run_id: str, fence: str | None, said: wire.End
) -> wire.Ended:
    """The agent says how the process ended, after delivering everything. Judged at once.

    Raises `Refused` 409 naming what has not arrived: `next` for the stream, `missing` for files.
    """
    run = admit(connection, worker_id, run_id, fence)
    if RunState(run.state).terminal:
        return wire.Ended(state=run.state, reason=run.reason)
    _require_complete(connection, run_id, said)
    # Whoever asked for it, a process that was made to end did not fail.
    stopped = run.directive != "continue" or said.cause == "stopped"
    verdict = verdicts.close(
        connection,
        moment,
        run,
        ended_by="stop_request" if stopped else "agent",
        exit_code=said.exit_code,
        reason=said.reason,
        actor=worker_id,
    )
    return wire.Ended(state=verdict.outcome, reason=verdict.reason)


def _refuse_clone(connection: Connection, moment: Moment, worker_id: str, who: wire.Fingerprint) -> None:
    """A live session of another boot or machine under the same identity is a cloned disk."""
    row = connection.execute(
        select(sessions)
        .where(sessions.c.worker_id == worker_id, sessions.c.ended_at.is_(None))
        .order_by(sessions.c.started_at.desc())
        .limit(1)
    ).one_or_none()
    if row is None or row.fingerprint == _fingerprint(who) or row.last_seen < moment.now - LATE_AGENT:
        return
    raise Refused(
        409,
        "another machine with this identity is online",
        "if this machine was just restarted, wait half a minute; if its disk was cloned, delete the agent's state "
        "folder and enrol anew",
        {"clonedIdentity": True},
    )


def _fingerprint(who: wire.Fingerprint) -> str:
    return msgspec.json.encode([who.machine_id, who.hostname, who.boot_id]).decode()


def _require_complete(connection: Connection, run_id: str, said: wire.End) -> None:
    with driver.one_journey(connection):
        heard = driver.fetch_later(connection, marked(connection, _HEARD), (run_id, said.stream))
        kept = driver.fetch_later(connection, marked(connection, _FILES), (run_id,)) if said.manifest else None
    have = max((offset for (offset,) in heard()), default=0)
    if have < said.next_offset:
        raise Refused(409, "items are missing before the end", f"send from offset {have}", {"next": have})
    stored = frozenset(kept()) if kept is not None else frozenset()
    missing = [list(entry) for entry in said.manifest if tuple(entry) not in stored]
    if missing:
        raise Refused(409, "files are missing before the end", f"{len(missing)} files", {"missing": missing})

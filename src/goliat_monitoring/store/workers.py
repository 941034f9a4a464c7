"""Workers: bare clients told apart by machine id and hostname, and what people ask of any worker."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from sqlalchemy import Connection, Row, bindparam, case, insert, select, update

from goliat_monitoring.fleet.bare import speakers
from goliat_monitoring.store import runs, tables
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.events import record
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.client import Heartbeat
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id

workers = tables.workers
# Statements of the claim are made once: to make one takes longer than to run it.
_ONE = select(workers).where(workers.c.id == bindparam("one"))
# What can be asked of many at once.
Asked = Literal["active", "paused", "draining", "removed"]
WISHES = ("active", "paused", "draining", "stopping")
# Of a machine id or a host name; those of the internet have 253.
LONGEST_NAME = 255
# What a hostile machine may claim to have.
MOST_CORES, MOST_GIB = 100_000, 1_000_000
# Euro an hour; more is a mistyped price.
MOST_PER_HOUR = 10_000


def get(connection: Connection, worker_id: str) -> Row[tuple[object, ...]]:
    """The worker's row. Raises `Refused` 404."""
    row = connection.execute(_ONE, {"one": worker_id}).one_or_none()
    if row is None:
        raise Refused(404, "no such worker", worker_id)
    return row


def hear_heartbeat(connection: Connection, moment: Moment, beat: Heartbeat, ip: str) -> str:
    """A bare client's heartbeat: register or refresh its worker. Returns the worker's id.

    What it does not tell stays as it was. Without a hostname it is from the machine that messages are from.
    """
    machine_id = beat.machine_id or beat.ip_address
    if not machine_id:
        raise Refused(400, "machineId is missing", "send the machine's id as `machineId`")
    told: dict[str, object] = {}
    if beat.gpu_name is not None:
        told["gpu_name"] = beat.gpu_name[:LONGEST_NAME]
    if beat.cpu_cores is not None:
        told["cpu_cores"] = min(max(beat.cpu_cores, 0), MOST_CORES)
    if beat.total_ram_gb is not None:
        told["ram_bytes"] = round(min(max(beat.total_ram_gb, 0), MOST_GIB) * 2**30)
    hostname = beat.hostname
    if not hostname:
        worker_id, _ = of_machine(connection, moment, machine_id, ip)
        hostname = str(get(connection, worker_id).hostname)
    return _hear_bare(connection, moment, machine_id, hostname, ip, {"hostname": hostname, **told})


def register(
    connection: Connection, moment: Moment, machine_id: str, hostname: str | None, label: str | None, ip: str
) -> str:
    """Register or rename a bare worker by hand. Raises `Refused` 409 where several go by that machine id.

    Without a hostname the machine that is known by its id is meant, whatever its hostname: another worker beside it
    would make its messages ambiguous.
    """
    known = _listed(connection, machine_id)
    if hostname or not known:
        worker_id = _hear_bare(connection, moment, machine_id, hostname or "", ip, {}, seen=False)
    elif len(known) == 1:
        worker_id = known[0]
    else:
        raise Refused(
            409, f"{machine_id!r} names {len(known)} workers", "send the hostname too, or use the id of one of them",
            {"ambiguous": known},
        )  # fmt: skip
    if label is not None:
        rename(connection, moment, worker_id, label, "person")
    return worker_id


def of_machine(connection: Connection, moment: Moment, machine_id: str, ip: str) -> tuple[str, bool]:
    """The worker that a message with only a machine id belongs to, and whether that is ambiguous.

    Several live hostnames under one machine id (a shared address, several studies on one machine) are ambiguous: the
    one with the newest live run is meant.
    """
    known = connection.execute(select(workers).where(workers.c.machine_id == machine_id)).all()
    if not known:
        return _hear_bare(connection, moment, machine_id, "", ip, {}), False
    meant = speakers(known, moment.now)
    if len(meant) == 1:
        return meant[0].id, False
    newest = runs.newest_live(connection, [row.id for row in meant])
    return (newest.worker_id if newest is not None else meant[0].id), True


def seen(connection: Connection, moment: Moment, worker_id: str, ip: str, skew: int | None = None) -> None:
    """Note that something came from this worker; one that was removed is back."""
    back = case((workers.c.wish == "removed", "active"), else_=workers.c.wish)
    values: dict[str, object] = {"last_seen": moment.now, "ip": ip, "wish": back}
    if skew is not None:
        values["clock_skew"] = skew
    connection.execute(update(workers).where(workers.c.id == worker_id).values(**values))
    touch(connection, "fleet", f"worker:{worker_id}")


def rename(connection: Connection, moment: Moment, worker_id: str, label: str, actor: str) -> None:
    """Change the name that people see. Raises `Refused` 404."""
    get(connection, worker_id)
    connection.execute(update(workers).where(workers.c.id == worker_id).values(label=label.strip()[:200]))
    record(connection, moment.now, "worker_renamed", actor=actor, worker_id=worker_id, label=label)
    touch(connection, "fleet", f"worker:{worker_id}")


def set_wish(connection: Connection, moment: Moment, worker_id: str, wish: str, actor: str) -> None:
    """What people ask of a worker. Raises `Refused` 400 or 404, or 409 for a bare client that is to stop itself.

    `active`: take work. `paused`: nothing new. `draining`: nothing new, it will be taken away. `stopping`: its agent
    ends itself after the run at hand.
    """
    if wish not in WISHES:
        raise Refused(400, "unknown wish", f"{wish!r}: use one of {', '.join(WISHES)}")
    if get(connection, worker_id).kind != "agent" and wish == "stopping":
        raise Refused(409, "this worker has no agent", "only an agent can end itself; let it drain instead")
    connection.execute(update(workers).where(workers.c.id == worker_id).values(wish=wish))
    record(connection, moment.now, "worker_wish", actor=actor, worker_id=worker_id, wish=wish)
    touch(connection, "fleet", f"worker:{worker_id}", "work", f"directive:{worker_id}")


def set_price(connection: Connection, moment: Moment, worker_id: str, price: float | None, actor: str) -> None:
    """What an hour of the worker costs in euro; None forgets it. Raises `Refused` 400 or 404."""
    if price is not None and not 0 <= price < MOST_PER_HOUR:
        raise Refused(400, "no price", f"{price}: euro an hour, from 0 to {MOST_PER_HOUR}, are needed")
    get(connection, worker_id)
    connection.execute(update(workers).where(workers.c.id == worker_id).values(price_per_hour=price))
    record(connection, moment.now, "worker_priced", actor=actor, worker_id=worker_id, price=price)
    touch(connection, "fleet", "settings", f"worker:{worker_id}")


def change(
    connection: Connection, moment: Moment, worker_id: str, actor: str, changes: Sequence[Callable[..., None]]
) -> None:
    """Apply several of the above at once, all or none; each lacks what all have in common."""
    for one in changes:
        one(connection, moment=moment, worker_id=worker_id, actor=actor)


def remove(connection: Connection, moment: Moment, worker_id: str, *, force: bool, actor: str) -> None:
    """Take a worker off the list. Its finished work stays; a live run needs `force` and is then given up as lost."""
    get(connection, worker_id)
    live = runs.newest_live(connection, [worker_id])
    if live is not None:
        if not force:
            raise Refused(409, "this worker has a live run", f"stop run {live.id} first, or delete with force=true")
        while live is not None:
            runs.give_up(connection, moment, live.id, "its worker was deleted", actor)
            live = runs.newest_live(connection, [worker_id])
    connection.execute(update(workers).where(workers.c.id == worker_id).values(wish="removed"))
    credentials = tables.credentials
    connection.execute(
        update(credentials)
        .where(credentials.c.worker_id == worker_id, credentials.c.revoked_at.is_(None))
        .values(revoked_at=moment.now)
    )
    end_sessions(connection, moment, worker_id)
    record(connection, moment.now, "worker_removed", actor=actor, worker_id=worker_id, force=force)
    touch(connection, "fleet", f"worker:{worker_id}")


def end_sessions(connection: Connection, moment: Moment, worker_id: str) -> None:
    """No life of its agent goes on."""
    sessions = tables.sessions
    connection.execute(
        update(sessions)
        .where(sessions.c.worker_id == worker_id, sessions.c.ended_at.is_(None))
        .values(ended_at=moment.now)
    )


def ask_all(
    connection: Connection, moment: Moment, worker_ids: Iterable[str], asked: Asked, *, force: bool, actor: str
) -> list[str]:
    """Ask the same of many workers, all or none; asked again it changes nothing. Returns the ids of those that changed.

    Raises `Refused` 404 for an unknown id, and 409 if one is to be removed that holds a run and `force` is not set.
    """
    changed = []
    for worker_id in dict.fromkeys(worker_ids):
        row = get(connection, worker_id)
        if asked == "removed":
            if row.wish != "removed":
                remove(connection, moment, worker_id, force=force, actor=actor)
                changed.append(worker_id)
        elif row.wish == "removed":
            raise Refused(409, "this worker was removed", f"{worker_id}: it is back when its machine is heard again")
        elif row.wish != asked:
            set_wish(connection, moment, worker_id, asked, actor)
            changed.append(worker_id)
    return changed


def _listed(connection: Connection, machine_id: str) -> list[str]:
    """Ids of the workers of that machine id which nobody removed."""
    table = workers.c
    return list(
        connection.execute(
            select(table.id).where(table.machine_id == machine_id, table.wish != "removed").order_by(table.id)
        ).scalars()
    )


def _hear_bare(
    connection: Connection,
    moment: Moment,
    machine_id: str,
    hostname: str,
    ip: str,
    told: Mapping[str, object],
    *,
    seen: bool = True,
) -> str:
    """Find, complete or create the worker (machine id, hostname). `told`: fields of its facts.

    Raises `Refused` 400 for names that are none: they stand in every list, and PostgreSQL's index takes no longer ones.
    """
    if max(len(machine_id), len(hostname)) > LONGEST_NAME:
        raise Refused(
            400, "the machine's name is too long", f"machineId and hostname: at most {LONGEST_NAME} characters"
        )
    own = select(workers).where(workers.c.machine_id == machine_id)
    row = connection.execute(own.where(workers.c.hostname == hostname)).one_or_none()
    if row is None and hostname:
        # Messages came before the first heartbeat: now the hostname is known.
        row = connection.execute(own.where(workers.c.hostname == "")).one_or_none()
    values: dict[str, object] = {"hostname": hostname, "ip": ip, "wish": "active"}
    if told:
        facts = Facts() if row is None else msgspec.json.decode(row.facts, type=Facts)
        values["facts"] = msgspec.json.encode(msgspec.structs.replace(facts, **told)).decode()
    if row is None:
        worker_id = new_id()
        connection.execute(
            insert(workers).values(
                id=worker_id,
                kind="bare",
                machine_id=machine_id,
                last_seen=moment.now,
                created_at=moment.now,
                **values,
            )
        )
        record(connection, moment.now, "worker_appeared", worker_id=worker_id, machineId=machine_id, hostname=hostname)
    else:
        worker_id = row.id
        if row.wish != "removed":
            del values["wish"]
        if seen:
            values["last_seen"] = moment.now
        connection.execute(update(workers).where(workers.c.id == worker_id).values(**values))
    touch(connection, "fleet", f"worker:{worker_id}")
    return str(worker_id)

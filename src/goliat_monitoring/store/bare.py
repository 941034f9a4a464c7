"""The bare client: messages with nothing but a machine id. The rules are in `fleet.bare`; this finds and applies."""

from typing import Any

from sqlalchemy import Connection, Row, select, update

from goliat_monitoring.fleet.bare import Action, BareMessage, BareRun, choose_run
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import LEASE
from goliat_monitoring.store import runs, tables, verdicts, workers
from goliat_monitoring.store.ingest import LIFELESS, Ingest
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.clock import sender_micros
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import lines_of_message

# Sessions older than this many runs of the same machine cannot be told apart any more, and need not be.
RUNS_LOOKED_AT = 5


def hear_gui_update(connection: Connection, moment: Moment, said: GuiUpdate, ip: str) -> str:
    """Apply one GUI update. Returns the run it went to. Raises `Refused` 400."""
    machine_id = said.machine_id or said.ip_address
    message = said.message
    if not machine_id:
        raise Refused(400, "machineId is missing", "send the machine's id as `machineId`")
    if message is None or not isinstance(message.get("type"), str):
        raise Refused(400, "message.type is missing", "send `message` as an object with a text `type`")
    sent_at = sender_micros(said.timestamp)
    if sent_at is None:
        sent_at = moment.now
    worker_id, ambiguous = workers.of_machine(connection, moment, machine_id, ip)
    if not ambiguous:
        workers.seen(connection, moment, worker_id, ip, skew=sent_at - moment.now)
    run = _run_for(connection, moment, worker_id, message, sent_at, ip, ambiguous=ambiguous)
    ingest = Ingest(connection, moment, run, proves=not ambiguous)
    ingest.message(message, sent_at)
    # Any message keeps a bare run its worker's for another lease.
    ingest.renew(moment.now + LEASE, ip, _sequence0(message, sent_at))
    ingest.save(hold=True)
    return str(run.id)


def run_for_screenshots(connection: Connection, moment: Moment, machine_id: str, ip: str) -> str | None:
    """The run that screenshots sent now belong to: the machine's newest live one, else its newest."""
    worker_id, ambiguous = workers.of_machine(connection, moment, machine_id, ip)
    if not ambiguous:
        workers.seen(connection, moment, worker_id, ip)
    run = runs.newest_live(connection, [worker_id])
    if run is not None:
        renewed = {"lease_until": moment.now + LEASE, "sender_ip": ip}
        connection.execute(update(tables.runs).where(tables.runs.c.id == run.id).values(**renewed))
    else:
        known = _newest_runs(connection, worker_id)
        run = known[0] if known else None
    return None if run is None else str(run.id)


def _newest_runs(connection: Connection, worker_id: str) -> list[Row[tuple[Any, ...]]]:
    table = tables.runs
    return list(
        connection.execute(
            select(table)
            .where(table.c.worker_id == worker_id)
            .order_by(table.c.claimed_at.desc(), table.c.id.desc())
            .limit(RUNS_LOOKED_AT)
        ).all()
    )


def _run_for(
    connection: Connection,
    moment: Moment,
    worker_id: str,
    message: dict[str, Any],
    sent_at: int,
    ip: str,
    *,
    ambiguous: bool,
) -> Row[tuple[Any, ...]]:
    known = _newest_runs(connection, worker_id)
    live = next((row for row in known if not RunState(row.state).terminal), None)
    if ambiguous:
        # Nothing that may be another machine's opens or ends anything here.
        return live or (known[0] if known else _open(connection, moment, worker_id, ip))
    choice = choose_run(
        [BareRun(row.id, RunState(row.state), row.sequence0_sender_at, row.finished_sender_at) for row in known],
        BareMessage(sent_at, _sequence0(message, sent_at), message.get("type") not in LIFELESS),
    )
    if choice.action is Action.KEEP:
        return next(row for row in known if row.id == choice.run_id)
    before = next((row for row in known if row.id == choice.run_id), None)
    if before is not None and not RunState(before.state).terminal:
        verdicts.close(
            connection,
            moment,
            before,
            ended_by="finished" if before.finished_at else "new_session",
            reason="" if before.finished_at else "GOLIAT was started anew on this machine.",
        )
    return _open(connection, moment, worker_id, ip)


def _open(connection: Connection, moment: Moment, worker_id: str, ip: str) -> Row[tuple[Any, ...]]:
    run_id = runs.open_run(
        connection, moment, worker_id=worker_id, kind="bare", lease_until=moment.now + LEASE, sender_ip=ip
    )
    return runs.get(connection, run_id)


def _sequence0(message: dict[str, Any], sent_at: int) -> int | None:
    if message.get("type") != "log_batch" or message.get("sequence") != 0:
        return None
    return min((line.time for line in lines_of_message(message, sent_at)), default=None)

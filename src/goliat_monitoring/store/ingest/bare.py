"""The bare client: messages with nothing but a machine id. The rules are in `fleet.bare`; this finds and applies."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, update

from goliat_monitoring.fleet.bare import Action, BareMessage, BareRun, choose_run, is_newest, speakers
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import LEASE
from goliat_monitoring.store import runs, tables, verdicts, workers
from goliat_monitoring.store.bulk import fetch, rows_of, update_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.ingest.draft import COARSE, LIFELESS, RunDraft
from goliat_monitoring.store.ingest.reading import Reading, read_batch, read_lines
from goliat_monitoring.store.ingest.round import RUN_COLUMNS, Round, RunRow
from goliat_monitoring.store.memory import Known, Memory
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire.client import GuiUpdate, LogUpdate
from goliat_monitoring.wire.clock import sender_micros
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.lines import LOGGED, lines_of_message

# Sessions older than this many runs of the same machine cannot be told apart any more, and need not be.
RUNS_LOOKED_AT = 5
# What is left to say of a message whose lines were read.
_LOG_BATCH: dict[str, Any] = {"type": "log_batch"}
SEEN = ("last_seen", "ip", "wish", "clock_skew")


class Sender(NamedTuple):
    """A worker that a machine id may mean, and its newest run."""

    id: str
    machine_id: str
    last_seen: int
    ip: str
    wish: str
    clock_skew: int | None
    newest_run_id: str | None


_OF_SENDER = len(Sender._fields)
# The workers of some machines, each with the whole of its newest run: one statement, as every group
# begins with it.
_NEWEST = (
    "(SELECT past.id FROM runs AS past WHERE past.worker_id = w.id ORDER BY past.claimed_at DESC, past.id DESC LIMIT 1)"
)
_SENDERS = (
    f"SELECT w.id, w.machine_id, w.last_seen, w.ip, w.wish, w.clock_skew, r.id, {RUN_COLUMNS} "  # noqa: S608 - own names
    "FROM {rows} JOIN workers AS w ON w.machine_id = v.c0 "
    f"LEFT JOIN runs AS r ON r.id = {_NEWEST}"
)
# The same where other server processes may write: the runs are locked until the commit.
_SENDERS_LOCKED = (
    "WITH w AS (SELECT w.id, w.machine_id, w.last_seen, w.ip, w.wish, w.clock_skew, "  # noqa: S608 - own names
    f"{_NEWEST} AS newest FROM {{rows}} JOIN workers AS w ON w.machine_id = v.c0), "
    f"r AS (SELECT {RUN_COLUMNS} FROM w JOIN runs AS r ON r.id = w.newest ORDER BY r.id FOR UPDATE OF r) "
    "SELECT w.*, r.* FROM w LEFT JOIN r ON r.id = w.newest"
)


class GuiMessage(NamedTuple):
    """One GUI update of a bare client, checked. `sent_at`: its sender's clock, UTC microseconds.

    `reading`: its log lines; None for a message of another kind, and for one without a line. `sequence0_at`: the time
    of the first line of a batch that begins a session; None for any other message.
    """

    moment: Moment
    machine_id: str
    message: dict[str, Any]
    sent_at: int
    ip: str
    reading: Reading | None
    sequence0_at: int | None


def gui_message(said: GuiUpdate, moment: Moment, ip: str) -> GuiMessage:
    """What can be applied. Raises `Refused` 400."""
    machine_id = said.machine_id or said.ip_address
    if not machine_id:
        raise Refused(400, "machineId is missing", "send the machine's id as `machineId`")
    if said.message is None or not isinstance(said.message.get("type"), str):
        raise Refused(400, "message.type is missing", "send `message` as an object with a text `type`")
    told = sender_micros(said.timestamp)
    sent_at = moment.now if told is None else told
    message, reading, sequence0_at = said.message, None, None
    if message["type"] in LOGGED:
        lines = lines_of_message(message, sent_at)
        reading = read_lines(lines) if lines else None
        if reading is not None and message["type"] == "log_batch" and message.get("sequence") == 0:
            sequence0_at = reading.first_at
    return GuiMessage(moment, machine_id, message, sent_at, ip, reading, sequence0_at)


def log_message(said: LogUpdate, body: bytes, moment: Moment, ip: str) -> GuiMessage | None:
    """What `gui_message` makes of a plain batch of log lines, `body`; None where it has to look closer."""
    reading = read_batch(said.message, body)
    sent_at = sender_micros(said.timestamp)
    if reading is None or sent_at is None or not said.machine_id:
        return None
    sequence0_at = reading.first_at if said.message.sequence == 0 else None
    return GuiMessage(moment, said.machine_id, _LOG_BATCH, sent_at, ip, reading, sequence0_at)


def says_already(sender: Sender, heard: GuiMessage) -> bool:
    """Whether the worker's row stays as it is: it was heard just now, from there, with that clock, and is wanted."""
    now, skew = heard.moment.now, sender.clock_skew
    return (
        now - sender.last_seen < COARSE
        and sender.ip == heard.ip
        and sender.wish != "removed"
        and skew is not None
        and abs(heard.sent_at - now - skew) < COARSE
    )


class Senders:
    """The machines that speak in one round: their workers and the newest run of each."""

    def __init__(self, group: Round, machine_ids: Iterable[str]) -> None:
        self._group = group
        self._connection = group.connection
        self._workers: dict[str, list[Sender]] = {}
        # The newest run of a worker; its id, as the draft may be flushed and read again.
        self._newest: dict[str, str | None] = {}
        self._seen: dict[str, tuple[Any, ...]] = {}
        self._memory = Memory.of(self._connection)
        unknown = {machine_id for machine_id in machine_ids if not self._remember(machine_id)}
        if unknown:
            self._read(unknown)

    def hear(self, heard: GuiMessage) -> str:
        """Apply one message. Returns the run it went to."""
        worker_id, ambiguous = self._worker(heard)
        sequence0_at, now = heard.sequence0_at, heard.moment.now
        draft = self._run(heard, worker_id, ambiguous=ambiguous)
        draft.now = max(draft.now, now)
        if heard.reading is not None:
            draft.hear_lines(heard.reading, now, proves=not ambiguous, hold=True)
        elif heard.message["type"] not in LOGGED:
            draft.hear_message(heard.message, heard.sent_at, now, proves=not ambiguous)
        # Any message keeps a bare run its worker's for another lease.
        draft.set_coarse("lease_until", now + LEASE)
        if draft.get("sender_ip") != heard.ip:
            draft.values["sender_ip"] = heard.ip
        if sequence0_at is not None:
            known = draft.get("sequence0_sender_at")
            if known is None or sequence0_at < known:
                draft.values["sequence0_sender_at"] = sequence0_at
        return str(draft.run.id)

    def save(self) -> None:
        """Write when which worker was seen."""
        update_rows(self._connection, tables.workers, SEEN, list(self._seen.values()))
        for worker_id in self._seen:
            touch(self._connection, "fleet", f"worker:{worker_id}")
        self._seen = {}

    def keep(self) -> None:
        """All of the round was written: what is stored now is known to the next round."""
        if self._memory is None:
            return
        if self._group.upheaval:
            self._memory.clear()
            return
        found = dict[str, Known]()
        for machine_id, (sender, *more) in self._workers.items():
            run = self._group.known.get(self._newest.get(sender.id) or "")
            if run is not None and not more:
                found[machine_id] = Known(sender, run)
            else:
                self._memory.forget(machine_id)
        self._memory.keep(found, self._group.written)

    def _remember(self, machine_id: str) -> bool:
        known = None if self._memory is None else self._memory.get(machine_id)
        if known is None:
            return False
        self._workers[machine_id] = [known.sender]
        self._newest[known.sender.id] = known.run.id
        self._group.open(known.run)
        return True

    def _read(self, machine_ids: set[str]) -> None:
        connection = self._connection
        source = rows_of(connection, tables.workers, ("machine_id",))
        sql = _SENDERS if connection.dialect.name == "sqlite" else _SENDERS_LOCKED
        for row in fetch(connection, sql, source, [(machine_id,) for machine_id in machine_ids]):
            sender = Sender._make(row[:_OF_SENDER])
            self._workers.setdefault(sender.machine_id, []).append(sender)
            self._newest[sender.id] = sender.newest_run_id
            if sender.newest_run_id is not None:
                self._group.open(RunRow(*row[_OF_SENDER:]))

    def _worker(self, heard: GuiMessage) -> tuple[str, bool]:
        """The worker that the message belongs to, and whether that is ambiguous."""
        known = self._workers.get(heard.machine_id)
        if not known:
            workers.of_machine(self._connection, heard.moment, heard.machine_id, heard.ip)
            self._read({heard.machine_id})
            known = self._workers[heard.machine_id]
        if len(known) > 1:
            known = speakers(known, heard.moment.now)
            if len(known) > 1:
                newest = runs.newest_live(self._connection, [row.id for row in known])
                return (newest.worker_id if newest is not None else known[0].id), True
        self._see(known[0], heard)
        return str(known[0].id), False

    def _see(self, row: Sender, heard: GuiMessage) -> None:
        if says_already(row, heard):
            return
        now = heard.moment.now
        skew = heard.sent_at - now
        wish = "active" if row.wish == "removed" else row.wish
        self._seen[row.id] = (row.id, now, heard.ip, wish, skew)
        newest = row._replace(last_seen=now, ip=heard.ip, wish=wish, clock_skew=skew)
        known = self._workers[row.machine_id]
        self._workers[row.machine_id] = [newest if it.id == row.id else it for it in known]

    def _run(self, heard: GuiMessage, worker_id: str, *, ambiguous: bool) -> RunDraft:
        newest_id = self._newest.get(worker_id)
        newest = None if newest_id is None else self._draft(newest_id)
        if newest is None:
            return self._open(heard, worker_id)
        began, finished_at = newest.get("sequence0_sender_at"), newest.get("finished_sender_at")
        if not ambiguous and is_newest(began, finished_at, heard.sent_at, heard.sequence0_at):
            return newest
        known = self._past(worker_id)
        if ambiguous:
            # Nothing that may be another machine's opens or ends anything here.
            return next((draft for draft in known if not draft.late), known[0])
        life = heard.message.get("type") not in LIFELESS
        choice = choose_run([_bare_run(draft) for draft in known], BareMessage(heard.sent_at, heard.sequence0_at, life))
        before = next((draft for draft in known if draft.run.id == choice.run_id), None)
        if choice.action is Action.KEEP:
            assert before is not None  # noqa: S101 - one of those given
            return before
        if before is not None and not before.late:
            self._close(heard.moment, before)
        return self._open(heard, worker_id)

    def _draft(self, run_id: str) -> RunDraft:
        draft = self._group.get(run_id)
        if draft is None:
            self._group.read([run_id])
            draft = self._group.get(run_id)
        assert draft is not None  # noqa: S101 - a run is deleted only with its study, and never within a round
        return draft

    def _past(self, worker_id: str) -> list[RunDraft]:
        """The newest runs of a worker, newest first, locked as `Round.read` does it."""
        table = tables.runs
        rows = self._connection.execute(
            select(table)
            .where(table.c.worker_id == worker_id)
            .order_by(table.c.claimed_at.desc(), table.c.id.desc())
            .limit(RUNS_LOOKED_AT)
            .with_for_update()
        ).all()
        return [self._group.open(row) for row in rows]

    def _close(self, moment: Moment, before: RunDraft) -> None:
        self._group.flush(before.run.id)
        row = runs.get(self._connection, before.run.id)
        verdicts.close(
            self._connection,
            moment,
            row,
            ended_by="finished" if row.finished_at else "new_session",
            reason="" if row.finished_at else "GOLIAT was started anew on this machine.",
        )

    def _open(self, heard: GuiMessage, worker_id: str) -> RunDraft:
        moment = heard.moment
        run_id = runs.open_run(
            self._connection,
            moment,
            worker_id=worker_id,
            kind="bare",
            lease_until=moment.now + LEASE,
            sender_ip=heard.ip,
        )
        self._newest[worker_id] = run_id
        return self._draft(run_id)


def run_for_screenshots(connection: Connection, moment: Moment, machine_id: str, ip: str) -> str | None:
    """The run that screenshots sent now belong to: the machine's newest live one, else its newest."""
    worker_id, ambiguous = workers.of_machine(connection, moment, machine_id, ip)
    if not ambiguous:
        workers.seen(connection, moment, worker_id, ip)
    run = runs.newest_live(connection, [worker_id])
    table = tables.runs
    if run is not None:
        renewed = {"lease_until": moment.now + LEASE, "sender_ip": ip}
        connection.execute(update(table).where(table.c.id == run.id).values(**renewed))
        return str(run.id)
    newest = select(table.c.id).where(table.c.worker_id == worker_id)
    return connection.execute(newest.order_by(table.c.claimed_at.desc(), table.c.id.desc()).limit(1)).scalar()


def _bare_run(draft: RunDraft) -> BareRun:
    return BareRun(
        draft.run.id, RunState(draft.run.state), draft.get("sequence0_sender_at"), draft.get("finished_sender_at")
    )

"""Agents' heartbeats. Those that wait at the same moment are applied together: what is stored of their workers and runs
is read in one journey, changed in memory in the order in which it was told, and written in one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import AGENT_HEARTBEAT
from goliat_monitoring.store import conditions, driver, epoch, runs, tables
from goliat_monitoring.store.admission import admit_run, require_live, session_over
from goliat_monitoring.store.bulk import fetch_later, lock_lives, lock_runs, rows_of, update_rows
from goliat_monitoring.store.changes import touch
from goliat_monitoring.store.log.append import LogRows, LogState, note_line, state_values
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused

ASKED = "asked by a person"

_LIVES = """
    SELECT s.id, (SELECT f.value FROM server_facts AS f WHERE f.name = 'epoch'), w.id, w.wish, w.conditions, w.gpu_trace
    FROM {rows} JOIN sessions AS s ON s.id = v.c0 JOIN workers AS w ON w.id = s.worker_id
    WHERE s.ended_at IS NULL ORDER BY s.id
"""
_RUNS = """
    SELECT r.id, r.worker_id, r.fence_hash, r.state, r.reason, r.directive, r.assignment_id, a.super_study_id,
    r.line_count, r.log_token, r.tail_size, r.warnings + r.errors
    FROM {rows} JOIN runs AS r ON r.id = v.c0 LEFT JOIN assignments AS a ON a.id = r.assignment_id ORDER BY r.id
"""


class AgentBeat(NamedTuple):
    """A heartbeat as an agent sent it, and when. `fence`: the secret of its run."""

    moment: Moment
    worker_id: str
    fence: str | None
    said: wire.Beat
    ip: str


class _Worker(msgspec.Struct):
    """What a heartbeat looks at in a worker's row, and what it leaves there."""

    id: str
    wish: wire.Wish
    conditions: str
    gpu_trace: str | None
    vitals: str = ""
    notes: str = ""
    last_seen: int = 0
    ip: str = ""
    clock_skew: int = 0


class _Run(msgspec.Struct):
    """The same of a run. `problems`: its warnings and errors."""

    id: str
    worker_id: str
    fence_hash: str | None
    state: str
    reason: str
    directive: wire.Directive
    assignment_id: str | None
    study_id: str | None
    line_count: int
    log_token: int
    tail_size: int
    problems: int
    session_id: str = ""
    lease_until: int = 0


_TOLD = _Worker.__struct_fields__[1:]
_LEASE = ("session_id", "lease_until")


def beat_together(connection: Connection, group: Sequence[AgentBeat]) -> list[wire.BeatReply | Exception]:
    """Apply `group` in order; an answer each. With a run a heartbeat renews its lease; `Refused` 409 `fenced` when that
    run is no longer this worker's, 404 when there is none. For `Database.write_together`.
    """
    fleet = _Fleet(connection, group)
    answers: list[wire.BeatReply | Exception] = []
    for beat in group:
        try:
            answers.append(fleet.hear(beat))
        except Refused as refusal:
            answers.append(refusal)
    fleet.save()
    return answers


class _Fleet:
    """The workers and runs of one group. `save` writes what was heard of them."""

    def __init__(self, connection: Connection, group: Sequence[AgentBeat]) -> None:
        self._connection = connection
        self._epoch: str | None = None
        # By session and worker.
        self._workers: dict[tuple[str, str], _Worker] = {}
        self._runs: dict[str, _Run] = {}
        # What was heard: when of each session, of which workers, of which runs.
        self._sessions: dict[str, int] = {}
        self._heard: dict[str, _Worker] = {}
        self._renewed: dict[str, _Run] = {}
        # Of those that were unreachable: as they were, and when they were heard again.
        self._back: list[tuple[_Run, Moment]] = []
        self._read({beat.said.session_id for beat in group}, {beat.said.run.run_id for beat in group if beat.said.run})

    def hear(self, beat: AgentBeat) -> wire.BeatReply:
        """Apply one heartbeat. Raises `Refused`, and then nothing was changed."""
        moment, said = beat.moment, beat.said
        worker = self._workers.get((said.session_id, beat.worker_id))
        if worker is None:
            raise session_over()
        run = None if said.run is None else self._admit(said.run.run_id, beat)
        for name, value in conditions.heard(worker.conditions, worker.gpu_trace, moment.now, said).items():
            setattr(worker, name, value)
        worker.last_seen, worker.ip, worker.clock_skew = moment.now, beat.ip, said.sent_at - moment.now
        if worker.wish == "removed":
            # It is back.
            worker.wish = "active"
        self._heard[worker.id] = worker
        self._sessions[said.session_id] = moment.now
        if self._epoch is None:
            self._epoch = epoch.current(self._connection)
        reply = wire.BeatReply(epoch=self._epoch, next_s=AGENT_HEARTBEAT / SECOND, wish=worker.wish)
        if run is None:
            return reply
        run.session_id, run.lease_until = said.session_id, moment.now + moment.lease
        if run.state == RunState.UNREACHABLE:
            self._back.append((msgspec.structs.replace(run), moment))
            run.state = RunState.RUNNING.value
        self._renewed[run.id] = run
        reply.lease_s = moment.lease / SECOND
        reply.directive = run.directive
        reply.reason = ASKED if run.directive != "continue" else ""
        return reply

    def save(self) -> None:
        """Write everything."""
        connection = self._connection
        heard, renewed = list(self._heard.values()), list(self._renewed.values())
        log = LogRows(connection)
        again = [_again(log, run, moment) for run, moment in self._back]
        with driver.one_journey(connection):
            update_rows(connection, tables.sessions, ("last_seen",), list(self._sessions.items()))
            update_rows(connection, tables.workers, _TOLD, [msgspec.structs.astuple(worker) for worker in heard])
            update_rows(connection, tables.runs, _LEASE, [(run.id, run.session_id, run.lease_until) for run in renewed])
            log.save()
            for (run, moment), values in zip(self._back, again, strict=True):
                update_rows(connection, tables.runs, tuple(values), [(run.id, *values.values())])
                runs.tell_state(connection, moment, run, RunState.RUNNING, "heartbeat heard", run.study_id)
        for worker in heard:
            touch(connection, "fleet", f"worker:{worker.id}")

    def _read(self, session_ids: set[str], run_ids: set[str]) -> None:
        """What is stored, locked against other server processes until the commit."""
        connection = self._connection
        by_session, by_run = rows_of(connection, tables.sessions, ("id",)), rows_of(connection, tables.runs, ("id",))
        with driver.one_journey(connection):
            lives = fetch_later(connection, _LIVES + lock_lives(connection), by_session, [(it,) for it in session_ids])
            named = [(it,) for it in run_ids]
            found = fetch_later(connection, _RUNS + lock_runs(connection), by_run, named) if named else list
        workers: dict[str, _Worker] = {}
        for session_id, stored_epoch, worker_id, *stored in lives():
            # Of one worker there may be several.
            worker = workers.setdefault(worker_id, _Worker(worker_id, *stored))
            self._workers[session_id, worker_id] = worker
            self._epoch = stored_epoch
        self._runs = {row[0]: _Run(*row) for row in found()}

    def _admit(self, run_id: str, beat: AgentBeat) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise Refused(404, "no such run", run_id)
        admit_run(run, beat.worker_id, beat.fence)
        require_live(run)
        return run


def _again(log: LogRows, run: _Run, moment: Moment) -> dict[str, Any]:
    """Say in the log of a run that was unreachable that it is heard. Returns what changes in its row."""
    state = LogState(run.line_count, run.log_token, run.tail_size, run.problems)
    state = log.add(run.id, state, [note_line(moment.now, "Heard from the machine again.")], moment.now)
    return {**runs.new_state(run, RunState.RUNNING), **state_values(state)}

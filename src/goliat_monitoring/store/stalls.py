"""Looks after live runs: which of them get nowhere. The rule is `fleet.stalls`; here are its facts and its flag."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, or_, select, update

from goliat_monitoring.fleet.stalls import NO_PROGRESS, RETRYING, Life, Retries, Stall, Vitals, stall_of
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import STALLED
from goliat_monitoring.store import runs as store_runs
from goliat_monitoring.store import tables
from goliat_monitoring.store.events import record
from goliat_monitoring.store.log.append import note
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.logs import numbered_lines
from goliat_monitoring.wire.agent import Facts

runs, problems, samples, workers = tables.runs, tables.log_problems, tables.samples, tables.workers

# Keys of grouped log lines have # for each number.
RETRY_KEY = "iSolve failed, retry attempt #%"
RETRY = re.compile(r"retry attempt (\d{1,9})")
# Of machines that say nothing of their cores: as many as the smallest that runs GOLIAT.
FEWEST_CORES = 4


def look_after(connection: Connection, moment: Moment) -> None:
    """Flag the live runs that get nowhere, take the flag from those that go on, and end what may be ended."""
    rows = connection.execute(
        select(runs, workers.c.facts, workers.c.clock_skew)
        .join(workers, workers.c.id == runs.c.worker_id)
        .where(tables.LIVE_RUN, runs.c.state == RunState.RUNNING, runs.c.finished_at.is_(None))
    ).all()
    without_progress = [row for row in rows if _progress_at(row) < moment.now - NO_PROGRESS]
    retries, licences = _problems(connection, moment, without_progress)
    for row in rows:
        licence = licences.get(row.id, ("", 0))
        life = Life(
            began_at=row.first_sign_at or row.claimed_at,
            life_at=row.last_life_at,
            progress_at=_server_time(row, row.solver_sender_at),
            retries=retries.get(row.id, Retries()),
            licence=licence[0],
            licence_at=licence[1],
            vitals=_vitals(connection, row, moment) if _is_silent(row, moment) else (),
        )
        stall = stall_of(life, moment.now)
        if stall.flag != row.flag:
            _flag(connection, moment, row, stall)
        elif stall.sure and _may_end(row, moment):
            _end(connection, moment, row)


def _problems(
    connection: Connection, moment: Moment, rows: Sequence[Row[Any]]
) -> tuple[dict[str, Retries], dict[str, tuple[str, int]]]:
    """The solver's failed starts of the last minutes, and the newest line that names a licence, by run; times of the
    server's clock.
    """
    if not rows:
        return {}, {}
    live = {row.id: row for row in rows}
    found = connection.execute(
        select(
            problems.c.run_id,
            problems.c.text_key,
            problems.c.text,
            problems.c.last_line,
            problems.c.last_sender_at,
        )
        .where(
            problems.c.run_id.in_(live),
            or_(
                problems.c.text_key.like(RETRY_KEY),
                func.lower(problems.c.text).like("%license%"),
                func.lower(problems.c.text).like("%licence%"),
            ),
        )
        .order_by(problems.c.last_sender_at)
    ).all()
    retries: dict[str, Retries] = {}
    licences: dict[str, tuple[str, int]] = {}
    for row in found:
        last_at = _server_time(live[row.run_id], row.last_sender_at)
        if not row.text_key.startswith(RETRY_KEY.rstrip("%")):
            licences[row.run_id] = (row.text, last_at)
        elif moment.now - last_at <= RETRYING:
            retries[row.run_id] = Retries(_attempts(connection, row.run_id, row.last_line), last_at)
    return retries, licences


def _attempts(connection: Connection, run_id: str, number: int) -> int:
    """How many starts had failed with this line. GOLIAT counts anew for each simulation, so that is not how often the
    line came: failures that healed hours ago say nothing.
    """
    # Logs of live runs are not moved to other storage.
    for line in numbered_lines(connection, run_id, lambda *_: b"", [number]):
        said = line.text if line.repeat is None else line.repeat.last_text or line.text
        found = RETRY.search(said)
        if found is not None:
            return int(found[1])
    return 0


def _server_time(row: Row[Any], sender_at: int | None) -> int:
    """A time of the run's machine on the server's clock; 0 for none."""
    return 0 if sender_at is None else sender_at - int(row.clock_skew or 0)


def _progress_at(row: Row[Any]) -> int:
    began: int = row.first_sign_at or row.claimed_at
    return max(_server_time(row, row.solver_sender_at), began)


def _is_silent(row: Row[Any], moment: Moment) -> bool:
    heard: int = row.last_life_at or row.first_sign_at or row.claimed_at
    return moment.now - heard > STALLED


def _vitals(connection: Connection, row: Row[Any], moment: Moment) -> list[Vitals]:
    """What the machine did in the silence; half an hour of samples at most a minute apart is enough."""
    cores = msgspec.json.decode(row.facts, type=Facts).cpu_cores or FEWEST_CORES
    since = max(row.last_life_at or row.claimed_at, moment.now - 2 * STALLED)
    found = connection.execute(
        select(samples.c.received_at, samples.c.body)
        .where(
            samples.c.run_id == row.id,
            samples.c.kind == "vitals",
            samples.c.step == 0,
            samples.c.received_at > since,
        )
        .order_by(samples.c.received_at)
    ).all()
    vitals = []
    for sample in found:
        values = msgspec.json.decode(sample.body, type=dict[str, Any])
        gpu, cpu = values.get("gpu"), values.get("cpu")
        busy = cpu * cores / 100 if isinstance(cpu, (int, float)) else None
        vitals.append(Vitals(sample.received_at, gpu if isinstance(gpu, (int, float)) else None, busy))
    return vitals


def _flag(connection: Connection, moment: Moment, row: Row[Any], stall: Stall) -> None:
    connection.execute(
        update(runs)
        .where(runs.c.id == row.id)
        .values(
            flag=stall.flag,
            flag_reason=stall.reason,
            flagged_at=moment.now if stall.flag else None,
        )
    )
    record(
        connection,
        moment.now,
        f"run_flag_{stall.flag}" if stall.flag else "run_flag_off",
        worker_id=row.worker_id,
        assignment_id=row.assignment_id,
        run_id=row.id,
        was=row.flag,
        reason=stall.reason,
    )
    if stall.flag:
        note(connection, moment, row.id, f"{stall.flag.replace('_', ' ').capitalize()}: {stall.reason}.", "warning")
    store_runs.touched(connection, row.id, row.worker_id)


def _may_end(row: Row[Any], moment: Moment) -> bool:
    return (
        moment.end_stalled_after is not None
        and row.kind == "agent"
        and row.directive == "continue"
        and row.flagged_at is not None
        and moment.now - row.flagged_at >= moment.end_stalled_after
    )


def _end(connection: Connection, moment: Moment, row: Row[Any]) -> None:
    """As the settings say: the run ends as failed, its agent is fenced and ends the processes."""
    reason = f"ended because it was stalled: {row.flag_reason}"
    store_runs.end(connection, moment, row, RunState.FAILED, reason)

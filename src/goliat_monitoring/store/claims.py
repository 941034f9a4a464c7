"""Claims: one conditional change of state in one transaction. Who may have what is decided in `fleet`.

Agents that ask at the same moment are answered together (`claim_together`): a first attempt, which nearly all are,
costs a share of a few statements for all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, bindparam, select

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import assignments, driver, portions, queue, runs, tables, workers
from goliat_monitoring.store.bulk import fetch_later, rows_of
from goliat_monitoring.store.events import record
from goliat_monitoring.store.grants import Granted, grant, secret_hash
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.queue import Board, Free
from goliat_monitoring.wire.agent import CaseRef, Job, Wish
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.errors import Refused
from goliat_monitoring.wire.ids import new_id, new_secret

_NAME = select(tables.super_studies.c.name).where(tables.super_studies.c.id == bindparam("one"))
_WHO = """
    SELECT s.id, s.worker_id, s.ended_at, w.wish, w.facts, (
        SELECT r.id FROM runs AS r
        WHERE r.worker_id = w.id AND r.state IN ('claimed', 'running', 'unreachable') LIMIT 1
    ) FROM {rows} JOIN sessions AS s ON s.id = v.c0 JOIN workers AS w ON w.id = s.worker_id
"""
_FIRST = """
    SELECT a.id, a."index", a.config, s.name FROM {rows}
    JOIN assignments AS a ON a.id = v.c0 JOIN super_studies AS s ON s.id = a.super_study_id
"""
_CASES = """
    SELECT c.assignment_id, c.case_key, c.relative_path, c.details FROM {rows}
    JOIN cases AS c ON c.assignment_id = v.c0 ORDER BY c.assignment_id, c.ordinal
"""


class Ask(NamedTuple):
    """An agent that asks for work, and when."""

    moment: Moment
    worker_id: str
    session_id: str


class Turn(NamedTuple):
    """What it is told. Without a job, `change` is when time alone may bring one (UTC microseconds), None for never."""

    job: Job | None
    wish: Wish
    change: int | None = None


class _Worker(NamedTuple):
    """Who asks. `held`: its live run."""

    id: str
    facts: str
    wish: Wish
    held: str | None


def claim_by_name(connection: Connection, moment: Moment, assignment_id: str, machine_id: str, ip: str) -> str:
    """A bare client claims this very assignment. Returns the run. Raises `Refused` 404 or 409 saying who holds it."""
    assignment = assignments.get(connection, assignment_id)
    _refuse_stopped_study(connection, assignment)
    worker_id, _ = workers.of_machine(connection, moment, machine_id, ip)
    workers.seen(connection, moment, worker_id, ip)
    return grant(connection, moment, assignment, worker_id, "bare", by_name=True, ip=ip).run_id


def claim_next_for_machine(connection: Connection, moment: Moment, machine_id: str, ip: str) -> str | None:
    """The assignment that this machine holds, else the next free one; None when there is none."""
    worker_id, _ = workers.of_machine(connection, moment, machine_id, ip)
    workers.seen(connection, moment, worker_id, ip)
    held = runs.newest_live(connection, [worker_id])
    if held is not None and held.assignment_id is not None and held.judge_at is None:
        return str(held.assignment_id)
    found = queue.deal(connection, moment, {worker_id: workers.get(connection, worker_id).facts}).get(worker_id)
    if found is None:
        return None
    grant(connection, moment, _turn_of(connection, moment, found, worker_id), worker_id, "bare", by_name=False, ip=ip)
    return found.assignment_id


def claim_together(connection: Connection, asked: Sequence[Ask]) -> list[Turn | Exception]:
    """Answer agents that ask for work, all at the moment of the newest of them: the next free assignment, or the one
    whose claim it never heard the answer of.

    `Refused` 409 for whoever already runs something, or whose session has ended.
    """
    moment = asked[-1].moment
    answers: list[Turn | Exception | None] = [None] * len(asked)
    free, again = dict[str, tuple[int, _Worker]](), list[int]()
    known, waiting = _who(connection, moment, asked)
    for number, (ask, worker) in enumerate(zip(asked, known, strict=True)):
        if worker is None:
            answers[number] = Refused(409, "this session has ended", "open a session again", {"sessionEnded": True})
        elif worker.held is not None:
            answers[number] = _held(connection, moment, worker, ask.session_id)
        elif worker.wish != "active":
            answers[number] = Turn(None, worker.wish)
        elif worker.id in free:
            again.append(number)
        else:
            free[worker.id] = number, worker
    jobs = _deal(connection, moment, {who: asked[number].session_id for who, (number, _) in free.items()},
                 {who: worker.facts for who, (_, worker) in free.items()}, waiting) if free else {}  # fmt: skip
    change = queue.next_change(connection, moment) if len(jobs) < len(free) else None
    for who, (number, worker) in free.items():
        job = jobs.get(who)
        answers[number] = job if isinstance(job, Exception) else Turn(job, worker.wish, None if job else change)
    if again:
        # It asked twice and may have got something by the first.
        second = claim_together(connection, [asked[number] for number in again])
        for number, answer in zip(again, second, strict=True):
            answers[number] = answer
    return [answer for answer in answers if answer is not None]


def claim_next_for_agent(connection: Connection, moment: Moment, worker_id: str, session_id: str) -> Job | None:
    """`claim_together` for one agent alone. Raises `Refused`."""
    (answer,) = claim_together(connection, [Ask(moment, worker_id, session_id)])
    if isinstance(answer, Exception):
        raise answer
    return answer.job


def _who(connection: Connection, moment: Moment, asked: Sequence[Ask]) -> tuple[list[_Worker | None], Board]:
    """The workers that ask, None where the session is another's or over; and what waits for them."""
    source = rows_of(connection, tables.sessions, ("id",))
    sessions, workers_asking = {ask.session_id for ask in asked}, {ask.worker_id for ask in asked}
    with driver.one_journey(connection):
        rows = fetch_later(connection, _WHO, source, [(session_id,) for session_id in sessions])
        board = queue.board(connection, moment, workers_asking)
    found = {
        (session_id, worker_id): _Worker(worker_id, facts, wish, held)
        for session_id, worker_id, ended_at, wish, facts, held in rows()
        if ended_at is None
    }
    return [found.get((ask.session_id, ask.worker_id)) for ask in asked], board()


def _held(connection: Connection, moment: Moment, worker: _Worker, session_id: str) -> Turn | Refused:
    """An agent that asks although it has a live run."""
    held = runs.get(connection, str(worker.held))
    # Unreachable and asking anew: it forgot the run it had (its state folder was lost), so that one is lost too.
    forgotten = held.state == RunState.UNREACHABLE
    if held.assignment_id is None or (held.first_sign_at is not None and not forgotten):
        return Refused(
            409,
            "this worker already runs something",
            f"run {held.id} is {held.state}; end it first, or let it be given up",
            {"runId": held.id},
        )
    try:
        job = _granted(connection, moment, assignments.get(connection, held.assignment_id), worker.id, session_id)
    except Refused as refused:
        return refused
    return Turn(job, worker.wish)


def _deal(
    connection: Connection, moment: Moment, sessions: Mapping[str, str], facts: Mapping[str, str], waiting: Board
) -> dict[str, Job | Refused]:
    """By worker, its job. `sessions` and `facts`: by worker."""
    dealt: Mapping[str, Free] = queue.deal(connection, moment, facts, waiting)
    first = {who: found for who, found in dealt.items() if found.untried}
    jobs = dict[str, Job | Refused](_begin(connection, moment, sessions, first))
    for who, found in dealt.items():
        if who not in jobs:
            try:
                jobs[who] = _granted(connection, moment, _turn_of(connection, moment, found, who), who, sessions[who])
            except Refused as refused:
                jobs[who] = refused
    return jobs


def _begin(
    connection: Connection, moment: Moment, sessions: Mapping[str, str], first: Mapping[str, Free]
) -> dict[str, Job]:
    """Open the first run of each of these assignments, by worker."""
    if not first:
        return {}
    opened = [
        runs.Opened(new_id(), who, sessions[who], it.assignment_id, it.super_study_id, new_secret())
        for who, it in first.items()
    ]
    source, ids = rows_of(connection, tables.assignments, ("id",)), [(it.assignment_id,) for it in opened]
    with driver.one_journey(connection):
        about = fetch_later(connection, _FIRST, source, ids)
        asked = fetch_later(connection, _CASES, source, ids)
        started = assignments.start_first(connection, moment, [(it.assignment_id, it.run_id) for it in opened])
        runs.open_first(connection, moment, [it._replace(fence=secret_hash(it.fence)) for it in opened])
    if len(started()) != len(opened):
        raise RuntimeError("an assignment changed between its turn in the queue and its claim")
    cases = dict[str, list[CaseRef]]()
    for assignment_id, key, path, details in asked():
        cases.setdefault(assignment_id, []).append(CaseRef(key, path, details))
    of = {assignment_id: rest for assignment_id, *rest in about()}
    jobs = dict[str, Job]()
    for it in opened:
        place, config, study_name = of[it.assignment_id]
        jobs[it.worker_id] = Job(
            run_id=it.run_id,
            fence=it.fence,
            assignment_id=it.assignment_id,
            super_study_id=it.super_study_id,
            study_name=study_name,
            index=place,
            attempt=1,
            config=msgspec.json.decode(config),
            cases=cases.get(it.assignment_id, []),
            lease_s=moment.lease / SECOND,
        )
    return jobs


def _granted(
    connection: Connection, moment: Moment, assignment: Row[tuple[Any, ...]], worker_id: str, session_id: str
) -> Job:
    """A further attempt, or the same run again. Raises `Refused` 409."""
    granted: Granted = grant(
        connection, moment, assignment, worker_id, "agent", by_name=False, session_id=session_id
    )  # fmt: skip
    # A first attempt is of the whole assignment.
    config = portions.config_of(connection, granted.run_id) if granted.attempt > 1 else None
    return Job(
        run_id=granted.run_id,
        fence=granted.fence,
        assignment_id=assignment.id,
        super_study_id=assignment.super_study_id,
        study_name=connection.execute(_NAME, {"one": assignment.super_study_id}).scalar_one(),
        index=assignment._mapping["index"],  # noqa: SLF001 - `Row.index` is the tuple's method
        attempt=granted.attempt,
        config=msgspec.json.decode(config or assignment.config),
        cases=[
            CaseRef(case.key, case.relative_path, case.details)
            for case in portions.cases_of(connection, config, assignment.id)
        ],
        lease_s=moment.lease / SECOND,
    )


def _turn_of(connection: Connection, moment: Moment, found: Free, worker_id: str) -> Row[tuple[Any, ...]]:
    """The assignment's row; that it is taken from an unreachable worker is put down."""
    if found.unreachable:
        record(connection, moment.now, "assignment_offered", assignment_id=found.assignment_id, worker_id=worker_id)
    return assignments.get(connection, found.assignment_id)


def _refuse_stopped_study(connection: Connection, assignment: Row[tuple[Any, ...]]) -> None:
    study = connection.execute(
        select(tables.super_studies).where(tables.super_studies.c.id == assignment.super_study_id)
    ).one()
    if study.cancelled:
        raise Refused(409, "the super study is cancelled", f"{study.name}: nothing of it can be claimed")

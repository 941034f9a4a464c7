"""The queue: which assignment each worker gets next. The rules are those of `fleet.why` and `fleet.claims.claim_order`.

Workers that ask at the same moment are dealt to together, in the same few statements whether they are one or a hundred.
A claim costs the same however much waits: the index of the queue leads from one *lane*, the pending assignments of one
study with the same requirements, to the next, and of each lane that somebody may have only the first few are read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from goliat_monitoring.fleet import dealing
from goliat_monitoring.fleet.dealing import Asker, Head
from goliat_monitoring.fleet.leases import is_its_turn
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.store import driver, tables
from goliat_monitoring.store.bulk import fetch, fetch_later, marked, rows_of
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.study.requirements import MachineFacts, Requirements
from goliat_monitoring.wire.agent import Facts

assignments, studies, runs = tables.assignments, tables.super_studies, tables.runs
# Heads of a lane that are read beyond one for each worker that asks: some of them may wait for better workers.
SPARE = 8

_WAITING = """
    WITH RECURSIVE lanes(id, study, demand) AS (
        SELECT * FROM (
            SELECT id, super_study_id, requirements FROM assignments
            WHERE state = 'PENDING' ORDER BY super_study_id, requirements, "index" LIMIT 1
        ) AS first
        UNION ALL
        SELECT n.id, n.super_study_id, n.requirements FROM lanes JOIN assignments AS n ON n.id = coalesce(
            (
                SELECT a.id FROM assignments AS a
                WHERE a.state = 'PENDING' AND a.super_study_id = lanes.study AND a.requirements > lanes.demand
                ORDER BY a.requirements, a."index" LIMIT 1
            ),
            (
                SELECT a.id FROM assignments AS a
                WHERE a.state = 'PENDING' AND a.super_study_id > lanes.study
                ORDER BY a.super_study_id, a.requirements, a."index" LIMIT 1
            )
        )
    )
    SELECT lanes.study, s.priority, s.created_at, lanes.demand, s.retries_stopped, NULL, NULL, 0, 0
    FROM lanes JOIN super_studies AS s ON s.id = lanes.study
    WHERE NOT s.paused AND NOT s.cancelled
    UNION ALL
    SELECT a.super_study_id, s.priority, s.created_at, a.requirements, s.retries_stopped,
        a.id, r.worker_id, r.lease_until, a."index"
    FROM runs AS r
    JOIN assignments AS a ON a.id = r.assignment_id
    JOIN super_studies AS s ON s.id = a.super_study_id
    WHERE r.state IN ('claimed', 'running', 'unreachable') AND r.state = 'unreachable' AND r.lease_until <= {value}
    AND NOT s.paused AND NOT s.cancelled AND NOT a.cancel_asked
    ORDER BY 2 DESC, 3, 1, 9
"""
_HEADS = """
    SELECT id, "index", attempts, prefer_until, vram_above, counts_from FROM assignments
    WHERE state = 'PENDING' AND super_study_id = {value} AND requirements = {value} AND "index" > {value} AND (
        attempts = 0 OR ({value} AND (not_before IS NULL OR not_before <= {value}))
    )
    ORDER BY "index" LIMIT {value}
"""
# The causes are those of `fleet.causes.BLAMES_WORKER`.
_FAILED_ON = """
    SELECT r.assignment_id, r.worker_id FROM {rows} JOIN runs AS r ON r.assignment_id = v.c0
    WHERE r.attempt > v.c1 AND r.cause IN ('error', 'fast', 'lost', 'memory')
"""
_SET_ASIDE = """
    SELECT x.super_study_id, x.worker_id FROM {rows} JOIN set_aside AS x ON x.worker_id = v.c0 WHERE x.lifted_at IS NULL
"""


class Free(NamedTuple):
    """What a worker may have. `untried`: nobody had it before. `unreachable`: another worker's run of it, which is not
    heard, has to end first.
    """

    assignment_id: str
    super_study_id: str
    untried: bool = False
    unreachable: bool = False


class Lane(NamedTuple):
    """Pending assignments of one study with the same requirements, `demand`, as text."""

    study: str
    demand: str
    retries_stopped: bool


class Offered(NamedTuple):
    """What an unreachable worker, `holder`, has held for too long."""

    study: str
    demand: str
    assignment_id: str
    holder: str
    lease_until: int


class Board(NamedTuple):
    """What waits, in the order of studies: their lanes, and what is on offer of them. `aside`: (study, worker) where
    that worker gets nothing.
    """

    waiting: Sequence[Lane | Offered]
    aside: frozenset[tuple[str, str]]


def board(connection: Connection, moment: Moment, workers: Iterable[str]) -> Callable[[], Board]:
    """What waits, for these workers. To be called in a block of `driver.one_journey`; the answer is there after it."""
    # Nothing of the time before the quiet time is on offer in it.
    until = moment.now - moment.offer_after if moment.now >= moment.quiet_until else 0
    waiting = driver.fetch_later(connection, marked(connection, _WAITING), (until,))
    source = rows_of(connection, tables.workers, ("id",))
    aside = fetch_later(connection, _SET_ASIDE, source, [(who,) for who in workers])
    return lambda: Board([_waits(*row) for row in waiting()], frozenset((study, who) for study, who in aside()))


def _waits(
    study: str, _priority: int, _created_at: int, demand: str, retries_stopped: str,
    assignment_id: str | None, holder: str, lease_until: int, _index: int,
) -> Lane | Offered:  # fmt: skip
    if assignment_id is None:
        return Lane(study, demand, bool(retries_stopped))
    return Offered(study, demand, assignment_id, holder, lease_until)


def deal(
    connection: Connection, moment: Moment, facts: Mapping[str, str], waiting: Board | None = None
) -> dict[str, Free]:
    """By worker, the assignment that is its turn; nobody else's at the same moment. Who gets nothing is missing.

    `facts`: of free workers, by id, in the order in which they asked. `waiting`: the `board` for these workers, or for
    more, where it was read already. The order is that of `fleet.claims.claim_order`.
    """
    if waiting is None:
        with driver.one_journey(connection):
            read = board(connection, moment, facts)
        waiting = read()
    machines = {who: machine_of(text) for who, text in facts.items()}
    found, last = dict[str, Free](), list[Offered]()
    for study, of_study in groupby(waiting.waiting, key=lambda it: it.study):
        lanes, lost = list[Lane](), list[Offered]()
        for it in of_study:
            if isinstance(it, Lane):
                lanes.append(it)
            elif is_its_turn(it.lease_until, moment.now, moment.offer_after):
                lost.append(it)
            else:
                last.append(it)
        askers = {
            who: machine for who, machine in machines.items() if who not in found and (study, who) not in waiting.aside
        }
        taken = _of_lost(lost, askers)
        found |= taken
        askers = {who: machine for who, machine in askers.items() if who not in taken}
        if askers and lanes:
            found |= _of_study(connection, moment, lanes, askers)
        if len(found) == len(machines):
            return found
    for it in last:
        free = {who: one for who, one in machines.items() if who not in found and (it.study, who) not in waiting.aside}
        found |= _of_lost([it], free)
    return found


def _of_study(
    connection: Connection, moment: Moment, lanes: Sequence[Lane], machines: Mapping[str, MachineFacts]
) -> dict[str, Free]:
    """What a study has for these workers. Further heads are read only where those at hand did not suit."""
    demands = {lane.demand: requirements_of(lane.demand) for lane in lanes}
    askers = [
        Asker(who, it.vram_bytes, frozenset(text for text, demand in demands.items() if demand.meets(it).met))
        for who, it in machines.items()
    ]
    wanted = frozenset[str]().union(*(asker.meets for asker in askers))
    reached = {lane.demand: -1 for lane in lanes if lane.demand in wanted}
    heads, untried, found = list[Head](), set[str](), dict[str, Free]()
    horizon = -1
    while reached and askers:
        limit = len(askers) + SPARE
        for demand in [demand for demand, place in reached.items() if place <= horizon]:
            page, new = _heads(connection, moment, lanes[0], demand, reached[demand], limit)
            heads += page
            untried |= new
            if len(page) < limit:
                del reached[demand]
            else:
                reached[demand] = page[-1].place
        # Beyond that place, another lane may still have one that comes before.
        horizon = min(reached.values(), default=max((head.place for head in heads), default=0))
        ready = sorted((head for head in heads if head.place <= horizon), key=lambda head: head.place)
        heads = [head for head in heads if head.place > horizon]
        dealt = dealing.deal(ready, askers, moment.now)
        found |= {
            who: Free(head.assignment_id, lanes[0].study, untried=head.assignment_id in untried)
            for who, head in dealt.items()
        }
        askers = [asker for asker in askers if asker.worker_id not in dealt]
    return found


def _heads(
    connection: Connection, moment: Moment, of: Lane, demand: str, after: int, limit: int
) -> tuple[list[Head], set[str]]:  # fmt: skip
    """The next assignments of a lane of the study `of`, and which of them nobody had before."""
    values = (of.study, demand, after, not of.retries_stopped, moment.now, limit)
    rows = driver.fetch(connection, marked(connection, _HEADS), values)
    failed = failed_on(connection, [(one, counts_from) for one, _, _, until, _, counts_from in rows if until])
    heads = [
        Head(one, place, demand, prefer_until, vram_above, failed.get(one, frozenset()))
        for one, place, _, prefer_until, vram_above, _ in rows
    ]
    return heads, {one for one, _, attempts, *_ in rows if attempts == 0}


def failed_on(connection: Connection, choosy: Sequence[tuple[str, int]]) -> dict[str, frozenset[str]]:
    """By assignment, the workers that failed it. `choosy`: each with the number of its attempts that do not count."""
    found = dict[str, set[str]]()
    if choosy:
        source = rows_of(connection, assignments, ("id", "counts_from"))
        for assignment_id, worker_id in fetch(connection, _FAILED_ON, source, choosy):
            found.setdefault(assignment_id, set()).add(worker_id)
    return {assignment_id: frozenset(workers) for assignment_id, workers in found.items()}


def _of_lost(offered: Iterable[Offered], machines: Mapping[str, MachineFacts]) -> dict[str, Free]:
    """Of what unreachable workers hold, each to the first of these others that meets its requirements."""
    found = dict[str, Free]()
    for it in offered:
        demand = requirements_of(it.demand)
        for who, machine in machines.items():
            if who not in found and who != it.holder and demand.meets(machine).met:
                found[who] = Free(it.assignment_id, it.study, unreachable=True)
                break
    return found


def next_change(connection: Connection, moment: Moment) -> int | None:
    """When time alone may make something claimable: the end of a pause, of a preference, or of an unreachable run's
    grace. None where nothing waits for a time."""
    again = assignments.c.not_before, assignments.c.prefer_until
    waits = [
        connection.execute(select(func.min(column)).where(tables.AGAIN, column > moment.now)).scalar()
        for column in again
    ]
    lost = connection.execute(
        select(func.min(runs.c.lease_until)).where(
            tables.LIVE_RUN,
            runs.c.state == RunState.UNREACHABLE,
            runs.c.assignment_id.is_not(None),
            # The others are on offer, unless it is too early for any.
            runs.c.lease_until > (moment.now - moment.offer_after if moment.now >= moment.quiet_until else 0),
        )
    ).scalar()
    if lost is not None:
        waits.append(max(lost + moment.offer_after, moment.quiet_until))
    return min((at for at in waits if at is not None and at > moment.now), default=None)


def machine_of(facts: str) -> MachineFacts:
    """What the requirements are held against, from the JSON of `wire.agent.Facts`."""
    known = msgspec.json.decode(facts, type=Facts)
    return MachineFacts(known.gpu_name, known.vram_bytes, tuple(known.tags), known.goliat_version)


@lru_cache(maxsize=1024)
def requirements_of(stored: str) -> Requirements:
    """Requirements as an assignment's row holds them."""
    return Requirements.from_json(msgspec.json.decode(stored))

"""The future of all super studies, from what is stored: facts are gathered here, `fleet.outlook` decides."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, func, select

from goliat_monitoring.fleet.outlook import Block, Future, Outlook, RunFacts, Underway, Waiting, WorkerFacts, outlook
from goliat_monitoring.fleet.presence import presence
from goliat_monitoring.fleet.progress import learned_phases
from goliat_monitoring.fleet.rates import Kind, Speed, learn
from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import OFFER_AFTER_LEASE, OFFER_IN_TURN
from goliat_monitoring.store import tables, timings
from goliat_monitoring.store.predictions import UNKNOWN_S, Predictions
from goliat_monitoring.store.queue import failed_on
from goliat_monitoring.store.read.repeats import Asked, further_attempts
from goliat_monitoring.store.read.runs import LIVE
from goliat_monitoring.store.read.underway import UnderWay, under_way
from goliat_monitoring.study.requirements import MachineFacts, RequirementProblem, Requirements
from goliat_monitoring.study.weights import known_rate
from goliat_monitoring.wire.agent import Facts
from goliat_monitoring.wire.clock import SECOND

assignments, studies, cases, workers = tables.assignments, tables.super_studies, tables.cases, tables.workers
runs = tables.runs

# So many waiting assignments take half a second of a slow processor.
MANY = 10_000
_MANY_WAIT = (
    select(func.count())
    .select_from(select(assignments.c.id).where(assignments.c.state == "PENDING").limit(MANY + 1).subquery())
)  # fmt: skip

# Whose turn it is among studies: priority, the higher one first, then when it was created, then its id.
_Turn = tuple[int, int, str]


def look_ahead(connection: Connection, now: int, offer_after: int = OFFER_AFTER_LEASE) -> Outlook:
    """When everything will be done as things stand at `now`, UTC microseconds. Nothing is written.

    `offer_after`: microseconds, see `fleet.leases.may_be_offered`.
    """
    return _Look(connection, now, offer_after).told()


def is_long(connection: Connection) -> bool:
    """Whether so much waits that looking ahead takes long. Cheap."""
    return bool(connection.execute(_MANY_WAIT).scalar_one() > MANY)


class NewStudy(NamedTuple):
    """A study that somebody thinks of. `key`: another one for another config. `blocks`: by assignment, in order."""

    key: str
    config: dict[str, Any]
    blocks: Sequence[Sequence[tuple[str, str, float, int]]]
    priority: int = 0
    demand: Requirements = Requirements()


def look_ahead_to(connection: Connection, now: int, study: NewStudy, offer_after: int = OFFER_AFTER_LEASE) -> Future:
    """When a study would be done that was created at `now`, behind all that waits and is not less urgent."""
    return _Look(connection, now, offer_after).told_of(study)


class _Look:
    def __init__(self, connection: Connection, now: int, offer_after: int) -> None:
        self._connection, self._now, self._offer_after = connection, now, offer_after
        self._predictions = Predictions(connection)
        self._facts = {
            row.id: (msgspec.json.decode(row.facts, type=Facts), row)
            for row in connection.execute(select(workers).where(workers.c.wish != "removed").order_by(workers.c.id))
        }
        self._blocks = self._missing()
        self._phases = timings.phases(connection)

    def told(self) -> Outlook:
        return self._outlook([waiting for _, waiting in self._queue()])

    def told_of(self, study: NewStudy) -> Future:
        self._predictions.know(study.key, study.config)
        demand = self._meeting(msgspec.json.encode(study.demand.to_json()).decode(), None)
        own = [
            Waiting(
                f"{study.key}#{index}", study.key,
                [Block(Kind(study.key, it[0], it[1]), it[2], it[3]) for it in part],
                demand,
            )
            for index, part in enumerate(study.blocks)
        ]  # fmt: skip
        queue = self._queue()
        before = [waiting for (urgency, _, _), waiting in queue if -urgency >= study.priority]
        after = [waiting for (urgency, _, _), waiting in queue if -urgency < study.priority]
        return self._outlook([*before, *own, *after], study.key).studies[study.key]

    def _outlook(self, queue: Sequence[Waiting], planned: str = "") -> Outlook:
        # Of an unreachable run nobody knows whether it goes on: another worker is foretold to take what it holds.
        live = [it for it in under_way(self._connection) if it.state != RunState.UNREACHABLE]
        rates = learn(timings.newest(self._connection), [it for run in live for it in self._speed(run)])
        runs = [self._run(it) for it in live]
        return outlook(rates, self._workers(), runs, queue, self._predictions.on_gpu, planned)

    def _workers(self) -> list[WorkerFacts]:
        return [
            WorkerFacts(
                key, facts.gpu_name,
                takes=row.wish == "active" and presence(row.kind, row.last_seen, self._now, row.left_at) != "offline",
            )
            for key, (facts, row) in self._facts.items()
        ]  # fmt: skip

    def _missing(self) -> dict[str, list[Block]]:
        """By assignment that waits or runs, what lies before it."""
        found, study_of = dict[str, list[Block]](), dict[str, str]()
        query = (
            select(
                cases.c.assignment_id, assignments.c.super_study_id, cases.c.phantom, cases.c.frequency,
                func.sum(cases.c.weight).label("weight"), func.count().label("how_many"),
            )
            .join(assignments, assignments.c.id == cases.c.assignment_id)
            # What was split again is asked for by others now.
            .where(
                assignments.c.state.in_(("PENDING", "RUNNING")),
                assignments.c.replaced_at.is_(None),
                cases.c.state.not_in(("done", "moved")),
            )
            .group_by(cases.c.assignment_id, assignments.c.super_study_id, cases.c.phantom, cases.c.frequency)
        )  # fmt: skip
        for assignment_id, study_id, phantom, frequency, weight, how_many in self._connection.execute(query).all():
            block = Block(Kind(study_id, phantom, frequency), weight, how_many)
            found.setdefault(assignment_id, []).append(block)
            study_of[assignment_id] = study_id
        for assignment_id, asked in further_attempts(self._connection).items():
            if assignment_id in found:
                found[assignment_id] = _together(study_of[assignment_id], asked)
        return found

    def _run(self, run: UnderWay) -> RunFacts:
        # A sender's clock may be off; its worker's skew is known.
        facts, row = self._facts.get(run.worker_id, (Facts(), None))
        skew = row.clock_skew or 0 if row is not None else 0
        age = (self._now - run.claimed_at) / SECOND
        rest = self._blocks.get(run.assignment_id, [])
        if not run.cases_known:
            rest = _unknown(run.study_id, (run.total or 1) - run.done)
        if run.began_at is None or not (run.case_key or not run.cases_known):
            return RunFacts(run.run_id, run.assignment_id, run.study_id, run.worker_id, rest, age=age)
        kind = Kind(run.study_id, run.phantom, run.frequency)
        weight = run.weight or UNKNOWN_S
        prior = self._predictions.phases(kind, facts.gpu_name)
        begin, end = run.span(learned_phases(prior, self._phases.get(run.study_id, ())))
        elapsed = (self._now + skew - run.began_at) / SECOND
        return RunFacts(
            run.run_id, run.assignment_id, run.study_id, run.worker_id, _without(rest, kind, weight),
            Underway(kind, weight, elapsed, begin, end), age,
        )  # fmt: skip

    def _speed(self, run: UnderWay) -> list[Speed]:
        """What the solver's own lines say about its worker, where the model knows the GPU."""
        facts, _ = self._facts.get(run.worker_id, (Facts(), None))
        known = known_rate(facts.gpu_name)
        kind = Kind(run.study_id, run.phantom, run.frequency)
        cost = self._predictions.cost(kind, facts.gpu_name) if run.case_key else None
        if not run.mcells_per_s or known is None or cost is None or not cost.cells_per_s:
            return []
        return [Speed(run.worker_id, run.mcells_per_s * 1e6 / cost.cells_per_s, cost.solver_s / cost.seconds)]

    def _queue(self) -> list[tuple[_Turn, Waiting]]:
        """What waits with its study's turn, in the order of claims; what is paused or cancelled does not wait."""
        aside: dict[str, set[str]] = {}
        for row in self._connection.execute(select(tables.set_aside).where(tables.set_aside.c.lifted_at.is_(None))):
            aside.setdefault(row.super_study_id, set()).add(row.worker_id)
        pending = self._pending(aside)
        # If nothing else waits it is taken as soon as it is on offer, else in its turn, which comes later.
        offered = list(self._offered(aside, OFFER_IN_TURN if pending else 1))
        # Of a study first what is offered, as `fleet.claims.claim_order` has it: sorting keeps that.
        return sorted([*offered, *pending], key=lambda it: it[0]) if offered else pending

    def _offered(self, aside: Mapping[str, Collection[str]], times: int) -> Iterator[tuple[_Turn, Waiting]]:
        """What unreachable workers hold, for others, once it has been on offer so many times as long as it takes."""
        rows = self._connection.execute(
            select(
                assignments.c.id, assignments.c.super_study_id, assignments.c.requirements,
                assignments.c.expected_total, runs.c.worker_id, runs.c.lease_until, studies.c.priority,
                studies.c.created_at,
            )
            .join(assignments, assignments.c.id == runs.c.assignment_id)
            .join(studies, studies.c.id == assignments.c.super_study_id)
            .where(
                LIVE, runs.c.state == RunState.UNREACHABLE, studies.c.paused.is_(False),
                studies.c.cancelled.is_(False), assignments.c.cancel_asked.is_(False),
            )
            .order_by(studies.c.priority.desc(), studies.c.created_at, studies.c.id, assignments.c.index)
        )  # fmt: skip
        for row in rows.all():
            yield (
                (-row.priority, row.created_at, row.super_study_id),
                Waiting(
                    row.id,
                    row.super_study_id,
                    self._blocks.get(row.id) or _unknown(row.super_study_id, row.expected_total or 1),
                    self._meeting(row.requirements, {row.worker_id, *aside.get(row.super_study_id, ())}),
                    max(row.lease_until + times * self._offer_after - self._now, 0) / SECOND,
                ),
            )

    def _pending(self, aside: Mapping[str, Collection[str]]) -> list[tuple[_Turn, Waiting]]:
        rows = self._connection.execute(
            select(
                assignments.c.id, assignments.c.super_study_id, assignments.c.requirements, assignments.c.not_before,
                assignments.c.expected_total, assignments.c.attempts, assignments.c.prefer_until,
                assignments.c.vram_above, assignments.c.counts_from, studies.c.retries_stopped, studies.c.priority,
                studies.c.created_at,
            )
            .join(studies, studies.c.id == assignments.c.super_study_id)
            .where(assignments.c.state == "PENDING", studies.c.paused.is_(False), studies.c.cancelled.is_(False))
            .order_by(studies.c.priority.desc(), studies.c.created_at, studies.c.id, assignments.c.index)
        ).all()  # fmt: skip
        choosy = [(row.id, row.counts_from) for row in rows if (row.prefer_until or 0) > self._now]
        failed = failed_on(self._connection, choosy)
        allowed: dict[tuple[str, str], frozenset[str] | None] = {}
        queue = []
        for row in rows:
            key = row.super_study_id, row.requirements
            if key not in allowed:
                allowed[key] = self._meeting(row.requirements, aside.get(row.super_study_id))
            waiting = Waiting(
                row.id,
                row.super_study_id,
                self._blocks.get(row.id) or _unknown(row.super_study_id, row.expected_total or 1),
                frozenset() if row.attempts and row.retries_stopped else allowed[key],
                max((row.not_before or 0) - self._now, 0) / SECOND,
            )
            if (row.prefer_until or 0) > self._now:
                better, patient = self._first(row, failed.get(row.id, frozenset()))
                waiting = waiting._replace(first=better, patient=patient)
            queue.append(((-row.priority, row.created_at, row.super_study_id), waiting))
        return queue

    def _first(self, row: Any, failed: Collection[str]) -> tuple[frozenset[str], float]:
        """The workers for which an assignment waits, and for how long, seconds: see `fleet.retry.After`."""
        better = frozenset(
            key
            for key, (facts, _) in self._facts.items()
            if key not in failed and (row.vram_above is None or facts.vram_bytes > row.vram_above)
        )
        return better, (row.prefer_until - self._now) / SECOND

    def _meeting(self, text: str, aside: Collection[str] | None) -> frozenset[str] | None:
        """The workers that meet requirements and were not set aside; None where any will do."""
        wanted: dict[str, Any] = msgspec.json.decode(text)
        if not wanted and not aside:
            return None
        try:
            demand = Requirements.from_json(wanted)
        except RequirementProblem:
            return frozenset()
        return frozenset(
            key
            for key, (facts, _) in self._facts.items()
            if key not in (aside or ())
            and demand.meets(MachineFacts(facts.gpu_name, facts.vram_bytes, facts.tags, facts.goliat_version)).met
        )


def _unknown(study_id: str, how_many: int) -> list[Block]:
    """Simulations that nobody knows anything about but their number."""
    count = max(how_many, 1)
    return [Block(Kind(study_id, "", ""), UNKNOWN_S * count, count)]


def _together(study_id: str, asked: Iterable[Asked]) -> list[Block]:
    """Simulations as blocks of a kind."""
    sums: dict[Kind, tuple[float, int]] = {}
    for it in asked:
        kind = Kind(study_id, it.phantom, it.frequency)
        weight, count = sums.get(kind, (0.0, 0))
        sums[kind] = weight + it.weight, count + 1
    return [Block(kind, weight, count) for kind, (weight, count) in sums.items()]


def _without(blocks: Sequence[Block], kind: Kind, weight: float) -> list[Block]:
    """Blocks without the simulation at work."""
    rest = []
    for block in blocks:
        if block.kind != kind:
            rest.append(block)
        elif block.simulations > 1:
            rest.append(Block(kind, max(block.weight - weight, 0.0), block.simulations - 1))
    return rest

"""Why an assignment is not running: every rule of the queue with its verdict, and for each worker why not there.

The same rules decide a claim; there the database applies them, so that a claim need not look at all that waits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from goliat_monitoring.fleet.states import AssignmentState, Presence, RunState
from goliat_monitoring.study.requirements import MachineFacts, Requirements
from goliat_monitoring.wire.clock import iso

# Rules about the moment: a worker that breaks only these may have the assignment later.
_AT_HAND = ("presence", "busy")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule: `rule` is its name, `ok` whether it lets the assignment run, `text` says so to a person."""

    rule: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An assignment as the rules see it. Times in UTC microseconds, memory in bytes.

    `retries_stopped`: why nothing of its study is tried again, "" where it is. `failed_on`: workers that failed it.
    `vram_above`: it ran out of memory on a GPU with so much. `ask`: what a person must decide.
    """

    state: AssignmentState
    requirements: Requirements = Requirements()  # noqa: RUF009 -- it cannot be changed
    study_paused: bool = False
    study_cancelled: bool = False
    retries_stopped: str = ""
    attempts: int = 0
    not_before: int | None = None
    prefer_until: int | None = None
    failed_on: frozenset[str] = frozenset()
    vram_above: int | None = None
    ask: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A worker as the rules see it. `runs`: what it is busy with, "" when it is free. `set_aside`: why it gets
    nothing of this study, "" where it does."""

    worker_id: str
    name: str
    facts: MachineFacts
    wish: str = "active"
    presence: Presence = Presence.ONLINE
    runs: str = ""
    set_aside: str = ""


@dataclass(frozen=True, slots=True)
class WorkerWhy:
    """Why one worker does not run it; `ok`: it would take it with its next claim, if it is its turn."""

    worker_id: str
    name: str
    ok: bool
    verdicts: Sequence[Verdict]


@dataclass(frozen=True, slots=True)
class Why:
    """`answer`: one sentence. `rules`: about the assignment, in the order in which they are looked at."""

    answer: str
    rules: Sequence[Verdict]
    workers: Sequence[WorkerWhy]


@dataclass(frozen=True, slots=True)
class Live:
    """The live run of the assignment, if it has one."""

    state: RunState
    worker: str
    lease_until: int


def claimable(waiting: Waiting, now: int) -> list[Verdict]:
    """The rules that hold for every worker. The assignment can be given out when all are met."""
    again = waiting.attempts > 0
    stopped = waiting.retries_stopped if again else ""
    early = waiting.not_before is not None and waiting.not_before > now
    state = f"It is {waiting.state.lower()}" + (f": {waiting.ask}." if waiting.ask else ".")
    return [
        Verdict("state", waiting.state is AssignmentState.PENDING, state),
        Verdict(
            "study_cancelled",
            not waiting.study_cancelled,
            "Its study is cancelled." if waiting.study_cancelled else "Its study is not cancelled.",
        ),
        Verdict(
            "study_paused",
            not waiting.study_paused,
            "Its study is paused." if waiting.study_paused else "Its study is not paused.",
        ),
        Verdict(
            "retries_stopped",
            not stopped,
            f"Nothing of its study is tried again: {stopped}." if stopped else "Its study's retries are not stopped.",
        ),
        Verdict(
            "not_before",
            not early,
            f"It is tried again from {iso(waiting.not_before or 0)} on." if early else "It has no pause to wait for.",
        ),
    ]


def suits(waiting: Waiting, worker: Machine, now: int) -> list[Verdict]:
    """Whether this worker may have it once it asks, rule by rule."""
    demand = waiting.requirements.meets(worker.facts)
    patient = waiting.prefer_until is not None and waiting.prefer_until > now
    until = f" (until {iso(waiting.prefer_until)})" if patient and waiting.prefer_until is not None else ""
    failed = patient and worker.worker_id in waiting.failed_on
    small = patient and waiting.vram_above is not None and worker.facts.vram_bytes <= waiting.vram_above
    return [
        Verdict(
            "wish",
            worker.wish == "active",
            "It takes work." if worker.wish == "active" else f"It is {worker.wish} and gets nothing new.",
        ),
        Verdict("requirements", demand.met, f"{demand.reason[:1].upper()}{demand.reason[1:]}." if not demand.met
                else "It meets the requirements."),
        Verdict(
            "set_aside",
            not worker.set_aside,
            f"It is set aside for this study: {worker.set_aside}." if worker.set_aside else "It is not set aside.",
        ),
        Verdict(
            "failed_here",
            not failed,
            f"It failed this assignment; another worker is preferred{until}." if failed else "Nothing speaks against "
            "it.",
        ),
        Verdict(
            "more_memory",
            not small,
            f"Its GPU has no more memory than the one that ran out of it; a larger one is preferred{until}."
            if small else "Its GPU's memory is not in question.",
        ),
    ]  # fmt: skip


def at_hand(worker: Machine) -> list[Verdict]:
    """Whether the worker is there to ask for it."""
    present = worker.presence is Presence.ONLINE
    return [
        Verdict("presence", present, "It is heard." if present else f"It is {worker.presence}."),
        Verdict("busy", not worker.runs, f"It runs {worker.runs}." if worker.runs else "It is free."),
    ]


def may_have(waiting: Waiting, worker: Machine, now: int) -> bool:
    """Whether a worker that asks now may be given this assignment, if it is its turn."""
    return all(verdict.ok for verdict in (*claimable(waiting, now), *suits(waiting, worker, now)))


def why_not(waiting: Waiting, workers: Iterable[Machine], now: int, *, ahead: int = 0, live: Live | None = None) -> Why:
    """The whole answer. `ahead`: how many assignments that can be given out come before this one."""
    out = _not_queued(waiting, live)
    come = "1 assignment comes first." if ahead == 1 else f"{ahead} assignments come first."
    order = Verdict("order", not ahead, come if ahead else "It is the next one.")
    rules = [*claimable(waiting, now), order if out is None else Verdict("order", False, out.text)]
    looked = [
        WorkerWhy(worker.worker_id, worker.name, all(it.ok for it in verdicts), verdicts)
        for worker in workers
        if (verdicts := [*([out] if out else []), *at_hand(worker), *suits(waiting, worker, now)])
    ]
    fit = [it for it in looked if all(verdict.ok for verdict in it.verdicts if verdict.rule not in _AT_HAND)]
    some = Verdict(
        "a_worker_fits",
        bool(fit),
        f"{len(fit)} of {len(looked)} workers may have it." if looked else "There is no worker.",
    )
    return Why(_answer([*rules, some], looked, live), [*rules, some], looked)


def _not_queued(waiting: Waiting, live: Live | None) -> Verdict | None:
    """What keeps it from every worker: that it is not in the queue. None where it is."""
    if waiting.state is AssignmentState.PENDING:
        return None
    state = waiting.state.lower()
    if live is not None and live.state is RunState.UNREACHABLE:
        state = f"held by {live.worker}, which is not heard"
    return Verdict("queued", False, f"It is not in the queue: it is {state}.")


def _answer(rules: Sequence[Verdict], workers: Sequence[WorkerWhy], live: Live | None) -> str:
    if live is not None:
        if live.state is RunState.UNREACHABLE:
            return (
                f"It is held by {live.worker}, which is not heard; its lease ended at {iso(live.lease_until)}. If it "
                "stays so, it is offered to others."
            )
        return f"It is {'claimed' if live.state is RunState.CLAIMED else 'running'} on {live.worker}."
    blocking = next((it for it in rules if not it.ok and it.rule != "order"), None)
    if blocking is not None and blocking.rule == "a_worker_fits" and workers:
        nearest = min(workers, key=lambda worker: sum(not it.ok for it in worker.verdicts))
        # That it is away or busy would be no reason.
        first = next(it.text for it in nearest.verdicts if not it.ok and it.rule not in _AT_HAND)
        return f"No worker may have it, {nearest.name} for example: {first}"
    if blocking is not None:
        return blocking.text
    ready = [it for it in workers if it.ok]
    order = next(it for it in rules if it.rule == "order")
    if not ready:
        return "Every worker that may have it is busy or not heard."
    return f"{ready[0].name} takes it with its next claim." if order.ok else f"It waits for its turn: {order.text}"

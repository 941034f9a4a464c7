"""Which run a bare client's message belongs to. It carries no run id, so time on the sender's clock must tell.

Boundaries do not depend on the order of arrival: each GOLIAT process counts its log batches from 0, so a second batch
with sequence 0 whose lines are later than the first one's begins another session. What was sent no later than a short
while after a run's closing message belongs to that run, however late it arrives.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from goliat_monitoring.fleet.states import RunState
from goliat_monitoring.fleet.timing import LATE_AFTER_CLOSE, LATE_BARE
from goliat_monitoring.wire.clock import SECOND

# With a newer run waiting to speak (claimed again after a memory error) only the real tail belongs to the old one:
# GOLIAT stops its sender 3 s after `finished`.
TAIL = 5 * SECOND
# Messages are stamped when sent, lines when written; a session's first message may be a little older than its
# first line or the other way round.
START_SLACK = 2 * SECOND


@dataclass(frozen=True, slots=True)
class BareRun:
    """What matters of one run of the sender. Times on the sender's clock, except `claimed_at`."""

    run_id: str
    state: RunState
    sequence0_at: int | None
    finished_at: int | None


@dataclass(frozen=True, slots=True)
class BareMessage:
    """`sequence0_at`: time of the first line of a batch with sequence 0, else None. `life`: a study must be alive."""

    sent_at: int
    sequence0_at: int | None
    life: bool


class Action(Enum):
    """What to do with a message."""

    KEEP = auto()  # it belongs to `run_id`
    OPEN = auto()  # it begins a new run; `run_id`, if given, was the same process's predecessor and is over


@dataclass(frozen=True, slots=True)
class Choice:
    action: Action
    run_id: str | None = None


def speakers(known: Iterable[Any], now: int) -> list[Any]:
    """Which of the workers of one machine id a message may come from, the newest seen first: those heard lately. Where
    none is, the one heard last; one that people removed only where no other fits. Several: it is ambiguous.

    `known`: things with `last_seen` (UTC microseconds, as `now`) and `wish`.
    """
    newest = sorted(known, key=lambda worker: worker.last_seen, reverse=True)
    live = [worker for worker in newest if worker.last_seen > now - LATE_BARE]
    listed = [worker for worker in newest if worker.wish != "removed"]
    return [worker for worker in live if worker.wish != "removed"] or live[:1] or listed[:1] or newest[:1]


def choose_run(runs: Sequence[BareRun], message: BareMessage) -> Choice:
    """The run that `message` belongs to. `runs`: those of the sender, newest first; a few are enough."""
    if not runs:
        return Choice(Action.OPEN)
    if message.sequence0_at is not None:
        return _session_start(runs, message.sequence0_at)
    for position, run in enumerate(runs):
        older = runs[position + 1] if position + 1 < len(runs) else None
        began = run.sequence0_at
        if began is not None and older is not None and message.sent_at < began - START_SLACK:
            continue  # sent before this session began: an earlier one's
        if run.finished_at is not None:
            return _after_finish(run, message)
        if (
            began is None
            and older is not None
            and older.finished_at is not None
            and message.sent_at <= older.finished_at + TAIL
        ):
            return Choice(Action.KEEP, older.run_id)  # the tail of the one before
        return Choice(Action.KEEP, run.run_id)
    return Choice(Action.KEEP, runs[-1].run_id)


def is_newest(began: int | None, finished_at: int | None, sent_at: int, sequence0_at: int | None) -> bool:
    """Whether a message belongs to the sender's newest run whatever the older ones are: nearly always.

    `began`, `finished_at`: `sequence0_at` and `finished_at` of that run; the others are the message's. True only where
    `choose_run` keeps to the newest run without a look at others.
    """
    if began is None or finished_at is not None:
        return False
    return sent_at >= began - START_SLACK if sequence0_at is None else sequence0_at == began


def _session_start(runs: Sequence[BareRun], began: int) -> Choice:
    """Where a batch with sequence 0 belongs whose first line was written at `began`."""
    same = next((run for run in runs if run.sequence0_at == began), None)
    if same is not None:
        return Choice(Action.KEEP, same.run_id)
    for position, run in enumerate(runs):
        older = runs[position + 1] if position + 1 < len(runs) else None
        if run.sequence0_at is not None and began < run.sequence0_at:
            continue
        if run.sequence0_at is None and run.finished_at is None and older is not None and _may_begin(older, began):
            continue
        if run.sequence0_at is None and _may_begin(run, began):
            return Choice(Action.KEEP, run.run_id)
        # Later than this run's own start or end: another session. Only after the newest run can it be a new one.
        return Choice(Action.OPEN, run.run_id) if position == 0 else Choice(Action.KEEP, runs[position - 1].run_id)
    return Choice(Action.KEEP, runs[-1].run_id)


def _may_begin(run: BareRun, began: int) -> bool:
    """Whether a session that wrote its first line at `began` can be this run's, of which no start is known."""
    if run.sequence0_at is not None:
        return False
    return began <= run.finished_at if run.finished_at is not None else not run.state.terminal


def _after_finish(run: BareRun, message: BareMessage) -> Choice:
    assert run.finished_at is not None  # noqa: S101 - the caller looked
    if message.sent_at <= run.finished_at + LATE_AFTER_CLOSE:
        return Choice(Action.KEEP, run.run_id)
    # The window of a finished study may go on sending its last percentage; only a living study begins a run.
    return Choice(Action.OPEN, run.run_id) if message.life else Choice(Action.KEEP, run.run_id)

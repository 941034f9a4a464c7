"""Who may have an assignment, decided from facts; the caller carries the decision out in one conditional update."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from goliat_monitoring.fleet import timing
from goliat_monitoring.fleet.leases import may_be_offered
from goliat_monitoring.fleet.states import AssignmentState, RunState
from goliat_monitoring.wire.clock import iso


@dataclass(frozen=True, slots=True)
class Holder:
    """The live run of an assignment. `spoke`: a sign of life came after the claim. `reported_end`: it said `finished`
    or `memory_error` and waits for its judgement."""

    worker_id: str
    worker_name: str
    run_id: str
    state: RunState
    spoke: bool
    lease_until: int
    reported_end: bool = False


class LastRun(NamedTuple):
    """The newest run of the assignment, live or not. `finished_heard`: it said `finished` or `memory_error`."""

    worker_id: str
    state: RunState
    finished_heard: bool


@dataclass(frozen=True, slots=True)
class Claimer:
    """Who asks. `wish`: active, paused, draining or removed."""

    worker_id: str
    kind: str
    wish: str


@dataclass(frozen=True, slots=True)
class Grant:
    """A new run. `ends`: the live run that ends first, as `end_as`, or judged by its evidence where that is None."""

    reason: str
    ends: str | None = None
    end_as: RunState | None = None
    new_run: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Same:
    """The claimer's own run, which has not spoken yet: answered again, unchanged."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """409. `text` says why and what to do: the client prints it and ends."""

    text: str
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An assignment that could be given out. `unreachable`: it has an unreachable run and may be offered; `overdue`:
    and has been on offer for so long that it is its turn.
    """

    assignment_id: str
    priority: int
    study_created: int
    index: int
    unreachable: bool = False
    study_id: str = ""
    overdue: bool = False


def decide_claim(
    assignment_state: AssignmentState,
    holder: Holder | None,
    last_run: LastRun | tuple[str, RunState, bool] | None,
    claimer: Claimer,
    now: int,
    by_name: bool,
    quiet_until: int = 0,
    offer_after: int = timing.OFFER_AFTER_LEASE,
) -> Grant | Same | Refuse:
    """Whether `claimer` gets the assignment.

    `holder`: its live run, if any. `by_name`: the claimer asked for this assignment and not just for work. `now` and
    `quiet_until`: server clock, UTC microseconds; they and `offer_after`: see `may_be_offered`.
    """
    if claimer.wish != "active" and not by_name:
        return Refuse(f"This worker is {claimer.wish} and gets no new work. Activate it on the dashboard first.")
    if assignment_state in (AssignmentState.COMPLETED, AssignmentState.CANCELLED):
        return Refuse(
            f"The assignment is {assignment_state.value}. Choose another one, or reset this one on the dashboard to "
            "run it again."
        )
    if holder is not None and not holder.state.terminal:
        if holder.worker_id == claimer.worker_id:
            return _own(holder, last_run)
        return _anothers(holder, now, quiet_until, offer_after)
    if assignment_state is AssignmentState.FAILED and not by_name:
        return Refuse("The assignment has failed. Claim it by its number, or retry it on the dashboard.")
    again = assignment_state is AssignmentState.FAILED
    return Grant("claimed by name after a failure" if again else "claimed")


def claim_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """In the order to give out: higher priority, older super study, of a study first what is overdue, lower index; and
    after all of that what is unreachable and not overdue.
    """

    def turn(it: Candidate) -> tuple[bool, int, int, str, bool, int]:
        last = it.unreachable and not it.overdue
        return last, -it.priority, it.study_created, it.study_id, not it.overdue, it.index

    return sorted(candidates, key=turn)


def _own(holder: Holder, last_run: LastRun | tuple[str, RunState, bool] | None) -> Grant | Same | Refuse:
    heard_end = last_run is not None and last_run[0] == holder.worker_id and last_run[2]
    if holder.reported_end or heard_end or holder.state is RunState.MEMORY_ERROR:
        return Grant("its worker ended the run before and claims again", ends=holder.run_id)
    if holder.state is RunState.UNREACHABLE:
        return Grant("its worker had become unreachable and claims again", ends=holder.run_id, end_as=RunState.LOST)
    if not holder.spoke:
        return Same(holder.run_id)
    return Refuse(
        "This worker is already running this assignment. Wait until it ends, or stop that run on the dashboard.", holder
    )


def _anothers(holder: Holder, now: int, quiet_until: int, offer_after: int) -> Grant | Refuse:
    if may_be_offered(holder.state, holder.lease_until, now, quiet_until, offer_after):
        return Grant(
            f"{holder.worker_name} was not heard, its lease ended at {iso(holder.lease_until)}",
            ends=holder.run_id,
            end_as=RunState.LOST,
        )
    if holder.state is RunState.UNREACHABLE:
        free = max(holder.lease_until + offer_after, quiet_until)
        return Refuse(
            f"The assignment is held by {holder.worker_name}, which is unreachable. It can be claimed from "
            f"{iso(free)} on, or at once after its run is declared lost on the dashboard.",
            holder,
        )
    return Refuse(
        f"The assignment is held by {holder.worker_name} until {iso(holder.lease_until)} (renewed while it is heard). "
        "Choose another assignment, or stop that run on the dashboard.",
        holder,
    )

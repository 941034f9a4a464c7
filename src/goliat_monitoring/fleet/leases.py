"""How long a run is its worker's, and what happens when nothing is heard. All times: server clock, UTC microseconds."""

from typing import Literal

from goliat_monitoring.fleet import timing
from goliat_monitoring.fleet.states import RunState


def lease_until(
    kind: Literal["agent", "bare"], first_sign: int | None, claimed: int, last_sign: int | None, now: int
) -> int:
    """When the lease of a run ends.

    10 minutes after its last sign, or after the claim of an agent's run; 20 minutes after the claim of a bare client
    that has not spoken yet. Times that lie after `now` (the clock was set back) count as now.
    """
    if kind == "bare" and first_sign is None and last_sign is None:
        return min(claimed, now) + timing.FIRST_SIGN
    signs = [claimed, *(sign for sign in (first_sign, last_sign) if sign is not None)]
    return min(max(signs), now) + timing.LEASE


def lease_verdict(state: RunState, lease_until: int, now: int, quiet_until: int) -> Literal["keep", "unreachable"]:
    """Whether a run whose lease ends at `lease_until` becomes unreachable.

    Nothing expires before `quiet_until`: 5 minutes after the server's start or the last jump of its clock.
    """
    if state not in (RunState.CLAIMED, RunState.RUNNING) or now < quiet_until:
        return "keep"
    return "unreachable" if now >= lease_until else "keep"


def may_be_offered(
    state: RunState, lease_until: int, now: int, quiet_until: int = 0, after: int = timing.OFFER_AFTER_LEASE
) -> bool:
    """Whether the assignment of such a run may go to another worker: unreachable, and `after` (20 minutes) passed since
    its lease ended.

    Before `quiet_until` it may not: its worker had no chance to be heard.
    """
    return state is RunState.UNREACHABLE and now >= quiet_until and now >= lease_until + after


def is_its_turn(lease_until: int, now: int, after: int = timing.OFFER_AFTER_LEASE) -> bool:
    """Whether what may be offered no longer comes after all else, but first in its study's turn."""
    return now >= lease_until + timing.OFFER_IN_TURN * after


def clock_jumped(last_tick: int, tick_interval: int, now: int) -> bool:
    """Whether a periodic job, due every `tick_interval`, finds that the clock was set or the machine slept."""
    return not last_tick - timing.CLOCK_JUMP <= now <= last_tick + tick_interval + timing.CLOCK_JUMP


def revived(state: RunState) -> RunState | None:
    """The state that a sign of life brings about; None where nothing changes. A terminal state never changes."""
    return RunState.RUNNING if state in (RunState.CLAIMED, RunState.UNREACHABLE) else None

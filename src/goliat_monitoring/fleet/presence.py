"""Whether a worker is heard, and what it does."""

from goliat_monitoring.fleet import timing
from goliat_monitoring.fleet.states import Presence, RunState, WorkerState

# Beyond this a machine's clock makes its times misleading.
CLOCK_OFF = 60 * timing.SECOND
_TROUBLE = frozenset({RunState.FAILED, RunState.FINISHED_WITH_ERRORS, RunState.MEMORY_ERROR})


def presence(kind: str, last_seen: int, now: int, left_at: int | None = None) -> Presence:
    """Presence of a worker of `kind` (agent or bare), last heard at `last_seen`; server clock, UTC microseconds.

    `left_at`: when its agent last said that it ends itself. If that is the last it said, nobody waits for more.
    """
    silent = now - last_seen
    if silent > timing.OFFLINE or has_left(last_seen, left_at):
        return Presence.OFFLINE
    if silent > (timing.LATE_AGENT if kind == "agent" else timing.LATE_BARE):
        return Presence.LATE
    return Presence.ONLINE


def has_left(last_seen: int, left_at: int | None) -> bool:
    """Whether the last word of a worker's agent was that it ends itself."""
    return left_at is not None and left_at >= last_seen


def worker_state(wish: str, live_run: RunState | None, last_outcome: RunState | None) -> WorkerState:
    """What a worker does.

    `wish`: active, paused, draining, stopping or removed. `live_run`: state of its live run, None without one.
    `last_outcome`: how its last run ended. A paused worker that still has a run is running; a lost or cancelled run is
    no error of the machine.
    """
    if wish in ("draining", "stopping"):
        return WorkerState.DRAINING
    if live_run is not None and not live_run.terminal:
        return WorkerState.RUNNING
    if wish in ("paused", "removed"):
        return WorkerState.PAUSED
    return WorkerState.ERROR if last_outcome in _TROUBLE else WorkerState.IDLE


def clock_is_off(skew: int | None) -> bool:
    """Whether a machine's clock is too far from the server's. `skew`: its clock minus the server's, microseconds."""
    return skew is not None and abs(skew) > CLOCK_OFF

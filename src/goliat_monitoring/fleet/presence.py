"""Whether a worker is heard, and what it does."""

from goliat_monitoring.fleet import timing
from goliat_monitoring.fleet.states import Presence, RunState, WorkerState

# Beyond this a machine's clock makes its times misleading.
CLOCK_OFF = 60 * timing.SECOND
_TROUBLE = frozenset({RunState.FAILED, RunState.FINISHED_WITH_ERRORS, RunState.MEMORY_ERROR})


def presence(kind: str, last_seen: int, now: int) -> Presence:
    """Presence of a worker of `kind` (agent or bare), last heard at `last_seen`; server clock, UTC microseconds."""
    silent = now - last_seen
    if silent > timing.OFFLINE:
        return Presence.OFFLINE
    if silent > (timing.LATE_AGENT if kind == "agent" else timing.LATE_BARE):
        return Presence.LATE
    return Presence.ONLINE


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

"""What is odd about a worker or a run, beside its state, and how much it deserves to be seen."""

from goliat_monitoring.fleet import timing
from goliat_monitoring.fleet.presence import clock_is_off
from goliat_monitoring.server.pages.numbers import span
from goliat_monitoring.server.pages.words import Sign, sign
from goliat_monitoring.store.read.runs import RunSummary
from goliat_monitoring.store.read.workers import WorkerView

ADVICE = {
    "ambiguous_identity": "Several machines speak under one machine id, so nobody can tell which one is meant. "
    "Run the agent on each of them: it gives every machine an identity of its own.",
    "clock_off": "This machine's clock is off by {skew}. Times of its lines are its own. Set its clock.",
    "disk_low": "This machine's disk is nearly full. Free space, or results may be delayed.",
    "stalled": "No sign of the study for half an hour, and its machine was not seen to compute. Look at its log; stop "
    "the run if it hangs, and its missing simulations are computed again.",
    "waiting_for_licence": "The solver starts again and again without progress. Most often no licence is free: it goes "
    "on by itself when one is. If it does not, look at the licence server and at the log.",
    "set_aside": "Several runs of a study failed on this machine, so it gets no more of that study. Take it back when "
    "its trouble is found: goliat-monitoring worker take-back WORKER STUDY",
    "silent_claim": "The assignment was claimed and nothing was heard since. GOLIAT may never have started.",
}


def run_flags(run: RunSummary, now: int) -> list[str]:
    """Flags of one run."""
    if not run.live:
        return []
    if run.state == "claimed":
        return ["silent_claim"] if now - run.claimed_at > timing.FIRST_SIGN else []
    return [run.flag] if run.flag else []


def worker_flags(worker: WorkerView, now: int) -> list[str]:
    """Flags of a worker and of the run it carries."""
    found = run_flags(worker.run, now) if worker.run is not None else []
    if worker.ambiguous:
        found.append("ambiguous_identity")
    if clock_is_off(worker.clock_skew):
        found.append("clock_off")
    if worker.set_aside:
        found.append("set_aside")
    return found + [note for note in worker.notes if note not in found]


def advice(worker: WorkerView, flags: list[str]) -> list[str]:
    """What a person can do about each flag."""
    skew = span(abs(worker.clock_skew or 0) / timing.SECOND)
    return [ADVICE[flag].format(skew=skew) for flag in flags if flag in ADVICE]


def presence_sign(worker: WorkerView, now: int) -> Sign:
    """Whether a worker is heard; one that is not though it holds a run is a warning."""
    plain = sign("presence", worker.presence)
    if worker.presence == "offline" and worker.run is not None and worker.run.live:
        silent = span((now - worker.last_seen) // timing.MINUTE * 60)
        return Sign(plain.icon, f"Offline {silent}, was running", "warn")
    if worker.has_left:
        return Sign(plain.icon, "Offline, ended", plain.tone)
    return plain


def holds(worker: WorkerView) -> bool:
    """Whether a run of this worker is not over."""
    return worker.run is not None and worker.run.live


def rank(worker: WorkerView, flags: list[str]) -> tuple[int, int, str]:
    """Order of workers, worst first: lost with a run, error, odd, running with errors, running, idle, gone."""
    live = holds(worker)
    if worker.presence == "offline":
        place = 0 if live else 7
    elif worker.state == "error":
        place = 1
    elif worker.presence == "late":
        place = 2
    elif flags:
        place = 3
    elif live:
        place = 4 if worker.run is not None and worker.run.errors else 5
    else:
        place = 6
    return place, -(worker.run.errors if live and worker.run is not None else 0), worker.name.casefold()

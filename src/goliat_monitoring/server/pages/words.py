"""How states are shown: icon, word and colour, always all three. The one place that knows."""

from typing import NamedTuple


class Sign(NamedTuple):
    """`icon`: a symbol of icons.svg; `tone`: run, ok, warn, bad or off."""

    icon: str
    word: str
    tone: str


ASSIGNMENT = {
    "PENDING": Sign("ring", "Pending", "off"),
    "ASSIGNED": Sign("dotted-ring", "Assigned", "run"),
    "RUNNING": Sign("triangle", "Running", "run"),
    "COMPLETED": Sign("disc-check", "Completed", "ok"),
    "FAILED": Sign("octagon-x", "Failed", "bad"),
    "CANCELLED": Sign("slashed-ring", "Cancelled", "off"),
}
RUN = {
    "claimed": Sign("dotted-ring", "Assigned", "run"),
    "running": Sign("triangle", "Running", "run"),
    "unreachable": Sign("broken-link", "Unreachable", "warn"),
    "succeeded": Sign("disc-check", "Succeeded", "ok"),
    "finished_with_errors": Sign("diamond-alert", "Finished with errors", "bad"),
    "failed": Sign("octagon-x", "Failed", "bad"),
    "memory_error": Sign("chip", "Memory error", "bad"),
    "lost": Sign("broken-link", "Lost", "bad"),
    "cancelled": Sign("slashed-ring", "Cancelled", "off"),
}
WORKER = {
    "idle": Sign("bar", "Idle", "off"),
    "running": Sign("triangle", "Running", "run"),
    "error": Sign("octagon-alert", "Error", "bad"),
    "draining": Sign("down-arrow", "Draining", "off"),
    "paused": Sign("two-bars", "Paused", "off"),
    "removed": Sign("slashed-ring", "Removed", "off"),
}
PRESENCE = {
    "online": Sign("dot-full", "Online", "ok"),
    "late": Sign("dot-half", "Late", "warn"),
    "offline": Sign("dot-empty", "Offline", "off"),
}
STUDY = {
    "running": Sign("triangle", "Running", "run"),
    "waiting": Sign("ring", "Waiting", "off"),
    "paused": Sign("two-bars", "Paused", "off"),
    "completed": Sign("disc-check", "Completed", "ok"),
    "ended_with_failures": Sign("diamond-alert", "Ended with failures", "bad"),
    "cancelled": Sign("slashed-ring", "Cancelled", "off"),
}
SIMULATION = {
    "pending": Sign("ring", "Pending", "off"),
    "running": Sign("triangle", "Running", "run"),
    "done": Sign("disc-check", "Done", "ok"),
    "elsewhere": Sign("disc-check", "By another try", "off"),
    "failed": Sign("octagon-x", "Failed", "bad"),
    "missing": Sign("slashed-ring", "Missing", "bad"),
    "unproven": Sign("diamond-alert", "Unproven", "warn"),
}
FLAG = {
    "stalled": Sign("hourglass", "Stalled", "warn"),
    "waiting_for_licence": Sign("key", "Waiting for licence", "warn"),
    "ambiguous_identity": Sign("twin-squares", "Ambiguous identity", "warn"),
    "clock_off": Sign("clock", "Clock off", "warn"),
    "disk_low": Sign("disk", "Disk low", "warn"),
    "set_aside": Sign("flag", "Set aside", "bad"),
    "silent_claim": Sign("mute", "Claimed, then silent", "warn"),
}
VERDICT = {
    "ok": Sign("disc-check", "met", "ok"),
    "no": Sign("slashed-ring", "not met", "warn"),
}
TOKEN = {
    "valid": Sign("disc-check", "Valid", "ok"),
    "used": Sign("ring", "Used", "off"),
    "expired": Sign("clock", "Expired", "off"),
    "revoked": Sign("slashed-ring", "Revoked", "off"),
}
FLEET = {
    "Working": Sign("triangle", "Working", "run"),
    "Working with trouble": Sign("octagon-alert", "Working with trouble", "warn"),
    "Waiting for workers": Sign("hourglass", "Waiting for workers", "warn"),
    "Waiting for a person": Sign("octagon-alert", "Waiting for a person", "bad"),
    "Paused": Sign("two-bars", "Paused", "off"),
    "Nothing to do": Sign("disc-check", "Nothing to do", "off"),
    "No workers yet": Sign("ring", "No workers yet", "off"),
}
_TABLES = {
    "assignment": ASSIGNMENT,
    "run": RUN,
    "worker": WORKER,
    "presence": PRESENCE,
    "study": STUDY,
    "simulation": SIMULATION,
    "flag": FLAG,
    "fleet": FLEET,
    "verdict": VERDICT,
    "token": TOKEN,
}
ENDED_BADLY = frozenset({"finished_with_errors", "failed", "memory_error", "lost"})


def sign(kind: str, state: str) -> Sign:
    """The sign of a state; an unknown one is shown by its own name rather than hidden."""
    known = _TABLES[kind].get(state)
    return known or Sign("ring", state.replace("_", " ").capitalize(), "off")


def is_taken_up(assignment_state: str | None) -> bool:
    """Whether somebody takes up, or took up, what a run of the assignment left undone."""
    return assignment_state not in (None, "FAILED", "CANCELLED")


def case_signs(taken_up: bool) -> dict[str, Sign]:
    """The signs of a run's cases. `taken_up`: the run is over, and another one does, or did, what it left undone; so
    nobody must act, and nothing is red."""
    return {
        state: it._replace(tone="warn") if taken_up and it.tone == "bad" else it for state, it in SIMULATION.items()
    }


def run_sign(state: str, assignment_state: str | None, attempt: int) -> Sign:
    """A run that ended badly is red only when nobody takes its work up again."""
    plain = sign("run", state)
    if state not in ENDED_BADLY or not is_taken_up(assignment_state):
        return plain
    if assignment_state == "PENDING":
        return Sign(plain.icon, f"{plain.word}, try {attempt + 1} is due", "warn")
    return Sign(plain.icon, f"{plain.word}, tried again", "warn")

"""One sentence on the state of the fleet: state, counts, cause, consequence."""

from dataclasses import dataclass

from goliat_monitoring.server.pages.numbers import plural


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the sentence is made from. `working`: workers with a live run that are heard. `lost`: names of those not
    heard though they hold a run. `claimable`: heard workers that would take work. `paused`: assignments of paused
    studies that wait. `trouble`: other things that need a person.
    """

    workers: int = 0
    working: int = 0
    lost: tuple[str, ...] = ()
    claimable: int = 0
    queued: int = 0
    paused: int = 0
    failed: int = 0
    trouble: int = 0


def say(fleet: Fleet) -> tuple[str, str]:
    """(state, sentence). The state is a key of `words.FLEET`."""
    if not fleet.workers:
        waits = f" {plural(fleet.queued, 'assignment')} will start with the first one." if fleet.queued else ""
        return "No workers yet", f"Connect a GPU machine.{waits}"
    return _busy(fleet) if fleet.working or fleet.lost else _still(fleet)


def _busy(fleet: Fleet) -> tuple[str, str]:
    queued = f"{plural(fleet.queued, 'assignment')} queued"
    names = ", ".join(fleet.lost[:2]) + (f" and {len(fleet.lost) - 2} more" if len(fleet.lost) > 2 else "")
    silent = f"{names} not heard while holding a run"
    if not fleet.working:
        return "Waiting for workers", f"{silent}. {queued}."
    runs = f"{fleet.working} of {plural(fleet.workers, 'worker')} {'runs' if fleet.working == 1 else 'run'}"
    if fleet.lost:
        return "Working with trouble", f"{runs}; {silent}. {queued}."
    needs = fleet.failed + fleet.trouble
    if needs:
        return "Working with trouble", f"{runs}; {plural(needs, 'thing needs', 'things need')} a person. {queued}."
    return "Working", f"{runs}. {queued}."


def _still(fleet: Fleet) -> tuple[str, str]:
    queued = f"{plural(fleet.queued, 'assignment')} queued"
    if fleet.queued and fleet.claimable:
        takes = plural(fleet.claimable, "worker takes", "workers take")
        return "Working", f"{queued}; {takes} work within seconds."
    if fleet.queued:
        return "Waiting for workers", f"{queued}, and none of {plural(fleet.workers, 'worker')} can take work."
    if fleet.failed:
        return "Waiting for a person", f"{plural(fleet.failed, 'assignment')} failed; nothing else is left to do."
    if fleet.paused:
        return "Paused", f"{plural(fleet.paused, 'assignment')} of paused studies wait to be resumed."
    return "Nothing to do", f"{plural(fleet.workers, 'worker')} known, no assignment waits."

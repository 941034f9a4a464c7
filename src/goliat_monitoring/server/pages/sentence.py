"""One sentence on the state of the fleet: state, counts, cause since when, consequence."""

from dataclasses import dataclass
from typing import NamedTuple

from goliat_monitoring.server.pages.numbers import plural


class Lost(NamedTuple):
    """A worker that is not heard though it holds a run. `since`: when it was last heard; `offered_at`: when another may
    have what it runs. Both UTC microseconds; None: not at all."""

    name: str
    run: str
    since: int
    offered_at: int | None


class Cause(NamedTuple):
    """Something else that is not as it should be. `since`: UTC microseconds, None where nobody noted it."""

    text: str
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the sentence is made from. `working`: workers with a live run that are heard, `late`: those with one that
    are late. `claimable`: heard workers that would take work; `idle_for`: why the others do not, such as "2 offline,
    1 paused". `paused`: assignments of paused studies that wait. `trouble`: things other than failures that need a
    person; `cause`: the newest thing that does. `unfit`: what waits is such that no worker may have it.
    """

    workers: int = 0
    working: int = 0
    late: int = 0
    lost: tuple[Lost, ...] = ()
    claimable: int = 0
    idle_for: str = ""
    queued: int = 0
    paused: int = 0
    failed: int = 0
    trouble: int = 0
    cause: Cause | None = None
    unfit: bool = False


class Said(NamedTuple):
    """`state`: a key of `words.FLEET`. `pieces`: the sentence; numbers in it are times, UTC microseconds."""

    state: str
    pieces: list[str | int]

    @property
    def text(self) -> str:
        """The sentence with a mark for each time."""
        return "".join(piece if isinstance(piece, str) else "(time)" for piece in self.pieces)


def say(fleet: Fleet) -> Said:
    """The state and the sentence."""
    if not fleet.workers:
        waits = f" {plural(fleet.queued, 'assignment')} will start with the first one." if fleet.queued else ""
        return Said("No workers yet", [f"Connect a GPU machine.{waits}"])
    return _busy(fleet) if fleet.working or fleet.late or fleet.lost else _still(fleet)


def _busy(fleet: Fleet) -> Said:
    queued = f"{plural(fleet.queued, 'assignment')} queued."
    runs = f"{fleet.working} of {plural(fleet.workers, 'worker')} {'runs' if fleet.working == 1 else 'run'}"
    if fleet.late:
        runs += f", {fleet.late} {'holds a run but is' if fleet.late == 1 else 'hold a run but are'} late"
    needs = fleet.failed + fleet.trouble
    if fleet.lost:
        if not fleet.working and not fleet.late and not (fleet.queued and fleet.claimable):
            return Said("Waiting for workers", [*_lost(fleet.lost), f" {queued}"])
        return Said("Working with trouble", [f"{runs}; ", *_lost(fleet.lost), f" {queued}"])
    if needs:
        person = f"{plural(needs, 'thing needs', 'things need')} a person"
        return Said("Working with trouble", [f"{runs}; {person}", *_cause(fleet.cause), f". {queued}"])
    return Said("Working", [f"{runs}. {queued}"])


def _lost(lost: tuple[Lost, ...]) -> list[str | int]:
    first = max(lost, key=lambda it: it.since)
    pieces: list[str | int] = [f"{first.name} was last heard ", first.since, f" while it held {first.run}"]
    if first.offered_at is not None:
        pieces += [", which goes to another worker at ", first.offered_at, " unless it is heard again"]
    if len(lost) > 1:
        pieces.append(f"; {plural(len(lost) - 1, 'other worker is', 'other workers are')} silent too")
    return [*pieces, "."]


def _cause(cause: Cause | None) -> list[str | int]:
    if cause is None:
        return []
    return [f". {cause.text}"] if cause.since is None else [f". {cause.text}, since ", cause.since]


def _still(fleet: Fleet) -> Said:
    queued = f"{plural(fleet.queued, 'assignment')} queued"
    if fleet.queued and fleet.claimable and fleet.unfit:
        nobody = f"{queued}, and no worker meets what {'it asks' if fleet.queued == 1 else 'they ask'} for"
        return Said("Waiting for a person", [nobody, *_cause(fleet.cause), "."])
    if fleet.queued and fleet.claimable:
        takes = plural(fleet.claimable, "worker takes", "workers take")
        return Said("Working", [f"{queued}; {takes} work within seconds."])
    if fleet.queued:
        why = f": {fleet.idle_for}" if fleet.idle_for else ""
        none = f"{queued}, and none of {plural(fleet.workers, 'worker')} can take work{why}. It goes on when one can."
        return Said("Waiting for workers", [none])
    if fleet.failed:
        failed = f"{plural(fleet.failed, 'assignment')} failed; nothing else is left to do"
        return Said("Waiting for a person", [failed, *_cause(fleet.cause), "."])
    if fleet.paused:
        return Said("Paused", [f"{plural(fleet.paused, 'assignment')} of paused studies wait to be resumed."])
    needs = f" {plural(fleet.trouble, 'thing needs', 'things need')} a person." if fleet.trouble else ""
    return Said("Nothing to do", [f"{plural(fleet.workers, 'worker')} known, no assignment waits.{needs}"])

"""Which simulation a sign belongs to. Few signs name it; most belong to the one under way when they were made.

There are two clocks. Log lines carry the time of the event. Announcements and stages carry the time of sending, which
a busy queue delays, so that a line of the second simulation can lie before the announced start of the first. Each
kind is therefore attributed by starts of its own kind: lines by "--- Processing Simulation 2/4: ... ---", messages
by `sim_details`.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from goliat_monitoring.fleet import timing
from goliat_monitoring.fleet.signs import Sign, SignKind
from goliat_monitoring.study.cases import Case
from goliat_monitoring.study.results import key_of_details, old_placement

# Cases that are listed one by one where only their number is known; a hostile total costs nothing.
MAX_LISTED = 10_000
_PHASE_ENDS = (SignKind.RUN_DONE, SignKind.EXTRACTED)


@dataclass(slots=True)
class Slot:
    """One expected case and its signs, in order. `tones`: frequencies in one simulation. `started`: it was announced.
    `skipped`: it was not, but a later one was. `doubtful`: the announcement of the next one was not heard, so that an
    end credited to this one may be the next one's."""

    key: str
    name: str
    ordinal: int
    tones: int = 1
    started: bool = False
    skipped: bool = False
    doubtful: bool = False
    signs: list[Sign] = field(default_factory=list)


@dataclass(slots=True)
class Slots:
    """The expected cases: those `listed`, `total` of them in all."""

    listed: list[Slot]
    total: int

    @property
    def unlisted(self) -> int:
        """How many are expected and not listed."""
        return self.total - len(self.listed)

    @property
    def signs(self) -> list[Sign]:
        """The signs of all of them."""
        return [sign for slot in self.listed for sign in slot.signs]


def slots_of(expected: Sequence[Case], expected_total: int | None, ordered: Sequence[Sign]) -> tuple[Slots, list[Sign]]:
    """The expected cases with their signs, and the signs that belong to none. `ordered`: by time."""
    slots, owners = owners_of(expected, expected_total, ordered)
    loose: list[Sign] = []
    begun: list[int] = []
    announced: set[int] = set()
    for sign, owner in zip(ordered, owners, strict=True):
        if sign.kind is not SignKind.SIM_STARTED:
            if owner is None:
                loose.append(sign)
        elif owner is not None:
            owner.started = True
            begun.append(owner.ordinal)
            if not sign.line:
                announced.add(owner.ordinal)
    last = max(begun, default=-1)
    for slot in slots.listed:
        slot.skipped = not slot.started and slot.ordinal < last
        unheard = bool(announced) and slot.ordinal < last and slot.ordinal + 1 not in announced
        slot.doubtful = unheard or sum(sign.kind is SignKind.EXTRACTED for sign in slot.signs) > 1
    return slots, loose


def owners_of(
    expected: Sequence[Case], expected_total: int | None, ordered: Sequence[Sign]
) -> tuple[Slots, list[Slot | None]]:
    """The expected cases with their signs, and of each sign the case that it belongs to. `ordered`: by time."""
    starts = [sign for sign in ordered if sign.kind is SignKind.SIM_STARTED]
    slots = _expected(expected) if expected else _announced(starts, expected_total, ordered)
    by_key = {slot.key: slot for slot in slots.listed}
    if not expected:
        by_key = {alias: slot for slot in slots.listed for alias in _aliases(slot.key)} | by_key
    find = _finder(expected, slots.listed)
    by_line = _timeline([sign for sign in starts if sign.line], find)
    by_message = _timeline([sign for sign in starts if not sign.line], find)

    owners: list[Slot | None] = []
    for sign in ordered:
        if sign.kind is SignKind.SIM_STARTED:
            owners.append(find(sign))
            continue
        if sign.case_key is not None:
            owner = by_key.get(sign.case_key)
        elif sign.line:
            owner = _under_way(by_line or by_message, sign)
        else:
            owner = _under_way(by_message or by_line, sign)
        if owner is not None:
            owner.signs.append(sign)
        owners.append(owner)
    return slots, owners


Finder = Callable[[Sign], Slot | None]
Timeline = list[tuple[int, Slot | None]]


def _expected(expected: Sequence[Case]) -> Slots:
    listed = [
        Slot(case.key, case.details or case.key, ordinal, tones=case.frequency.count("+") + 1)
        for ordinal, case in enumerate(expected)
    ]
    return Slots(listed, len(listed))


def _announced(starts: Sequence[Sign], expected_total: int | None, ordered: Sequence[Sign]) -> Slots:
    """The cases of a config that the server could not resolve: those announced, those whose result came, the rest."""
    listed: dict[str, Slot] = {}
    for sign in starts:
        key = _key_of(sign)
        tones = key.count("+") + 1 if "MHz/" in key else 1
        listed.setdefault(key, Slot(key, sign.text or key, -1 if sign.ordinal is None else sign.ordinal, tones))
    aliases: dict[str, str] = {alias: key for key in listed for alias in _aliases(key)}
    for sign in ordered:
        if sign.kind is SignKind.RESULT and sign.case_key is not None and sign.case_key not in aliases:
            listed.setdefault(sign.case_key, Slot(sign.case_key, sign.case_key, -1))
    total = max(expected_total or 0, len(listed), *(sign.total or 0 for sign in starts), 0)
    used = {slot.ordinal for slot in listed.values()}
    slots = sorted(listed.values(), key=lambda slot: (slot.ordinal < 0, slot.ordinal, slot.key))
    for ordinal in range(min(total, MAX_LISTED)):
        if len(slots) >= min(total, MAX_LISTED):
            break
        if ordinal not in used:
            slots.append(Slot(f"#{ordinal + 1}", f"simulation {ordinal + 1}", ordinal))
    return Slots(slots, total)


def _key_of(sign: Sign) -> str:
    return key_of_details(sign.text) or (sign.text if sign.ordinal is None else f"#{sign.ordinal + 1}")


def _aliases(key: str) -> list[str]:
    """Keys that results of the case may come under: its own, GOLIAT 1.3's order of words, the folders of its tones."""
    parts = key.split("/")
    if len(parts) != 3:
        return [key]
    phantom, frequency, placement = parts
    old = old_placement(placement)
    names = [placement, old] if old else [placement]
    tones = frequency.removesuffix("MHz").split("+")
    frequencies = [frequency, *(f"{tone}MHz" for tone in tones)]
    return [f"{phantom}/{each}/{name}" for each in frequencies for name in names]


def _finder(expected: Sequence[Case], listed: Sequence[Slot]) -> Finder:
    """Which slot an announcement means: by its text, else by its number where there is no text to compare."""
    by_key = {slot.key: slot for slot in listed}
    by_text = {_spaced(case.details): listed[i] for i, case in enumerate(expected) if case.details}

    def find(sign: Sign) -> Slot | None:
        if not expected:
            return by_key.get(_key_of(sign))
        slot = by_text.get(_spaced(sign.text)) if sign.text else None
        if slot is None and sign.ordinal is not None and sign.ordinal < len(expected):
            case = expected[sign.ordinal]
            # Another text means another case: never credited to this one.
            slot = listed[sign.ordinal] if not (sign.text and case.details) else None
        return slot

    return find


def _timeline(starts: Sequence[Sign], find: Finder) -> Timeline:
    """When each simulation began; the twin of an announcement is left out."""
    timeline: Timeline = []
    for sign in starts:
        slot = find(sign)
        if not timeline or timeline[-1][1] is not slot:
            timeline.append((sign.at, slot))
    return timeline


def _under_way(timeline: Timeline, sign: Sign) -> Slot | None:
    """The simulation that had begun last when `sign` was made."""
    index = bisect_right(timeline, sign.at, key=lambda entry: entry[0]) - 1
    if index < 0:
        return None
    at, slot = timeline[index]
    if sign.line or index == 0 or sign.kind not in _PHASE_ENDS or sign.at - at >= timing.OVERTAKE:
        return slot
    # Three threads send: the announcement may have overtaken the end of the simulation before it.
    before = timeline[index - 1][1]
    lacks = before is not None and all(other.kind is not sign.kind for other in before.signs)
    return before if lacks else slot


def _spaced(text: str) -> str:
    return " ".join(text.split()).casefold()

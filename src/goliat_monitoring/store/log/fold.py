"""Folding of repeated neighbours: a retry storm of 24,000 lines becomes a few numbered lines with counts.

A numbered line is a *record*. Records that repeat form a *block*: `period` records, 1 to 4, that follow each other, of
which each says in a `Repeat` how often it came in all. The block's lines came in turn, round after round, so the first
records of a block may have one more than the rest, and the order is known (`unfold` gives it back).

Two lines are the same in one of three ways, which a block's `Kind` names:
- `repeat`: level, source and text are equal; in a block of several, numbers in the text may also grow by one each
  round (`retry attempt 17`), as long as the rounds follow each other within seconds, as in a storm. Nothing is lost.
- `progress`: both are the solver's progress lines. Their values live on as samples; the first and last text are kept.
- `bar`: the new line overwrites the one before, as on a terminal. The first and last state are kept.

A record belongs to one block for good. Blank lines and blocks of more than one record begin only when two rounds stand
there unfolded; what comes after them folds into the second.
"""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Literal

import msgspec

from goliat_monitoring.store.log.counting import Growth, grown, growth_of_parts, parts_of
from goliat_monitoring.store.log.solver import solver_progress
from goliat_monitoring.wire.lines import OVERWRITES, Line, overdrawn, plain

Kind = Literal["repeat", "progress", "bar"]
LONGEST_PERIOD = 4
# How many records of a log decide what the next line does.
REMEMBERED = 2 * LONGEST_PERIOD
# Characters up to which a text's numbers are looked at; longer texts repeat only when equal.
LONGEST_COUNTED = 2000
# Rounds whose numbers grow are a storm only when they come this fast, microseconds; else each is worth its line.
QUICK = 2_000_000
_DIGITS = b"0123456789"
_DIGIT = re.compile("[0-9]").search
_NUMBER = re.compile("[0-9]+").search
# What is known of a text's first number before it is looked for, and where there is none.
UNKNOWN, NONE = -2, -1
# Characters by which two lines are told apart at a glance.
_HEAD = 12
# Beginnings without a digit that were met; a log has few. The set only spares a look at each character.
_calm: set[str] = set()
MOST_CALM = 10_000


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One numbered line: the first of those that folded into it. `time`: the sender's clock, UTC microseconds.

    `text` holds terminal escapes and no carriage return.
    """

    time: int
    level: str
    source: str
    text: str


class Repeat(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How often a record came. `count` includes the first time; `position`: its index in the block, from 0.

    `last_time`, `last_text`: of the last time; the text only where it differs from the record's. A count of 1 is no
    repetition yet: of kind `bar` it says that the next state may overwrite this one; in a block of several records the
    second round has not yet come to this one.
    """

    count: int
    period: int
    position: int
    last_time: int
    last_text: str | None = None
    kind: Kind = "repeat"


class Folded(msgspec.Struct, frozen=True):
    """`new`: records numbered from `first_n` on. `repeats`: what now holds, by number, of new and of older records."""

    new: list[Record]
    first_n: int
    repeats: dict[int, Repeat]


class _Seen(msgspec.Struct, gc=False):
    """What a record's neighbours ask of it. `text` is None where it is too long to be looked at.

    `count` 0: it is in no block. `last`: when it, or its newest repetition, was written.
    """

    record: Record
    text: str | None
    head: str
    last: int
    # Of a text too long to be looked at its digest, else the text without its digits once somebody asks.
    known: bytes | None = None
    cut: list[str] | None = None
    # The first number of the text once somebody asks, -1 if there is none.
    first: int = UNKNOWN
    count: int = 0
    period: int = 1
    kind: Kind = "repeat"
    growing: Growth | None = None

    @property
    def likeness(self) -> bytes:
        if self.known is None:
            self.known = (self.text or "").encode("utf-8", "surrogatepass").translate(None, _DIGITS)
        return self.known

    def parts(self) -> list[str]:
        if self.cut is None:
            self.cut = parts_of(self.text or "")
        return self.cut

    def like(self, other: "_Seen") -> bool:
        """Whether they may be the same: they differ in digits at most. Texts too long to be looked at are equal."""
        return self.likeness == other.likeness and self.beside(other)

    def beside(self, other: "_Seen") -> bool:
        mine, its = self.record, other.record
        return mine.source == its.source and mine.level == its.level

    def shows(self, other: "_Seen") -> bool:
        return self.text == other.text if self.text is not None else self.likeness == other.likeness

    def growth_to(self, other: "_Seen") -> Growth | None:
        """`counting.growth` of two that are like each other."""
        if self.text == other.text:
            return ()
        return growth_of_parts(self.parts(), other.parts())

    def first_number(self) -> int:
        if self.first == UNKNOWN:
            found = _NUMBER(self.text or "")
            self.first = NONE if found is None else int(found[0])
        return self.first

    def may_grow_to(self, other: "_Seen") -> bool:
        """False where `growth_to` is surely None, at a glance: of two short texts."""
        if self.text == other.text:
            return True
        # Most lines made alike differ in their first number, or else in their last.
        first = self.first_number()
        if first == NONE or not first <= other.first_number() <= first + 1:
            return False
        was, now = self.parts(), other.parts()
        return len(was) == len(now) and int(was[-2]) <= int(now[-2]) <= int(was[-2]) + 1


class Fold:
    """The end of one run's log, and what the next line does to it. Memory is bounded whatever the texts are."""

    def __init__(self, next_n: int = 1) -> None:
        """A log whose next record gets the number `next_n` and repeats nothing that came before."""
        self._seen: list[_Seen] = []
        # Records after those, of which nothing had to be known yet.
        self._later: list[Record] = []
        self._next_n = next_n
        self._new: list[Record] = []
        self._repeats: dict[int, Repeat] = {}
        # The record that was counted last.
        self._folded = 0

    @classmethod
    def resume(cls, last: Sequence[tuple[Record, Repeat | None]], next_n: int) -> "Fold":
        """The fold that has numbered what ends with `last` (the last 8 records suffice), in the very same state."""
        fold = cls(next_n)
        for record, repeat in last[-REMEMBERED:]:
            seen = _seen(record)
            if repeat is not None:
                seen.count, seen.period, seen.kind = repeat.count, repeat.period, repeat.kind
                seen.last = repeat.last_time
                if repeat.kind == "repeat" and repeat.period == 1:
                    seen.growing = ()
            fold._seen.append(seen)
        return fold

    def add(self, lines: Sequence[Line]) -> list[int]:
        """Number each of `lines`, or fold it into the block that it continues. Returns the numbers of their records."""
        numbers = list[int]()
        new, later, n = self._new, self._later, self._next_n
        # The four records before the next line, newest first: their texts and how they begin.
        folds_into, (last, second, third, fourth), (head1, head2, head3, head4) = self._glance()
        for line in lines:
            text = line.text
            head = text[:_HEAD]
            # The way of nearly every line: a short look at the beginnings says what `_is_news` would.
            if (
                head in _calm and text != last and not folds_into
                and len(text) <= LONGEST_COUNTED and "\r" not in text and "MCells/s" not in text
                and (head != head2 or _apart(second, text))
                and (head != head3 or _apart(third, text))
                and (head != head4 or _apart(fourth, text))
            ):  # fmt: skip
                record = Record(line.time, line.level, line.source, text)
                later.append(record)
                new.append(record)
                numbers.append(n)
                n += 1
                head1, head2, head3, head4 = head, head1, head2, head3
                last, second, third, fourth = text, last, second, third
            else:
                self._next_n = n
                numbers.append(self._add(line))
                n = self._next_n
                folds_into, (last, second, third, fourth), (head1, head2, head3, head4) = self._glance()
        self._next_n = n
        del later[:-REMEMBERED]
        return numbers

    def _add(self, line: Line) -> int:
        """One line, with all that may have to be known of those before it. Returns the number of its record."""
        seen = self._remember()
        text = line.text
        bar = False
        if "\r" in text:
            text = overdrawn(text)
            bar = text.startswith(OVERWRITES) and solver_progress(text) is None
            text = text.removeprefix(OVERWRITES)
        record = Record(line.time, line.level, line.source, text)
        new = _seen(record)
        if _DIGIT(new.head) is None:
            if len(_calm) >= MOST_CALM:
                _calm.clear()
            _calm.add(new.head)
        if seen and (bar or not self._is_news(seen, new)) and self._folds(seen, new, record, bar=bar):
            return self._folded
        number = self._next_n
        self._new.append(record)
        seen.append(new)
        self._next_n += 1
        if bar:
            new.count, new.kind = 1, "bar"
            self._tell(0, new, record.time, None)
        del seen[:-REMEMBERED]
        return number

    def _remember(self) -> "list[_Seen]":
        """What the next line may ask of the records before it."""
        self._seen += map(_seen, self._later[-REMEMBERED:])
        self._later.clear()
        del self._seen[: -2 * REMEMBERED]
        return self._seen

    def _glance(self) -> "tuple[bool, list[str | None], list[str | None]]":
        """Whether the last record is in a block; texts and beginnings of the last four, newest first.

        None where there is none, and for one too long to be looked at, which nothing short folds into.
        """
        seen = self._remember()[: -LONGEST_PERIOD - 1 : -1]
        none = [None] * (LONGEST_PERIOD - len(seen))
        heads = [it.head if it.text is not None else None for it in seen]
        return bool(seen) and seen[0].count > 0, [it.text for it in seen] + none, heads + none

    def take(self) -> Folded:
        """What came of the lines since the last call. A record's latest `Repeat` replaces those told before."""
        folded = Folded(self._new, self._next_n - len(self._new), self._repeats)
        self._new, self._repeats = [], {}
        return folded

    @staticmethod
    def _is_news(seen: list[_Seen], new: _Seen) -> bool:
        """The way of nearly every line: what it would have to fold into is not there, as a glance shows.

        It folds into the record before it only if that shows the same, and into a block of 2 to 4 only if what stands
        that far back is the same but for numbers that grew by one.
        """
        last, text, head = seen[-1], new.text, new.head
        if last.count or text is None or text == last.text or "MCells/s" in text:
            return False
        counts = _DIGIT(head) is not None
        for before in seen[-LONGEST_PERIOD:-1]:
            if (counts or before.head == head) and before.text is not None and before.may_grow_to(new):
                return False
        return True

    def _folds(self, seen: list[_Seen], new: _Seen, record: Record, *, bar: bool) -> bool:
        last = seen[-1]
        # An open block ends with the last record: what does not continue it is a record of its own.
        if last.count:
            return self._continues(seen[-last.period :], new, record, bar=bar)
        if (bar or solver_progress(record.text) is not None) and self._succeeds(last, new, bar=bar):
            self._open([last], "bar" if bar else "progress", new, record)
            return True
        if bar or new.likeness not in [before.likeness for before in seen[-LONGEST_PERIOD:]]:
            return False
        period = 1 if self._twice(last, new) else self._cycle(new)
        if period:
            self._open(seen[-period:], "repeat", new, record)
        return period > 0

    def _continues(self, block: list[_Seen], new: _Seen, record: Record, *, bar: bool) -> bool:
        position = next((i for i, seen in enumerate(block) if seen.count < block[0].count), 0)
        seen = block[position]
        if seen.kind == "bar":
            fits = bar and seen.beside(new)
        elif seen.kind == "progress":
            fits = seen.beside(new) and solver_progress(record.text) is not None
        else:
            fits = not bar and seen.like(new) and self._is_next(seen, new, record.text, position)
        if fits:
            self._count(position, seen, new, record)
        return fits

    def _is_next(self, seen: _Seen, new: _Seen, text: str, position: int) -> bool:
        if seen.growing is None and seen.period > 1:
            # The round before the block stands right before it.
            seen.growing = self._seen[position - 2 * seen.period].growth_to(seen)
        if not seen.growing:
            return seen.growing is not None and seen.shows(new)
        return new.record.time - seen.last <= QUICK and grown(seen.parts(), seen.growing, seen.count) == text

    def _twice(self, last: _Seen, new: _Seen) -> bool:
        """Whether `new` is the record before it once more."""
        if not last.like(new):
            return False
        if new.text is not None and not plain(new.text).strip():
            before = self._seen[-2] if len(self._seen) > 1 else None
            if before is None or before.count or not before.like(new) or not before.shows(new):
                return False
        # Numbers that grow from one line to the next are news (`tissue 1`, `tissue 2`), not a repetition.
        last.growing = () if last.shows(new) else None
        return last.growing is not None

    def _succeeds(self, last: _Seen, new: _Seen, *, bar: bool) -> bool:
        """Whether `new`, a bar or a progress line, takes the place of the record before it, which is no bar yet."""
        if not last.beside(new) or last.text is None or new.text is None:
            return False
        if bar:
            # What is no bar itself is overwritten only by its own next state: else a bar would hide a line.
            return last.parts()[::2] == new.parts()[::2]
        return solver_progress(last.text) is not None

    def _cycle(self, new: _Seen) -> int:
        """The period, 2 to 4, of which `new` begins a third round; 0 if none."""
        seen = self._seen
        for period in range(2, min(LONGEST_PERIOD, len(seen) // 2) + 1):
            # Most lines that look alike differ in some number: that is seen soonest by the newest two.
            if seen[-period].count or not seen[-period].like(new):
                continue
            step = seen[-period].growth_to(new)
            if step is None:
                continue
            rounds = list(zip(seen[-2 * period : -period], seen[-period:], strict=True))
            if any(a.count or b.count or not a.like(b) for a, b in rounds):
                continue
            growths = [a.growth_to(b) for a, b in rounds]
            if None in growths or growths[0] != step:
                continue
            if not any(growths) or new.record.time - seen[-period].last <= QUICK:
                return period
        return 0

    def _open(self, block: list[_Seen], kind: Kind, new: _Seen, record: Record) -> None:
        """Make the last records a block whose first one `record` repeats."""
        for position, seen in enumerate(block):
            seen.count, seen.period, seen.kind = 1, len(block), kind
            if position:
                self._tell(position, seen, seen.record.time, None)
        self._count(0, block[0], new, record)

    def _count(self, position: int, seen: _Seen, new: _Seen, record: Record) -> None:
        seen.count += 1
        seen.last = record.time
        self._tell(position, seen, record.time, None if seen.shows(new) else record.text)

    def _tell(self, position: int, seen: _Seen, time: int, text: str | None) -> None:
        self._folded = n = self._next_n - seen.period + position
        self._repeats[n] = Repeat(seen.count, seen.period, position, time, text, seen.kind)


def _apart(before: str | None, text: str) -> bool:
    """False unless it shows at a glance that nothing grew by one from `before` to `text` (`_Seen.may_grow_to`). Neither
    is longer than `LONGEST_COUNTED`: Python makes no numbers of thousands of digits.
    """
    if before is None or before == text:
        return before is None
    was, now = _NUMBER(before), _NUMBER(text)
    return was is None or now is None or not 0 <= int(now[0]) - int(was[0]) <= 1


def _seen(record: Record) -> _Seen:
    text = record.text
    return _Seen(record, text, text[:_HEAD], record.time) if len(text) <= LONGEST_COUNTED else _seen_long(record)


def _seen_long(record: Record) -> _Seen:
    # No UTF-8 begins with this byte: a digest is never taken for a text.
    digest = b"\xff" + blake2b(record.text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return _Seen(record, None, record.text[:_HEAD], record.time, digest)

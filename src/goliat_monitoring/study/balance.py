"""A split into parts that keep a number of workers busy until the end, by predicted times.

The heaviest part is cut in two until the workers, each taking the longest part left whenever it is free, finish within
a few per cent of the ideal. Every part stays a product. Between phantoms and frequencies cuts are always sound; a
block, one phantom at one frequency, is cut only where it has to be, and never where GOLIAT combines all directions and
polarizations of the block afterwards.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from goliat_monitoring.study.schedule import makespan
from goliat_monitoring.study.space import Part, Space

# Finish over ideal at which cutting stops. What is promised is 1.10, or 1.06 on the example study.
GOOD_ENOUGH = 1.05
# With parts of a fortieth of a worker's share any order is good enough.
PARTS_PER_WORKER = 40

T = TypeVar("T")


class Balance(NamedTuple):
    """Parts in the order to take them. `ratio`: predicted finish over the ideal."""

    parts: list[Part]
    ratio: float


class Share(NamedTuple):
    """A part and the space it is a part of."""

    space: Space
    part: Part


class _Piece(NamedTuple):
    """A part in the order in which parts are cut. `rank`: 0 to cut first, 1 to cut when no 0 is left, 2 indivisible.

    `path`: which halves led to it; the order of paths is the study's.
    """

    rank: int
    minus_seconds: float
    path: tuple[int, ...]
    space: Space
    part: Part
    halves: list[Part]


Arrange = Callable[[Sequence[_Piece]], list[_Piece]]


def balanced(space: Space, workers: int, most: int) -> Balance:
    """The fewest parts found with which `workers` equal workers finish within 5 % of the ideal; else the best found.

    `most`: how many parts there may be. The study must have a simulation. The order is that of `scouts_first`, or
    longest first where only that is good enough.
    """
    whole = [Share(space, space.whole)]
    shares, ratio = _searched(whole, workers, most, scouts_first)
    if ratio > GOOD_ENOUGH:
        shares, ratio = min(balanced_shares(whole, workers, most), (shares, ratio), key=lambda it: it[1])
    return Balance([share.part for share in shares], ratio)


def balanced_shares(shares: Sequence[Share], workers: int, most: int) -> tuple[list[Share], float]:
    """The same for several parts to begin with, which are cut and never joined, longest first: parts and ratio as of
    `Balance`."""
    return _searched(shares, workers, most, list)


def cut_shares(shares: Sequence[Share], number: int) -> list[Share]:
    """At least `number` parts, as equal as can be, in study order; fewer where nothing is left to cut."""
    ideal = sum(share.space.seconds(share.part) for share in shares) / number
    pieces = _heap(shares, ideal)
    while len(pieces) < number and pieces[0].rank < 2:
        _cut(pieces, ideal)
    return [Share(piece.space, piece.part) for piece in sorted(pieces, key=lambda piece: piece.path)]


def scouts_first(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The lightest parts that show every phantom and frequency, then the others as they stand.

    How long a frequency really takes is known when it was computed once. Longest first, all of the light ones would
    come last, and until then nobody could tell when the study will be done.
    """
    shows = [{*piece.part.phantoms, *piece.part.frequencies} for piece in pieces]
    unseen = set().union(*shows)
    lightest_first = sorted(range(len(pieces)), key=lambda number: -pieces[number].minus_seconds)
    scouts: list[int] = []
    while unseen:
        # Of a tie, the lightest.
        scouts.append(max(lightest_first, key=lambda number: len(shows[number] & unseen)))
        unseen -= shows[scouts[-1]]
    return [pieces[number] for number in dict.fromkeys((*scouts, *range(len(pieces))))]


def _searched(shares: Sequence[Share], workers: int, most: int, arrange: Arrange) -> tuple[list[Share], float]:
    ideal = sum(share.space.seconds(share.part) for share in shares) / workers
    pieces = _heap(shares, ideal)
    best = _measured(pieces, workers, ideal, arrange)
    measured = len(pieces)
    most = min(most, max(PARTS_PER_WORKER * workers, len(pieces)))
    while best[1] > GOOD_ENOUGH and len(pieces) < most and pieces[0].rank < 2:
        _cut(pieces, ideal)
        # Ever larger steps keep the number of looks small where many parts are needed.
        if len(pieces) - measured > len(pieces) // 64:
            measured = len(pieces)
            best = min(best, _measured(pieces, workers, ideal, arrange), key=lambda it: it[1])
    return min(best, _measured(pieces, workers, ideal, arrange), key=lambda it: it[1])


def _heap(shares: Sequence[Share], ideal: float) -> list[_Piece]:
    pieces = [_piece(space, part, (place,), ideal) for place, (space, part) in enumerate(shares)]
    heapq.heapify(pieces)
    return pieces


def _cut(pieces: list[_Piece], ideal: float) -> None:
    """Cut the first piece of the heap in two."""
    cut = heapq.heappop(pieces)
    for side, half in enumerate(cut.halves):
        heapq.heappush(pieces, _piece(cut.space, half, (*cut.path, side), ideal))


def _measured(pieces: Sequence[_Piece], workers: int, ideal: float, arrange: Arrange) -> tuple[list[Share], float]:
    """Longest first (of equals, in study order), then arranged."""
    order = arrange(sorted(pieces, key=lambda piece: (piece.minus_seconds, piece.path)))
    shares = [Share(piece.space, piece.part) for piece in order]
    return shares, makespan([-piece.minus_seconds for piece in order], workers) / ideal


def _piece(space: Space, part: Part, path: tuple[int, ...], ideal: float) -> _Piece:
    seconds = space.seconds(part)
    halves = _coarse_halves(space, part)
    rank = 0
    if halves is None and not space.auto_induced:
        halves = next((found for found in _fine_cuts(space, part) if found), None)
        # A block longer than a worker's whole share has to be cut; others only when everything else is.
        rank = 0 if seconds > ideal else 1
    return _Piece(2 if halves is None else rank, -seconds, path, space, part, halves or [])


def _coarse_halves(space: Space, part: Part) -> list[Part] | None:
    """`part` in two by phantom or by frequency, whichever is more even; of equals by phantom."""
    cuts = [
        _halves(space, part.phantoms, lambda some: replace(part, phantoms=some)),
        _halves(space, part.frequencies, lambda some: replace(part, frequencies=some)),
    ]
    return min((it for it in cuts if it), key=lambda it: max(map(space.seconds, it)), default=None)


def _fine_cuts(space: Space, part: Part) -> Iterator[list[Part] | None]:
    """A block in two, by each list in turn."""
    if not space.near_field:
        if space.whole_degrees:
            yield _halves(space, part.directions, lambda some: replace(part, directions=some))
        yield _halves(space, part.polarizations, lambda some: replace(part, polarizations=some))
        return
    # Scenarios in which this phantom is not placed belong to no half.
    used = tuple(it for it in part.scenarios if space.simulations(replace(part, scenarios=(it,))))
    yield _halves(space, used, lambda some: replace(part, scenarios=some))
    # Only reached with one scenario.
    only = used[0]
    yield _halves(space, only.orientations, lambda some: replace(part, scenarios=(only._replace(orientations=some),)))
    yield _halves(space, only.positions, lambda some: replace(part, scenarios=(only._replace(positions=some),)))


def _halves(space: Space, items: tuple[T, ...], keep: Callable[[tuple[T, ...]], Part]) -> list[Part] | None:
    """Two neighbouring runs of `items` whose weights are as equal as can be; None for fewer than two items."""
    if len(items) < 2:
        return None
    weights = [space.seconds(keep((item,))) for item in items]
    total, left = sum(weights), 0.0
    gaps: list[tuple[float, int]] = []
    for count, weight in enumerate(weights[:-1], 1):
        left += weight
        gaps.append((abs(total - 2 * left), count))
    cut = min(gaps)[1]
    return [keep(items[:cut]), keep(items[cut:])]

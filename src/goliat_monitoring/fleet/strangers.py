"""A claim that never spoke, and a machine that began to speak meanwhile: perhaps the same one under another address.

A bare client says who it is by its address alone. When that changes between its claim and its first message (a VPN, a
new IP), its claim stays silent and a stranger appears with a study of its own. Nothing here merges them: it only says
which pairs a person should be offered, and what speaks for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from goliat_monitoring.fleet.timing import MINUTE

# A GOLIAT speaks within seconds of its start. Until then silence means nothing, unless something else speaks for it.
PATIENCE = 3 * MINUTE


@dataclass(frozen=True, slots=True)
class SilentClaim:
    """A live run of a bare client that was claimed and of which nothing was heard. `expected`: simulations it was
    given, None where nobody knows. Times in UTC microseconds."""

    run_id: str
    assignment_id: str
    study_id: str
    study_name: str
    index: int
    worker_id: str
    worker_name: str
    hostname: str
    claimed_at: int
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Stranger:
    """A live run of a bare client that belongs to no assignment. `total`: simulations it says it has. `details`: the
    simulation it announced last, as GOLIAT writes it. `known_since`: when its worker was first heard."""

    run_id: str
    worker_id: str
    worker_name: str
    hostname: str
    began_at: int
    known_since: int
    total: int | None = None
    details: str = ""


class Offer(NamedTuple):
    """A pair that a person may join. `hints`: what speaks for it."""

    silent: SilentClaim
    stranger: Stranger
    hints: Sequence[str]


def offers(
    silent: Iterable[SilentClaim],
    strangers: Iterable[Stranger],
    cases: dict[str, frozenset[str]],
    now: int,
) -> list[Offer]:
    """The pairs worth a person's look, the most likely first. `cases`: by assignment, the announcements of its
    simulations in lower case; empty while nobody knows them."""
    strangers = list(strangers)
    found = []
    for claim in silent:
        for stranger in strangers:
            hints = _hints(claim, stranger, cases.get(claim.assignment_id, frozenset()))
            if hints is None:
                continue
            if hints or now - claim.claimed_at >= PATIENCE:
                found.append(Offer(claim, stranger, hints))
    return sorted(found, key=lambda it: (-len(it.hints), it.silent.claimed_at, -it.stranger.began_at))


def may_be(claim: SilentClaim, stranger: Stranger) -> bool:
    """Whether nothing that is known rules the pair out: another worker, and it began after the claim."""
    return stranger.worker_id != claim.worker_id and stranger.began_at >= claim.claimed_at


def _hints(claim: SilentClaim, stranger: Stranger, cases: frozenset[str]) -> list[str] | None:
    """What speaks for the pair; None where something speaks against it."""
    if not may_be(claim, stranger):
        return None
    if claim.expected is not None and stranger.total is not None and claim.expected != stranger.total:
        return None
    hints = []
    details = " ".join(stranger.details.split()).casefold()
    if details and cases:
        if details not in cases:
            return None
        hints.append("it computes a simulation of this assignment")
    if claim.hostname and claim.hostname.casefold() == stranger.hostname.casefold():
        hints.append("its hostname is the same")
    if claim.expected is not None and claim.expected == stranger.total:
        hints.append("it has as many simulations")
    if hints and stranger.known_since >= claim.claimed_at:
        hints.append("it was never heard before")
    return hints

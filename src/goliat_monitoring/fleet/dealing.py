"""Dealing out the queue: which of the free workers that ask at the same moment gets which waiting assignment."""

from collections.abc import Sequence
from typing import NamedTuple


class Head(NamedTuple):
    """A waiting assignment near the head of its study's queue. `place`: its index; the lower one is dealt first.

    `demand`: its requirements, as text. `prefer_until`: till then (UTC microseconds) not to `failed_on`, the workers
    that failed it, nor to a GPU with no more memory than `vram_above` bytes.
    """

    assignment_id: str
    place: int
    demand: str
    prefer_until: int | None = None
    vram_above: int | None = None
    failed_on: frozenset[str] = frozenset()


class Asker(NamedTuple):
    """A free worker that asks for work. `meets`: the requirements that it meets. `vram_bytes`: memory of its GPU."""

    worker_id: str
    vram_bytes: int = 0
    meets: frozenset[str] = frozenset()


def deal(heads: Sequence[Head], askers: Sequence[Asker], now: int) -> dict[str, Head]:
    """By worker, what it gets: in the order of asking, each the first of `heads` that it may have and none got before.

    `heads` are of one study, in the order of their places, and none has a pause to wait for. The rules are those of
    `fleet.why.suits`.
    """
    rest, dealt = list(heads), dict[str, Head]()
    for asker in askers:
        for number, head in enumerate(rest):
            if _fits(head, asker, now):
                dealt[asker.worker_id] = rest.pop(number)
                break
    return dealt


def _fits(head: Head, asker: Asker, now: int) -> bool:
    if head.demand not in asker.meets:
        return False
    if head.prefer_until is None or head.prefer_until <= now:
        return True
    small = head.vram_above is not None and asker.vram_bytes <= head.vram_above
    return not small and asker.worker_id not in head.failed_on

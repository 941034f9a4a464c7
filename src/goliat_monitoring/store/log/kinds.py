"""Which lines of a log are wanted, by their level and by their source, and how lines are counted for that.

Counts have keys `level/source`. Chunks that were sealed when levels alone were counted have keys without a source.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

Counts = Mapping[str, int]


class _Kind(Protocol):
    """A line."""

    @property
    def level(self) -> str:
        """GOLIAT's type of it."""

    @property
    def source(self) -> str:
        """The kind of message that brought it, `server` for the server's own."""


class Kinds(NamedTuple):
    """Levels and sources of the lines that are wanted. None of either is any."""

    levels: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.levels or self.sources)

    def holds(self, line: _Kind) -> bool:
        """Whether this line is wanted."""
        return self._holds(line.level, line.source)

    def count(self, counts: Counts) -> int:
        """How many of the lines that were counted are wanted."""
        return sum([many for key, many in counts.items() if self._holds(*key.split("/"))])

    def can_tell(self, counts: Counts) -> bool:
        """Whether it was counted what `count` needs."""
        return not self.sources or all("/" in key for key in counts)

    def _holds(self, level: str, source: str = "") -> bool:
        return (not self.levels or level in self.levels) and (not self.sources or source in self.sources)


ALL = Kinds()


def counted(lines: Iterable[_Kind]) -> dict[str, int]:
    """How many lines of each kind."""
    return dict(Counter([f"{line.level}/{line.source}" for line in lines]))


def by_level(counts: Counts) -> dict[str, int]:
    """How many lines of each level."""
    return _by(counts, 0)


def by_source(counts: Counts) -> dict[str, int]:
    """How many lines of each source, of those whose source was counted."""
    return _by(counts, 1)


def _by(counts: Counts, place: int) -> dict[str, int]:
    found = Counter[str]()
    for key, many in counts.items():
        for name in key.split("/")[place : place + 1]:
            found[name] += many
    return dict(found)

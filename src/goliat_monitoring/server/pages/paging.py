"""Pages of long lists, by number in the address."""

from typing import NamedTuple

MOST = 1_000_000


class Pager(NamedTuple):
    """Which page of how many, from 1. `first`, `last`: its rows, from 1; 0 where there is none."""

    page: int
    pages: int
    first: int
    last: int
    total: int
    size: int

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.page - 1) * self.size

    @classmethod
    def of(cls, total: int, size: int, page: int) -> "Pager":
        """The page asked for, or the last there is."""
        pages = max(-(-total // size), 1)
        page = min(max(page, 1), pages)
        first = (page - 1) * size
        return cls(page, pages, min(first + 1, total), min(first + size, total), total, size)


def number(text: str | None, usual: int = 1) -> int:
    """A number from an address; `usual` for anything else."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > len(str(MOST)):
        return usual
    return min(int(text), MOST)

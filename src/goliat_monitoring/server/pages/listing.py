"""What a viewer asked of a list, kept in its address: filter, search, order, columns, view and page."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from goliat_monitoring.server.pages.paging import number

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Asked:
    """`show`: a filter, `find`: a text to look for, `sort`: a key, with a minus for descending; "" for the list's own.

    `columns`: None for the list's own. `page` counts from 1.
    """

    path: str
    show: str = ""
    find: str = ""
    sort: str = ""
    columns: tuple[str, ...] | None = None
    view: str = ""
    page: int = 1

    def query(self, **changes: Any) -> str:
        """The query of the same list with `changes`. Another filter or order begins at its first page."""
        it = replace(self, **({"page": 1} | changes))
        said = {
            "show": it.show,
            "find": it.find,
            "sort": it.sort,
            "columns": "" if it.columns is None else ",".join(it.columns),
            "view": it.view,
            "page": str(it.page) if it.page > 1 else "",
        }
        return urlencode({name: value for name, value in said.items() if value}, safe=",")

    def href(self, **changes: Any) -> str:
        """The address of the same list with `changes`."""
        query = self.query(**changes)
        return f"{self.path}?{query}" if query else self.path

    @property
    def key(self) -> str:
        """The column by which it is sorted."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the largest comes first."""
        return self.sort.startswith("-")

    def sorted_by(self, key: str, *, largest_first: bool = False) -> str:
        """The address of the list sorted by this column; by the one it is sorted by already: the other way round."""
        begin, other = (f"-{key}", key) if largest_first else (key, f"-{key}")
        return self.href(sort=other if self.sort == begin else begin)


def read_asked(
    path: str,
    query: Mapping[str, Sequence[str]],
    *,
    filters: Collection[str],
    keys: Collection[str],
    columns: Sequence[str],
    views: Collection[str] = (),
) -> Asked:
    """What an address asks, checked: what a list does not know is as if it had not been said."""

    def one(name: str) -> str:
        return (query.get(name) or [""])[-1]

    show, sort, view, page = one("show"), one("sort"), one("view"), one("page")
    wanted = {part for value in query.get("columns", ()) for part in value.split(",")}
    chosen = tuple(key for key in columns if key in wanted)
    return Asked(
        path,
        show=show if show in filters else "",
        find=one("find").strip()[:100],
        sort=sort if sort.removeprefix("-") in keys else "",
        columns=chosen if wanted else None,
        view=view if view in views else "",
        page=number(page),
    )


def in_order(rows: Iterable[Row], key: Callable[[Row], Any], *, descending: bool) -> list[Row]:
    """Rows by `key`, those without a value last either way."""
    rows = list(rows)
    known = [row for row in rows if key(row) is not None]
    unknown = [row for row in rows if key(row) is None]
    return sorted(known, key=key, reverse=descending) + unknown

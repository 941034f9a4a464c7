"""What a tab is."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from goliat_monitoring.fleet.outlook import Outlook
from goliat_monitoring.server.pages.show import Load, Page

Query = Mapping[str, str]


class Made(NamedTuple):
    """A tab as its address asks for it. `query`: the part of the address that it understood."""

    query: dict[str, object]
    load: Load


class Tab(NamedTuple):
    """`make` takes the study's id, the query of the address and the outlook. `live`: it shows what runs are doing."""

    key: str
    name: str
    make: Callable[[str, Query, Outlook], Made]
    live: bool = True


def page_of(tab: Tab, study_id: str, query: Query, future: Outlook) -> Page:
    """The tab as a live part."""
    made = tab.make(study_id, query, future)
    asked = query_text(made.query)
    topics = (f"study:{study_id}", "fleet") if tab.live else (f"study:{study_id}",)
    address = f"/fragments/studies/{quote(study_id, safe='')}/{tab.key}{asked}"
    return Page("studies", address, f"study_{tab.key.replace('-', '_')}.html", topics, made.load)


def query_text(query: Mapping[str, object]) -> str:
    """`?state=FAILED`; what is empty is left out."""
    asked = {name: value for name, value in query.items() if value not in ("", None)}
    return f"?{urlencode(asked)}" if asked else ""

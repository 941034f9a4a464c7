"""What an address asks of a list, and the small pictures in it."""

import pytest

from goliat_monitoring.server.pages.listing import Asked, in_order, read_asked
from goliat_monitoring.server.pages.sparkline import spark

ALL = {"filters": ("idle", "late"), "keys": ("name", "heard"), "columns": ["ip", "gpu", "run"], "views": ("cards",)}


def asked(**query: list[str]) -> Asked:
    return read_asked("/workers", query, **ALL)


@pytest.mark.parametrize(
    "address",
    ["/workers", "/workers?show=idle", "/workers?show=late&find=a+b&sort=-heard&columns=ip,run&view=cards&page=3"],
)
def test_an_address_says_the_same_when_it_is_written_again(address: str) -> None:
    query = dict(part.split("=") for part in address.partition("?")[2].split("&") if part)
    read = asked(**{name: [value.replace("+", " ")] for name, value in query.items()})
    assert read.href(page=read.page) == address


def test_what_nobody_knows_is_left_out() -> None:
    assert asked(show=["all'--"], sort=["-size"], view=["3d"], page=["-1"], columns=["evil"]) == Asked(
        "/workers", columns=()
    )
    assert asked(page=["²"]).page == 1
    assert len(asked(find=["x" * 5000]).find) == 100


def test_the_boxes_of_a_form_are_the_columns_in_their_order() -> None:
    assert asked(columns=["name", "run", "ip"]).columns == ("ip", "run")
    assert asked(columns=["name"]).columns == (), "none of them is a choice too"
    assert asked().columns is None


def test_a_heading_turns_the_order_around_and_begins_at_the_first_page() -> None:
    it = asked(page=["4"])
    assert it.sorted_by("name") == "/workers?sort=name"
    assert it.sorted_by("heard", largest_first=True) == "/workers?sort=-heard"
    assert asked(sort=["name"]).sorted_by("name") == "/workers?sort=-name"
    assert asked(sort=["-name"]).sorted_by("name") == "/workers?sort=name"


def test_what_is_not_known_comes_last_either_way() -> None:
    values = [3, None, 1, 2]
    assert in_order(values, lambda it: it, descending=False) == [1, 2, 3, None]
    assert in_order(values, lambda it: it, descending=True) == [3, 2, 1, None]


def test_a_gap_breaks_the_line_and_one_point_alone_is_seen() -> None:
    line = spark([None] * 54 + [0.0, 100.0, None, None, 40.0, 40.0])
    assert line.lines == ["26,10 27,10", "28,12 29,12"]
    assert line.width == 29
    assert line.words == "40 % now, 45 % on average of 4 min"
    assert spark([None] * 60).lines == []
    assert spark([100.0, 100.0, None, None]).words.startswith("not known now")
    assert spark([100.0, 90.0, None]).words.startswith("90 % now"), "a minute that has just begun says nothing yet"

"""What is heard on the short way is what would have been heard on the long one."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from goliat_monitoring.store import tables
from goliat_monitoring.store.ingest import hear as hearing
from goliat_monitoring.store.ingest.bare import gui_message
from goliat_monitoring.store.ingest.calm import take_calm
from goliat_monitoring.store.ingest.posts import GuiPost, read_post
from goliat_monitoring.store.log.held import lines_of
from goliat_monitoring.wire.client import GuiUpdate
from goliat_monitoring.wire.clock import SECOND
from tests.store.conftest import House

# What both ways write later, at most a second apart: the newest line that lists show.
LISTED = {"last_line", "last_line_sender_at"}
OWN = {"id", "worker_id", "log_token", "numbered_to", *LISTED}
# What a machine says in one message, and how its clock and its place are.
SAYING = st.tuples(
    st.sampled_from(("info", "warning", "error", "verbose")),
    st.sampled_from(("step 3 of 12", "a calm line", "", "two\nlines", "Traceback (most recent call last):",
                     "[PROGRESS]: 34% [ 12 s ] @ 812.25 MCells/s", "--- Processing Simulation 1/4: a ---")),
    st.integers(-1, 2), st.sampled_from((0, 0, 0, 3 * SECOND, -9 * SECOND)), st.sampled_from((7, 7, 7, 8)),
)  # fmt: skip
ROUNDS = st.lists(st.tuples(st.lists(SAYING, min_size=1, max_size=4), st.integers(0, 1500)), min_size=1, max_size=8)


def post(house: House, machine: str, sequence: int, level: str, text: str, skew: int = 0, ip: int = 7) -> Any:
    at = (house.now + skew) / SECOND
    entries = [
        {"message": text, "log_type": level, "timestamp": at},
        {"message": "b", "log_type": "info", "timestamp": at},
    ]
    message = {"type": "log_batch", "logs": entries, "sequence": sequence}
    body = msgspec.json.encode({"machineId": machine, "message": message, "timestamp": at})
    return read_post(GuiPost(body, house.now, house.moment, f"198.51.100.{ip}"))


def kept(house: House, machine: str) -> tuple[list[dict[str, Any]], list[Any], list[Any]]:
    """The machine's runs, what of its lines waits, and what has its number."""

    def look(connection: Connection) -> tuple[list[dict[str, Any]], list[Any], list[Any]]:
        runs, window, tail = tables.runs, tables.log_window, tables.log_tail
        of_machine = select(runs).join(tables.workers).where(tables.workers.c.machine_id == machine)
        found = connection.execute(of_machine.order_by(runs.c.claimed_at)).all()
        rows = [{name: value for name, value in run._mapping.items() if name not in OWN} for run in found]
        held, numbered = list[Any](), list[Any]()
        for run in found:
            waits = select(window).where(window.c.run_id == run.id).order_by(window.c.id)
            held += [
                (it.received_at, it.first_sender_at, it.last_sender_at, it.count, lines_of(it.body))
                for it in connection.execute(waits)
            ]
            lines = select(tail.c.first_line, tail.c.body).where(tail.c.run_id == run.id).order_by(tail.c.first_line)
            numbered += [tuple(it) for it in connection.execute(lines)]
        return rows, held, numbered

    return house.database.read_now(look)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rounds=ROUNDS)
def test_both_ways_keep_the_same(house: House, rounds: list[tuple[list[Any], int]]) -> None:
    """Two machines say the same; one of them is always heard on the long way."""
    house.now += 7200 * SECOND
    short, long = f"short-{house.now}", f"long-{house.now}"
    sequence = 0
    for sayings, pause in rounds:
        said: dict[str, list[Any]] = {short: [], long: []}
        for number, (level, text, jump, skew, ip) in enumerate(sayings, sequence):
            house.now += 1
            for machine in (short, long):
                said[machine].append(post(house, machine, max(number + jump, 0), level, text, skew, ip))
        tell(house, hearing.hear, said[short])
        tell(house, hearing._hear, said[long])
        assert kept(house, short) == kept(house, long)
        sequence += len(sayings)
        house.pass_time(pause / 1000)


def test_lines_of_a_known_machine_are_calm(house: House) -> None:
    known(house)
    house.now += 1000
    calm = take(house, post(house, "m", 2, "warning", "hm"), post(house, "m", 3, "warning", "well"))
    if house.database.engine.dialect.name != "sqlite":
        assert calm == [None, None], "other servers may have written since"
        return
    (run,) = house.rows(tables.runs)
    assert calm == [run.id, run.id]
    assert (run.warnings, run.errors) == (2, 0)
    assert len(house.rows(tables.log_window)) == 4


@pytest.mark.parametrize(
    ("later_us", "level", "text", "skew", "ip"),
    [
        (2 * SECOND, "info", "after a while", 0, 7),
        (1000, "info", "from elsewhere", 0, 8),
        (1000, "info", "with another clock", 5 * SECOND, 7),
        (1000, "info", "--- Processing Simulation 1/4: a ---", 0, 7),
        (1000, "progress", "[PROGRESS]: 34% [ 12 s ] @ 812.25 MCells/s", 0, 7),
        (1000, "info", "two\nlines", 0, 7),
    ],
)
def test_what_says_more_takes_the_long_way(
    house: House, later_us: int, level: str, text: str, skew: int, ip: int
) -> None:
    known(house)
    house.now += later_us
    more, plain = post(house, "m", 2, level, text, skew, ip), post(house, "m", 3, "info", "plain")
    # Also what comes after it in the same group: the order is kept.
    assert take(house, more, plain) == [None, None]


def test_other_messages_take_the_long_way(house: House) -> None:
    known(house)
    said = GuiUpdate(machine_id="m", message={"type": "overall_progress", "current": 1, "total": 2}, timestamp=None)
    assert take(house, gui_message(said, house.moment, "198.51.100.7")) == [None]
    assert take(house, post(house, "stranger", 1, "info", "who is this?")) == [None]


def known(house: House) -> None:
    """A machine that has begun, and goes on."""
    for number in range(2):
        tell(house, hearing.hear, [post(house, "m", number, "info", "goes on")])


def take(house: House, *group: Any) -> list[str | None]:
    found: list[str | None] = tell(house, take_calm, group)
    return found


def tell(house: House, function: Callable[[Connection, Any], Any], group: Sequence[Any]) -> Any:
    def unit(connection: Connection) -> Any:
        return function(connection, group)

    return house.database.submit(unit).result(30)

"""The order of what raced: nothing lost, nothing twice, and sorted wherever the window allows."""

from hypothesis import given
from hypothesis import strategies as st

from goliat_monitoring.agent.sequencer import Entry, Sequencer

WINDOW = 1.0
ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, 5_000_000),  # own time, us
        st.integers(0, 3),  # sequence
        st.integers(0, 3),  # position
        st.floats(0, 0.4),  # seconds since the arrival before
        st.booleans(),  # whether the sequencer is asked now
    ),
    max_size=60,
)


def feed(arrivals: list[tuple[int, int, int, float, bool]]) -> tuple[list[list[Entry]], dict[int, float]]:
    sequencer = Sequencer(WINDOW)
    released: list[list[Entry]] = []
    arrived: dict[int, float] = {}
    now = 0.0
    for number, (time, sequence, position, gap, ask) in enumerate(arrivals):
        now += gap
        arrived[number] = now
        sequencer.add(Entry(time, sequence, position, number), now)
        if ask:
            released.append(sequencer.due(now))
    released.append(sequencer.due(now + 2 * WINDOW))
    assert len(sequencer) == 0
    return released, arrived


@given(ARRIVALS)
def test_each_entry_leaves_exactly_once(arrivals: list[tuple[int, int, int, float, bool]]) -> None:
    released, arrived = feed(arrivals)
    numbers = [entry.number for group in released for entry in group]
    assert sorted(numbers) == sorted(arrived)


@given(ARRIVALS)
def test_each_release_is_sorted(arrivals: list[tuple[int, int, int, float, bool]]) -> None:
    released, _ = feed(arrivals)
    for group in released:
        assert group == sorted(group)


@given(ARRIVALS)
def test_what_arrived_within_the_window_is_in_order(arrivals: list[tuple[int, int, int, float, bool]]) -> None:
    """An earlier entry that arrives while a later one still waits goes first; beyond the window it is appended."""
    released, _ = feed(arrivals)
    order = [entry for group in released for entry in group]
    for place, entry in enumerate(order):
        for later in order[place + 1 :]:
            if later < entry:
                # Only what came after the other had left can be behind it.
                assert later.number > entry.number


@given(st.permutations(list(range(30))))
def test_lines_that_race_within_the_window_come_out_sorted(order: list[int]) -> None:
    sequencer = Sequencer(WINDOW)
    for number, time in enumerate(order):
        sequencer.add(Entry(time, 0, 0, number), number * 0.01)
    assert [entry.time for entry in sequencer.due(2.0)] == sorted(order)


def test_an_entry_waits_for_its_window_and_no_longer() -> None:
    sequencer = Sequencer(WINDOW)
    sequencer.add(Entry(5, 0, 0, 0), 10.0)
    assert sequencer.due(10.9) == []
    assert [entry.number for entry in sequencer.due(11.0)] == [0]


def test_a_clock_that_jumps_back_does_not_reorder_what_has_left() -> None:
    sequencer = Sequencer(WINDOW)
    sequencer.add(Entry(1_000_000, 0, 0, 0), 0.0)
    first = sequencer.due(1.0)
    sequencer.add(Entry(5, 0, 0, 1), 1.1)
    assert [entry.number for entry in first] == [0]
    assert [entry.number for entry in sequencer.due(2.1)] == [1]


def test_draining_leaves_nothing() -> None:
    sequencer = Sequencer(WINDOW)
    for number, time in enumerate((3, 1, 2)):
        sequencer.add(Entry(time, 0, 0, number), 0.0)
    assert [entry.time for entry in sequencer.drain()] == [1, 2, 3]
    assert sequencer.drain() == []

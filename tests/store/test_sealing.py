"""What a chunk of a log holds."""

from sqlalchemy import Connection

from goliat_monitoring.store import tables
from goliat_monitoring.store.log.chunk import SEAL_BYTES
from goliat_monitoring.wire.lines import Line
from tests.store.conftest import House
from tests.store.log_help import add, new_run, seal_all

BATCH = 20
# As long as most of GOLIAT's.
TEXT = "    - Extract results of sensor {}: mean 0.123 V/m over the whole body and the sweep, as was to be expected"


def test_the_chunks_of_a_run_that_goes_on_are_full_of_text(house: House) -> None:
    run_id = new_run(house)
    lines = 0
    while not house.rows(tables.log_chunks):
        for _ in range(20):
            add(house, run_id, [Line(lines + i, "info", "status", TEXT.format(lines + i)) for i in range(BATCH)])
            lines += BATCH
        seal_all(house)
        assert lines < 10_000
    (chunk,) = house.rows(tables.log_chunks)
    assert 0.95 * SEAL_BYTES < chunk.raw_size < 1.2 * SEAL_BYTES


def test_what_is_not_sealed_is_counted_in_text(house: House) -> None:
    run_id = new_run(house)
    add(house, run_id, [Line(1, "info", "status", "four"), Line(2, "info", "status", "")])
    add(house, run_id, [Line(3, "info", "status", "\x1b[0mé")])

    def sizes(connection: Connection) -> int:
        return int(connection.execute(tables.runs.select().where(tables.runs.c.id == run_id)).one().tail_size)

    assert house.database.read_now(sizes) == len("four\n\n\x1b[0mé\n")

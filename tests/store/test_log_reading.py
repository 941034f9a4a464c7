"""A log reads like a plain list of its lines, wherever they lie: in the tail, sealed, or moved to the storage."""

from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from goliat_monitoring.store import claims, studies, tables
from goliat_monitoring.store.engine import make_engine, sqlite_url
from goliat_monitoring.store.log import append, chunk, seal, window
from goliat_monitoring.store.log.fold import Fold, Record, Repeat
from goliat_monitoring.store.log.held import body_of
from goliat_monitoring.store.log.kinds import Kinds
from goliat_monitoring.store.migrate import migrate
from goliat_monitoring.store.moment import Moment
from goliat_monitoring.store.read.logs import LogLine, LogPage, numbered_lines, read_log
from goliat_monitoring.wire.clock import SECOND
from goliat_monitoring.wire.lines import Line, plain
from tests.store.conftest import Agent, House
from tests.store.log_help import Stored, add, end, loader, move, new_run, put, seal_all, small_chunks
from tests.support.long_log import long_log


class Model:
    """The same log as a list: number, record, repeat, whether late."""

    def __init__(self) -> None:
        self.fold = Fold()
        self.records: list[tuple[Record, bool, int]] = []
        self.repeats: dict[int, Repeat] = {}

    def add(self, lines: list[Line], now: int, *, late: bool) -> None:
        for line in lines:
            self.fold.add([line])
        folded = self.fold.take()
        self.records += [(record, late, now) for record in folded.new]
        self.repeats |= folded.repeats

    def lines(self, *, raw: bool = False) -> list[LogLine]:
        return [
            LogLine(
                n=n,
                time=record.time,
                received_at=now,
                level=record.level,
                source=record.source,
                text=record.text if raw else plain(record.text),
                late=late,
                repeat=self.repeats.get(n),
            )
            for n, (record, late, now) in enumerate(self.records, 1)
        ]


def read(house: House, run_id: str, stored: Stored, **asked: object) -> LogPage:
    return house.database.read_now(lambda c: read_log(c, run_id, loader(stored), **asked))  # type: ignore[arg-type]


LINES = st.lists(
    st.tuples(
        st.sampled_from(["info", "error", "verbose"]),
        st.sampled_from(["same", "try 7", "try 8", "\x1b[31mred\x1b[0m", "", "a\nb", "long " * 12, "ü€"]),
    ),
    min_size=1,
    max_size=14,
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), LINES, st.booleans()),
        st.tuples(st.sampled_from(["seal", "move", "end"]), st.none(), st.none()),
    ),
    max_size=16,
)
WINDOWS = st.lists(
    st.tuples(st.integers(0, 60), st.none() | st.integers(1, 70), st.integers(1, 20), st.booleans(),
              st.sampled_from([(), ("error",), ("info", "verbose")])),
    min_size=1, max_size=4,
)  # fmt: skip


@given(ACTIONS, WINDOWS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_reads_like_a_list(house: House, actions: list[tuple], windows: list[tuple]) -> None:  # type: ignore[type-arg]
    run_id, model, stored = new_run(house), Model(), Stored()
    with small_chunks():
        for action, lines, late in actions:
            house.now += SECOND
            if action == "add":
                said = [Line(house.now + i, level, "status", text) for i, (level, text) in enumerate(lines)]
                add(house, run_id, said, late=late)
                model.add(said, house.now, late=late)
            elif action == "move":
                move(house, run_id, stored)
            else:
                if action == "end":
                    end(house, run_id)
                seal_all(house)
                if action == "end":
                    # Sealed whole: what still comes is folded only among itself.
                    model.fold = Fold(len(model.records) + 1)
        expected = model.lines()
        assert read(house, run_id, stored, limit=10_000).lines == expected
        assert read(house, run_id, stored, limit=10_000, raw=True).lines == model.lines(raw=True)
        for after, before, limit, newest, levels in windows:
            page = read(
                house, run_id, stored,
                after=after, before=before, limit=limit, newest=newest, kinds=Kinds(frozenset(levels)),
            )  # fmt: skip
            within = [
                line for line in expected
                if (line.n or 0) > after and (before is None or (line.n or 0) < before)
                and (not levels or line.level in levels)
            ]  # fmt: skip
            backward = newest or (before is not None and after == 0)
            assert page.lines == (within[-limit:] if backward else within[:limit])
            assert page.more >= (len(within) > limit)
            assert page.total == page.numbered == len(expected)
        some = [line.n for line in islice(expected, 0, None, 3) if line.n is not None]
        found = house.database.read_now(lambda c: numbered_lines(c, run_id, loader(stored), some))
        assert found == expected[::3]
        run = house.row(tables.runs, run_id)
        tail = [row for row in house.rows(tables.log_tail) if row.run_id == run_id]
        assert run.tail_size == sum(row.size for row in tail)
        sealed = [row for row in house.rows(tables.log_chunks) if row.run_id == run_id]
        assert all(row._mapping["count"] <= seal.MOST_LINES for row in sealed)


def test_the_newest_lines_stay_in_the_tail_until_the_run_is_over(house: House) -> None:
    run_id = new_run(house)
    with small_chunks():
        for i in range(60):
            add(house, run_id, [Line(i, "info", "status", f"line {'x' * i} of many")])
        assert seal_all(house) > 1
        left = sum(row._mapping["count"] for row in house.rows(tables.log_tail))
        assert append.LOOKED_BACK <= left < append.LOOKED_BACK + 20
        assert seal_all(house) == 0
        end(house, run_id)
        assert seal_all(house) == 1
    assert house.rows(tables.log_tail) == []
    assert house.row(tables.runs, run_id).tail_size == 0


def test_a_late_line_after_the_whole_log_was_sealed(house: House) -> None:
    run_id = new_run(house)
    add(house, run_id, [Line(1, "info", "status", "a"), Line(2, "info", "status", "b")])
    end(house, run_id)
    assert seal_all(house) == 1
    add(house, run_id, [Line(3, "info", "status", "b")], late=True)
    lines = read(house, run_id, {}).lines
    assert [(line.n, line.text, line.late, line.repeat) for line in lines] == [
        (1, "a", False, None), (2, "b", False, None), (3, "b", True, None),
    ]  # fmt: skip
    # Late lines come one by one: each is not sealed alone.
    assert seal_all(house) == 0
    house.now += seal.SETTLED
    assert seal_all(house) == 1
    assert read(house, run_id, {}).lines == lines


def test_a_crash_between_the_two_steps_loses_and_doubles_nothing(house: House) -> None:
    run_id = new_run(house)
    with small_chunks():
        said = [Line(i, "info", "status", f"{'x' * i} line {i}") for i in range(1, 40)]
        for line in said:
            add(house, run_id, [line])
        (candidate,) = house.database.read_now(lambda c: seal.candidates(c, house.moment))
        parcel = house.database.read_now(lambda c: seal.prepare(c, house.moment, candidate))
        assert parcel is not None
        # The server dies here: nothing was written, and the next look prepares the same again.
        before = read(house, run_id, {})
        again = house.database.read_now(lambda c: seal.prepare(c, house.moment, candidate))
        assert again == parcel
        put(house, again)
        assert read(house, run_id, {}) == before
        # Who was overtaken changes nothing.
        with pytest.raises(seal.Overtaken):
            put(house, parcel)
        assert read(house, run_id, {}) == before


@pytest.mark.parametrize(("text", "stopped"), [("b", True), ("a", False)])
def test_a_line_that_comes_between_the_steps(house: House, text: str, stopped: bool) -> None:
    run_id = new_run(house)
    add(house, run_id, [Line(1, "info", "status", "a")])
    end(house, run_id)
    (candidate,) = house.database.read_now(lambda c: seal.candidates(c, house.moment))
    parcel = house.database.read_now(lambda c: seal.prepare(c, house.moment, candidate))
    assert parcel is not None
    assert parcel.whole
    # A repetition only counts; another line must find what it may repeat.
    add(house, run_id, [Line(2, "info", "status", text)], late=True)
    before = read(house, run_id, {})
    with pytest.raises(seal.Overtaken) if stopped else nullcontext():
        put(house, parcel)
    assert read(house, run_id, {}) == before


def test_one_huge_row_becomes_several_chunks(house: House) -> None:
    run_id = new_run(house)
    texts = [f"{i} {'x' * 40}" for i in range(50)]
    with small_chunks():
        add(house, run_id, [Line(i, "info", "status", text) for i, text in enumerate(texts)])
        assert seal_all(house) == 0
        add(house, run_id, [Line(i, "info", "status", f"{'y' * i}") for i in range(1, 10)])
        assert seal_all(house) == 1
    assert len(house.rows(tables.log_chunks)) >= 5
    assert [line.text for line in read(house, run_id, {}).lines][:50] == texts


def test_waiting_lines_come_last_and_count(house: House) -> None:
    run_id = new_run(house)
    add(house, run_id, [Line(i, "info", "status", "x" * i) for i in range(1, 4)])

    def wait(connection: Connection, moment: Moment) -> None:
        lines = [Line(9, "error", "status", "w2"), Line(8, "info", "status", "w1")]
        row = window.held_row(run_id, moment.now, 8, 9, body_of(lines))
        connection.execute(tables.log_window.insert().values(dict(zip(window.WINDOW, row, strict=True))))

    house.do(wait)
    page = read(house, run_id, {})
    assert [(line.n, line.text) for line in page.lines] == [
        (1, "x"), (2, "xx"), (3, "xxx"), (None, "w1"), (None, "w2"),
    ]  # fmt: skip
    assert (page.total, page.numbered, page.more) == (5, 3, False)
    assert [line.text for line in read(house, run_id, {}, newest=True, limit=3).lines] == ["xxx", "w1", "w2"]
    assert [line.text for line in read(house, run_id, {}, newest=True, limit=1).lines] == ["w2"]
    assert [line.text for line in read(house, run_id, {}, kinds=Kinds(frozenset({"error"}))).lines] == ["w2"]
    assert read(house, run_id, {}, limit=4).more
    assert [line.text for line in read(house, run_id, {}, before=3).lines] == ["x", "xx"]


def test_a_rare_level_is_found_without_opening_other_chunks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, stored = new_run(house), Stored()
    with small_chunks():
        for i in range(200):
            add(house, run_id, [Line(i, "error" if i == 50 else "info", "status", f"{'x' * (i % 50)} {i}")])
        seal_all(house)
        move(house, run_id, stored)
    asked: list[tuple[int, int]] = []

    def load(key: str, start: int, size: int) -> bytes:
        asked.append((start, size))
        return stored[key][start : start + size]

    page = house.database.read_now(lambda c: read_log(c, run_id, load, kinds=Kinds(frozenset({"error"}))))
    assert [line.n for line in page.lines] == [51]
    assert len(asked) == 1


def test_the_partial_indexes_say_what_the_code_seals(tmp_path: Path) -> None:
    assert str(tables.TO_SEAL) == f"tail_size >= {chunk.SEAL_BYTES}"
    url = sqlite_url(tmp_path)
    migrate(url)
    engine = make_engine(url)
    with engine.connect() as connection:
        for index, condition in (
            ("ix_runs_to_seal", tables.TO_SEAL),
            ("ix_runs_over_unsealed", f"{tables.OVER_UNSEALED} AND ended_at <= 5"),
        ):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN SELECT id FROM runs WHERE {condition}").all()
            assert index in str(plan)
    engine.dispose()


def test_a_long_log_is_the_same_when_sealed(house: House) -> None:
    run_id = new_run(house)
    stored = long_log(6_000)
    for start in range(0, len(stored), 100):
        lines = [Line(it.time, it.level, it.source, it.text) for it in stored[start : start + 100]]
        add(house, run_id, lines)
    before = read(house, run_id, {}, limit=100_000)
    assert seal_all(house) >= 2
    assert read(house, run_id, {}, limit=100_000) == before
    assert all(row.raw_size <= 2 * chunk.SEAL_BYTES for row in house.rows(tables.log_chunks))


def test_a_deleted_study_names_the_files_of_its_logs(house: House) -> None:
    house.study()
    (study,) = house.rows(tables.super_studies)
    agent = Agent(house, "gpu-1")
    job = house.do(claims.claim_next_for_agent, agent.worker_id, agent.session_id)
    assert job is not None
    with small_chunks():
        for i in range(80):
            add(house, job.run_id, [Line(i, "info", "status", f"{'x' * (i % 40)} {i}")])
        assert seal_all(house) > 1
    stored = Stored()
    move(house, job.run_id, stored)
    end(house, job.run_id)
    assert house.do(studies.delete_study, study.id, "test") == list(stored)
    assert house.rows(tables.log_chunks) == []

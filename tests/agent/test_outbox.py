"""The outbox keeps what it was given, in order, across any death of its process."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from goliat_monitoring.agent.drafts import Draft, encode
from goliat_monitoring.agent.outbox import Outbox
from goliat_monitoring.wire.agent import LineItem
from tests.agent.waiting import until


def line(time: int, text: str = "x", *, foldable: bool = False) -> Draft:
    return Draft(time, 0, 0, encode(LineItem(time, "default", "status", text)), foldable)


def texts(outbox: Outbox) -> list[str]:
    return [msgspec.json.decode(body).get("text", "?") for body in outbox.read(0, 10_000, 10_000_000)]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    box = Outbox(tmp_path / "outbox.sqlite", reorder_s=0.2)
    yield box
    box.close()


def test_lines_that_race_are_numbered_in_order(outbox: Outbox) -> None:
    for time in (3, 1, 2):
        outbox.put([line(time, str(time))])
    until(lambda: outbox.position.next == 3, "all lines have left the window")
    assert texts(outbox) == ["1", "2", "3"]


def test_a_flush_waits_for_nothing(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite", reorder_s=3600)
    box.put([line(2, "b"), line(1, "a")])
    assert box.position.next == 0
    assert box.backlog == 2
    box.flush()
    assert texts(box) == ["a", "b"]
    box.close()


def test_a_request_that_comes_twice_is_kept_once(outbox: Outbox) -> None:
    outbox.put([line(1)], "id-1")
    outbox.put([line(1)], "id-1")
    outbox.put([line(1)], "id-2")
    outbox.flush()
    assert outbox.position.next == 2


def test_many_senders_lose_nothing(outbox: Outbox) -> None:
    def send(sender: int) -> None:
        for number in range(50):
            outbox.put([line(number, f"{sender}-{number}")])

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(8)]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()
    outbox.flush()
    assert sorted(texts(outbox)) == sorted(f"{sender}-{number}" for sender in range(8) for number in range(50))


def test_the_stream_goes_on_in_another_life_and_a_new_file_is_a_new_stream(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite", reorder_s=3600)
    box.put([line(2, "b")], "id")
    box.put([line(1, "a")])
    before = box.position
    box.close()
    again = Outbox(tmp_path / "o.sqlite", reorder_s=0)
    assert again.position.stream == before.stream
    again.put([line(2, "b")], "id")
    until(lambda: again.position.next == 2, "what waited is numbered")
    again.flush()
    assert texts(again) == ["a", "b"]
    again.close()
    other = Outbox(tmp_path / "other.sqlite", reorder_s=0)
    assert other.position.stream != before.stream
    other.close()


def test_an_answered_put_survives_the_death_of_its_process(tmp_path: Path) -> None:
    """The process is killed right after it said that its lines are kept."""
    code = f"""
import sys, time
sys.path.insert(0, {str(Path.cwd())!r})
from pathlib import Path
from goliat_monitoring.agent.outbox import Outbox
from tests.agent.test_outbox import line
box = Outbox(Path({str(tmp_path / "o.sqlite")!r}), reorder_s=3600)
for number in range(100):
    box.put([line(100 - number, str(100 - number))], f"id-{{number}}")
print("kept", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"kept\n"
        os.kill(process.pid, signal.SIGKILL)
    box = Outbox(tmp_path / "o.sqlite", reorder_s=3600)
    box.put([line(1, "twice")], "id-5")
    box.flush()
    assert texts(box) == [str(number) for number in range(1, 101)]
    box.close()


def test_acknowledged_items_are_kept_until_they_are_pruned(outbox: Outbox) -> None:
    outbox.put([line(number, str(number)) for number in range(10)])
    outbox.flush()
    outbox.acknowledge(6)
    assert outbox.backlog == 4
    outbox.prune(0, 1 << 40)
    assert outbox.first_kept() == 0
    outbox.acknowledge(3)  # the server was restored and asks for more
    assert outbox.backlog == 7
    outbox.acknowledge(6)
    outbox.prune(1 << 60, 1 << 40)
    assert outbox.first_kept() == 6
    assert outbox.position.next == 10


def test_a_new_stream_begins_where_the_old_one_can_still_be_sent(outbox: Outbox) -> None:
    outbox.put([line(number, str(number)) for number in range(4)])
    outbox.flush()
    outbox.acknowledge(4)
    before = outbox.position
    outbox.restart_stream(2)
    assert outbox.position.stream != before.stream
    assert (outbox.position.base, outbox.position.acked, outbox.position.next) == (2, 2, 4)


def test_folded_lines_leave_a_gap_that_counts_them(tmp_path: Path) -> None:
    folding = True
    box = Outbox(tmp_path / "o.sqlite", reorder_s=0.05, folding=lambda: folding)
    box.put([line(10, "kept"), line(20, "chatter", foldable=True), line(30, "chatter", foldable=True)])
    folding = False
    until(lambda: box.position.next == 2, "the gap is closed")
    items = [msgspec.json.decode(body) for body in box.read(0, 10, 10_000)]
    assert items[0]["text"] == "kept"
    assert (items[1]["k"], items[1]["count"], items[1]["firstAt"], items[1]["lastAt"]) == ("gap", 2, 20, 30)
    box.close()


def test_a_gap_is_remembered_by_the_next_life(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite", reorder_s=0, folding=lambda: True)
    box.put([line(20, "chatter", foldable=True)])
    box.close()
    again = Outbox(tmp_path / "o.sqlite", reorder_s=0)
    until(lambda: again.position.next == 1, "the gap is told")
    assert msgspec.json.decode(again.read(0, 1, 1)[0])["count"] == 1
    again.close()


def test_items_are_read_in_bounded_portions(outbox: Outbox) -> None:
    outbox.put([line(number, "y" * 1000) for number in range(10)])
    outbox.flush()
    assert len(outbox.read(0, 3, 1 << 20)) == 3
    assert len(outbox.read(0, 100, 2500)) == 2
    assert len(outbox.read(0, 100, 1)) == 1


def test_the_file_is_synced_at_each_commit(outbox: Outbox) -> None:
    with sqlite3.connect(outbox.path) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
    assert outbox._reader.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_put_while_held_is_sorted_together_however_long_that_took(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "o.sqlite", reorder_s=0, held=True)
    box.put([line(20, "spoken later")])
    assert not box.wait(0, 0.3)
    box.put([line(10, "taken from the spool")])
    box.let_go()
    until(lambda: box.position.next == 2, "both lines are numbered")
    assert texts(box) == ["taken from the spool", "spoken later"]
    box.close()

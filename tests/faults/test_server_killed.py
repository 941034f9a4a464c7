"""kill -9 of the server in the middle of ingest, again and again: what was acknowledged is there, once, in order."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import new_database
from tests.support.senders import BareSender, OutboxSender, run_of, texts_of, wait_for_numbers
from tests.support.server import ServerProcess

Start = Callable[..., ServerProcess]
KILLS = 20
# Seconds between a start and the next kill: long enough that senders are heard in nearly all of them.
LIVES = (0.2, 0.9)


def kill_again_and_again(start: Start, folder: Path, **options: object) -> None:
    server = start(reorder_window_s=0.5, quiet_s=0, **options)
    bare = [BareSender(server.url, f"10.0.0.{i}") for i in range(3)]
    agents = [OutboxSender(server.url, folder / f"outbox-{i}", f"gpu-{i}") for i in range(2)]
    chance = random.Random(7)
    for _ in range(KILLS):
        time.sleep(chance.uniform(*LIVES))
        server.kill()
        server.start()
    time.sleep(0.5)
    for one in bare:
        one.stop()
    for agent in agents:
        agent.stop()
        assert agent.delivered()
    with server.client() as http:
        for one in bare:
            wait_for_numbers(http, run_of(http, one.machine))
        for one in bare:
            assert one.acknowledged
            assert one.refused, "no kill fell into a request: this proved nothing"
            kept = texts_of(http, run_of(http, one.machine))
            assert len(kept) == len(set(kept)), "a line is there twice"
            acknowledged = set(one.acknowledged)
            # What was not acknowledged may have been committed before the answer was lost.
            assert set(kept) <= acknowledged | set(one.refused)
            assert [text for text in kept if text in acknowledged] == one.acknowledged
        for agent in agents:
            assert len(agent.sent) > 1000
            assert texts_of(http, agent.run_id) == agent.sent


def test_twenty_kills_lose_nothing_acknowledged(start_server: Start, tmp_path: Path) -> None:
    kill_again_and_again(start_server, tmp_path)


@pytest.mark.timeout(900)
def test_twenty_kills_lose_nothing_acknowledged_with_postgresql(start_server: Start, tmp_path: Path) -> None:
    with new_database(migrated=False) as url:
        kill_again_and_again(start_server, tmp_path, database_url=url)

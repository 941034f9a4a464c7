"""The hub: who is told of which change, how often, and what a client that was away gets."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from goliat_monitoring.server.live import hub as module
from goliat_monitoring.server.live.budget import CREDIT, LONGEST, SHARE, Budget
from goliat_monitoring.server.live.hub import PACE, Change, Crowded, Hub
from goliat_monitoring.server.live.routes import stream_text, topics_of
from goliat_monitoring.server.pages.assets import BUILD
from goliat_monitoring.wire.errors import Refused


async def _next(stream: AsyncIterator[list[Change]]) -> list[Change]:
    return await asyncio.wait_for(anext(stream), 5)


def test_a_change_reaches_only_those_who_asked_for_its_topic() -> None:
    async def main() -> None:
        hub = Hub()
        run, fleet = hub.subscribe({"run:1", "log:1"}, pause=0.3), hub.subscribe({"fleet"}, pause=0.3)
        first, second = asyncio.ensure_future(_next(run)), asyncio.ensure_future(_next(fleet))
        await asyncio.sleep(0.05)
        threading.Thread(target=hub.publish, args=(frozenset({"run:1", "run:2"}),)).start()
        assert [(change.kind, change.topics) for change in await first] == [("run", ("run:1",))]
        assert await second == [], "silence is told as an empty list"
        await run.aclose()
        await fleet.aclose()

    asyncio.run(main())


def test_many_changes_become_few_events_and_the_last_one_is_never_lost() -> None:
    async def main() -> None:
        hub = Hub()
        stream = hub.subscribe({"log:1"}, pause=1.0)
        seen: list[str] = []

        async def read() -> None:
            async for changes in stream:
                seen.extend(change.stamp for change in changes)
                if not changes:
                    return

        reader = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        began = time.monotonic()
        for _ in range(300):
            await asyncio.to_thread(hub.publish, frozenset({"log:1"}))
        last, took = hub.stamp(), time.monotonic() - began
        await asyncio.wait_for(reader, 10)
        assert seen[-1] == last
        assert len(seen) <= took / PACE + 3
        await stream.aclose()

    asyncio.run(main())


def test_what_waits_for_its_turn_holds_nothing_else_up_and_is_not_lost() -> None:
    async def main() -> None:
        hub = Hub()
        turns = {"run": 0.0, "log": 0.0}
        stream = hub.subscribe({"run:1", "log:1"}, pause=5.0, turn=turns.__getitem__)
        both = frozenset({"run:1", "log:1"})
        first = asyncio.ensure_future(_next(stream))
        await asyncio.sleep(0.05)
        hub.publish(both)
        assert {change.kind for change in await first} == {"run", "log"}
        seen, turns["run"] = hub.stamp(), 4 * PACE
        began = time.monotonic()
        for _ in range(3):
            hub.publish(both)
            (change,) = await _next(stream)
            assert change.kind == "log"
            # Whoever comes back with the stamp of this event learns of what was held back from it.
            assert change.stamp == seen
            assert hub.missed({"run:1"}, change.stamp)
        # What was held back comes, although nothing happens any more.
        (change,) = await _next(stream)
        assert (change.kind, change.stamp) == ("run", hub.stamp())
        assert time.monotonic() - began >= turns["run"]
        assert not hub.missed(both, change.stamp)
        await stream.aclose()

    asyncio.run(main())


def test_turns_come_as_fast_as_they_can_be_paid_and_at_once_where_little_happens() -> None:
    now = 100.0
    budget = Budget(lambda: now)
    # Ten pages with two parts of 10 ms, each told twice a second, can be paid.
    for _ in range(400):
        assert budget.turn() == 0
        budget.spend(0.02)
        now += 0.1
    # A hundred cannot: each takes its next turn when it had the one before.
    waits = []
    for _ in range(2_000):
        waits.append(budget.turn())
        budget.spend(0.02)
        now += max(waits[-1] / 100, 0.001)
    assert waits[-1] == pytest.approx(100 * 0.02 / SHARE, rel=0.05)
    gaps = [later - sooner for sooner, later in pairwise(sorted(waits[-100:]))]
    assert max(gaps) < 0.1, "one after the other, not all together"
    assert max(waits) <= LONGEST
    now += LONGEST + CREDIT
    assert [budget.turn() for _ in range(10)] == [0] * 10


def test_who_missed_something_gets_one_refresh_and_who_missed_nothing_gets_none() -> None:
    async def main() -> None:
        hub = Hub()
        hub.publish(frozenset({"run:1"}))
        stamp = hub.stamp()
        hub.publish(frozenset({"run:2"}))
        for topics, since, expected in (
            ({"run:1"}, stamp, []),
            ({"run:2"}, stamp, ["refresh"]),
            ({"run:1"}, "ffffffff-1", ["refresh"]),
            ({"run:1"}, "nonsense", ["refresh"]),
            ({"run:1"}, None, []),
        ):
            stream = hub.subscribe(topics, since, pause=0.05)
            assert [change.kind for change in await _next(stream)] == expected, (topics, since)
            await stream.aclose()

    asyncio.run(main())


def test_topics_long_forgotten_count_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    hub = Hub()
    hub.publish(frozenset({"run:old"}))
    stamp = hub.stamp()
    assert not hub.missed({"run:old"}, stamp)
    for number in range(50):
        hub.publish(frozenset({f"run:{number}"}))
    assert hub.missed({"run:old"}, stamp), "nobody can tell any more, so the page looks again"
    assert hub.mark({"run:49"}) == 51


def test_a_slow_client_holds_no_more_than_its_topics_and_close_ends_all() -> None:
    async def main() -> None:
        hub = Hub()
        stream = hub.subscribe({"run:1", "fleet"}, pause=5)
        waiting = asyncio.ensure_future(_next(stream))
        await asyncio.sleep(0.05)
        for _ in range(100):
            hub.publish(frozenset({"run:1", "fleet"}))
            await asyncio.sleep(0)
        assert {change.kind for change in await waiting} == {"run", "fleet"}
        for _ in range(10_000):
            hub.publish(frozenset({"run:1", "fleet"}))
        await asyncio.sleep(0)
        (held,) = hub._streams["fleet"]
        assert set(held.changed) == {"run:1", "fleet"}
        hub.close()
        rest = [kind async for changes in stream for kind in changes]
        assert len(rest) <= 2
        assert not hub._streams
        with pytest.raises(Crowded):
            await _next(hub.subscribe({"fleet"}))

    asyncio.run(main())


def test_the_stream_says_the_build_first_and_gives_each_event_an_id() -> None:
    async def main() -> None:
        hub = Hub()
        since = hub.stamp()
        hub.publish(frozenset({"run:1"}))
        stream = stream_text(hub, frozenset({"run:1"}), since, Budget())
        hello = (await anext(stream)).decode()
        assert hello.startswith("retry: ")
        assert f'event: hello\ndata: {{"build":"{BUILD}"' in hello
        assert (await anext(stream)).decode() == f'id: {hub.stamp()}\nevent: refresh\ndata: {{"topics":[]}}\n\n'

    asyncio.run(main())


@pytest.mark.parametrize("text", ["", ",", "work", "run", "fleet:1", "directive:1"])
def test_unknown_topics_are_refused_rather_than_silent(text: str) -> None:
    with pytest.raises(Refused):
        topics_of(text)


def test_topics_of_a_page() -> None:
    assert topics_of("run:a,log:a,fleet") == {"run:a", "log:a", "fleet"}
    with pytest.raises(Refused):
        topics_of(",".join(f"run:{n}" for n in range(100)))

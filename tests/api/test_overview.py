"""What the overview reads, on both databases: counts, the finish, and since when a trouble is one."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, update

from goliat_monitoring.fleet.forecast import Spread
from goliat_monitoring.fleet.outlook import Future, Outlook
from goliat_monitoring.server.pages import overview
from goliat_monitoring.server.pages.render import render
from goliat_monitoring.server.pages.show import Server
from goliat_monitoring.server.pages.today import day_of
from goliat_monitoring.store.tables import assignments
from goliat_monitoring.wire import agent as wire
from goliat_monitoring.wire.clock import SECOND, iso
from tests.support.app import App

WithApp = Callable[..., None]


async def seen(app: App, outlook: Outlook | None = None) -> tuple[dict[str, Any], str]:
    """What the overview loads, and its HTML."""
    now = app.clock.now
    ahead = outlook or await app.services.outlook()
    found = dict(await app.services.db.read(lambda c: overview.load(20, ahead, c, now)))
    server = Server("http://x", wants_token=False, here_only=False, acts=True, governs=True)
    return found, render("overview.html", server=server, now=now, **found)


def numbers(found: dict[str, Any]) -> dict[str, int]:
    return {it.key: it.many for _, group in found["numbers"] for it in group}


def test_counts_of_work(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study("one", parts=4)
        paused = await app.study("held", parts=2)
        gone = await app.study("gone", parts=3)
        await app.post(f"/api/super-studies/{paused['id']}/pause", None)
        await app.post(f"/api/super-studies/{gone['id']}/cancel", None)
        agent = await app.agent()
        await agent.claim()
        found, text = await seen(app)
        counts = numbers(found)
        assert {key: counts[key] for key in ("queued", "held", "under-way", "failed", "done")} == {
            "queued": 3, "held": 2, "under-way": 1, "failed": 0, "done": 0,
        }  # fmt: skip
        assert {it.name for it in found["studies"]} == {"one", "held", "gone"}
        assert found["studies_total"] == 2
        assert f'id="s-{study["id"]}"' in text

    with_app(test)


def complete(connection: Connection, index: int, at: int) -> None:
    """An assignment was completed at `at`."""
    done = update(assignments).where(assignments.c.index == index)
    connection.execute(done.values(state="COMPLETED", completed_at=at))


def test_what_was_completed_counts_until_midnight(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study("one", parts=3)
        day = 24 * 3600 * SECOND
        today, tomorrow = day_of(app.clock.now), day_of(app.clock.now + day)
        for index, at in enumerate((today.began - 1, today.began, tomorrow.began - 1)):
            await app.services.db.write(partial(complete, index=index, at=at))
        ended = f'b24"><time datetime="{iso(tomorrow.began - 1)}" data-as="ago">'
        assert ended in (await seen(app))[1]
        assert ended in (await app.http.get("/studies")).text
        for now, count in ((tomorrow.began - 1, 2), (tomorrow.began, 0), (tomorrow.began + 5 * day, 0)):
            app.clock.now = now
            found, text = await seen(app)
            assert numbers(found)["done"] == count
            assert f'title="since {day_of(now).clock} on the server"' in text
            assert f"<b>{count}</b> <span>completed today</span>" in text

    with_app(test)


def test_the_finish_of_all_and_of_each_is_a_range(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        first, second, third = await app.study("first"), await app.study("second"), await app.study("third")
        agent = await app.agent()
        await agent.claim()
        hour = 3600.0
        known = Future(Spread(2 * hour, 3 * hour, 5 * hour), {})
        futures = {first["id"]: known, second["id"]: Future(None, {}), third["id"]: Future(None, {}, stuck=True)}
        outlook = Outlook(futures, {}, {}, takers=1)
        found, text = await seen(app, outlook)
        assert found["finish"] == known.eta
        # The clock stands at 2027-01-15 08:00 UTC, a Friday.
        assert text.count("Fri 10:00\N{EN DASH}13:00 UTC") == 2
        assert "without 1 study of which nothing is computed yet and 1 study that no worker may take" in text
        assert text.count("after first simulation") == 1
        assert text.count("no worker may take what is left") == 1

    with_app(test)


def test_work_that_no_worker_may_have_needs_a_person(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study("picky")
        await app.agent()
        stuck = {study["id"]: Future(None, {}, stuck=True)}
        found, _ = await seen(app, Outlook(stuck, {}, {}, takers=1))
        assert found["said"].state == "Waiting for a person"
        assert [(it.sign.word, it.name) for it in found["needs"]] == [("No worker fits", "picky")]
        # Without a worker it only waits for one.
        found, _ = await seen(app, Outlook(stuck, {}, {}, takers=0))
        assert found["needs"] == []

    with_app(test)


def test_a_trouble_has_a_beginning_and_an_end(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        agent = await app.agent()

        async def beat(*notes: str, skew_s: int = 0) -> list[tuple[str, int | None]]:
            at = app.clock.now + skew_s * 1_000_000
            await agent.call("POST", "heartbeat", wire.Beat(agent.session_id, at, notes=list(notes)))
            found, _ = await seen(app)
            return sorted((it.sign.word, it.at) for it in found["needs"])

        began = app.clock.now
        assert await beat("disk_low") == [("Disk low", began)]
        app.clock.now += 5_000_000
        assert await beat("disk_low", skew_s=120) == [("Clock off", app.clock.now), ("Disk low", began)]
        app.clock.now += 5_000_000
        assert await beat() == []
        app.clock.now += 5_000_000
        assert await beat("disk_low") == [("Disk low", app.clock.now)], "another time"

    with_app(test)


def test_an_offer_stands_in_its_place_by_time(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        study = await app.study("one")
        agent = await app.agent()

        async def beat(*notes: str, skew_s: int = 0) -> None:
            at = app.clock.now + skew_s * SECOND
            await agent.call("POST", "heartbeat", wire.Beat(agent.session_id, at, notes=list(notes)))

        await beat("disk_low")
        app.clock.now += 5 * SECOND
        claimed = app.clock.now
        await app.post(f"/api/assignments/{study['assignments'][0]['id']}/claim", {"machineId": "10.0.0.4"})
        app.clock.now += 5 * SECOND
        await app.gui(
            "10.8.0.9", type="sim_details", count=1, total=2, details="thelonious, 700MHz, x_pos, theta"
        )  # fmt: skip
        found, text = await seen(app)
        assert [(it.name, it.at) for it in found["needs"]] == [("one #0", claimed), ("gpu-1", claimed - 5 * SECOND)]
        assert found["needs_total"] == 2
        assert "2 things need a person. one #0: claimed, then silent, since (time)." in found["said"].text
        assert "This run is that machine&#39;s" in text
        app.clock.now += 5 * SECOND
        await beat("disk_low", skew_s=120)
        found, text = await seen(app)
        assert [it.sign.word for it in found["needs"]] == ["Clock off", "Claimed, then silent", "Disk low"]
        assert "3 things need a person. gpu-1: clock off, since (time)." in found["said"].text
        shown = [text.index(words) for words in ("clock is off by", "which never spoke", "disk is nearly full")]
        assert shown == sorted(shown)

    with_app(test)


def test_what_follows_for_the_work_of_a_lost_worker(with_app: WithApp) -> None:
    async def test(app: App) -> None:
        await app.study("one")
        agent = await app.agent()
        await agent.claim()
        await app.gui("10.8.0.9", type="sim_details", count=1, total=2, details="started by hand")
        app.clock.now += 660 * SECOND
        found, _ = await seen(app)
        assert {it.name: it.why.partition(". ")[2] for it in found["needs"]} == {
            "gpu-1": "If the machine is gone, its work goes to another by itself.",
            "10.8.0.9": "If the machine is gone, its work is lost.",
        }

    with_app(test)

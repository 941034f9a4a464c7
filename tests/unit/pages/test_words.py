"""Words, numbers and the sentence of the overview."""

import asyncio
import itertools
import time

import pytest

from goliat_monitoring.fleet.states import AssignmentState, Presence, RunState, StudyState, WorkerState
from goliat_monitoring.server.live.hub import Hub
from goliat_monitoring.server.pages import words
from goliat_monitoring.server.pages.assets import STATIC
from goliat_monitoring.server.pages.cache import Fragments
from goliat_monitoring.server.pages.numbers import shown, size, span, whole_percent
from goliat_monitoring.server.pages.render import TEMPLATE, moment
from goliat_monitoring.server.pages.sentence import Cause, Fleet, Lost, say


def test_every_state_has_icon_word_and_colour_and_every_icon_exists() -> None:
    assert set(words.RUN) == set(RunState)
    assert set(words.ASSIGNMENT) == {*AssignmentState, "ASSIGNED"}
    assert set(words.STUDY) == set(StudyState)
    assert set(words.WORKER) == {*WorkerState, "removed"}
    assert set(words.PRESENCE) == set(Presence)
    icons = (STATIC / "icons.svg").read_text()
    for table in words._TABLES.values():
        for sign in table.values():
            assert f'id="{sign.icon}"' in icons, sign
            assert sign.tone in {"run", "ok", "warn", "bad", "off"}
            assert sign.word


def test_an_unknown_state_is_shown_not_hidden() -> None:
    assert words.sign("run", "brand_new").word == "Brand new"


@pytest.mark.parametrize(
    ("state", "assignment", "word", "tone"),
    [
        ("lost", "PENDING", "Lost, try 3 is due", "warn"),
        ("failed", "FAILED", "Failed", "bad"),
        ("failed", None, "Failed", "bad"),
        ("memory_error", "COMPLETED", "Memory error, tried again", "warn"),
        ("succeeded", "COMPLETED", "Succeeded", "ok"),
    ],
)
def test_a_bad_end_is_red_only_when_nothing_follows(state: str, assignment: str | None, word: str, tone: str) -> None:
    assert words.run_sign(state, assignment, 2)[1:] == (word, tone)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),  # noqa: RUF001
        (0, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (120, "2 min"),
        (725, "12 min"),
        (11_580, "3 h 13 min"),
        (7200, "2 h"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_have_two_units(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_sizes_and_percent() -> None:
    assert [size(n) for n in (0, 999, 2_400_000_000, 150_000)] == ["0 B", "999 B", "2.4 GB", "150 kB"]
    assert [whole_percent(v) for v in (None, 0.4, 62.9, 100.0, -3.0)] == [None, 0, 62, 99, 0]
    assert whole_percent(100.0, proven=True) == 100


def test_hidden_characters_are_shown_and_letters_are_left_alone() -> None:
    assert shown("a\u202eb\x00c\x1b[31m\ud800") == "a‹U+202E›b‹U+0000›c‹U+001B›[31m‹U+D800›"  # noqa: RUF001
    assert shown("Füße 模拟 \t ok") == "Füße 模拟 \t ok"


def test_all_text_is_escaped_and_made_visible_on_its_way_out() -> None:
    text = TEMPLATE.from_string('<b title="{{ x }}">{{ x }}</b>').render(x='"><script>\u202e')
    assert text == '<b title="&#34;&gt;&lt;script&gt;‹U+202E›">&#34;&gt;&lt;script&gt;‹U+202E›</b>'  # noqa: RUF001
    assert moment(None) == "\N{EN DASH}"
    assert str(moment(0)) == '<time datetime="1970-01-01T00:00:00.000Z" data-as="ago">1970-01-01 00:00 UTC</time>'


GONE = Lost("win10-new", "study-a #17", 5, 9)
FAILED = Cause("study-a #9: failed", 7)


@pytest.mark.parametrize(
    ("fleet", "state", "text"),
    [
        (Fleet(), "No workers yet", "Connect a GPU machine."),
        (Fleet(queued=3), "No workers yet", "Connect a GPU machine. 3 assignments will start with the first one."),
        (Fleet(workers=3, working=2, queued=1), "Working", "2 of 3 workers run. 1 assignment queued."),
        # As the numbers below it count: who is late is not among those that run, and is no stranger to work either.
        (
            Fleet(workers=15, working=5, late=8, queued=1),
            "Working",
            "5 of 15 workers run, 8 hold a run but are late. 1 assignment queued.",
        ),
        (
            Fleet(workers=3, late=1, queued=2),
            "Working",
            "0 of 3 workers run, 1 holds a run but is late. 2 assignments queued.",
        ),
        (
            Fleet(workers=3, working=1, lost=(GONE,), failed=1, cause=FAILED),
            "Working with trouble",
            (
                "1 of 3 workers runs; win10-new was last heard (time) while it held study-a #17, which goes to another "
                "worker at (time) unless it is heard again. 0 assignments queued."
            ),
        ),
        (
            Fleet(workers=3, working=1, failed=1, trouble=1, cause=FAILED),
            "Working with trouble",
            "1 of 3 workers runs; 2 things need a person. study-a #9: failed, since (time). 0 assignments queued.",
        ),
        (
            Fleet(workers=3, lost=(GONE, Lost("b", "a study started by hand", 6, None), Lost("c", "x", 2, 3))),
            "Waiting for workers",
            (
                "b was last heard (time) while it held a study started by hand; 2 other workers are silent too. "
                "0 assignments queued."
            ),
        ),
        (Fleet(workers=3, claimable=1, lost=(GONE,), queued=1), "Working with trouble", None),
        (
            Fleet(workers=3, claimable=1, queued=1),
            "Working",
            "1 assignment queued; 1 worker takes work within seconds.",
        ),
        (
            Fleet(workers=3, claimable=1, queued=1, unfit=True, cause=Cause("study-a: no worker fits")),
            "Waiting for a person",
            "1 assignment queued, and no worker meets what it asks for. study-a: no worker fits.",
        ),
        (
            Fleet(workers=3, queued=1, idle_for="2 offline, 1 paused"),
            "Waiting for workers",
            "1 assignment queued, and none of 3 workers can take work: 2 offline, 1 paused. It goes on when one can.",
        ),
        (
            Fleet(workers=3, failed=2, cause=FAILED),
            "Waiting for a person",
            "2 assignments failed; nothing else is left to do. study-a #9: failed, since (time).",
        ),
        (Fleet(workers=3, paused=2), "Paused", "2 assignments of paused studies wait to be resumed."),
        (Fleet(workers=1), "Nothing to do", "1 worker known, no assignment waits."),
        (
            Fleet(workers=1, trouble=1),
            "Nothing to do",
            "1 worker known, no assignment waits. 1 thing needs a person.",
        ),
    ],
)
def test_the_sentence(fleet: Fleet, state: str, text: str | None) -> None:
    said = say(fleet)
    assert said.state == state
    assert text in (None, said.text)
    assert state in words.FLEET


def test_every_state_of_the_fleet_can_be_said() -> None:
    numbers = (0, 2)
    said = {
        say(
            Fleet(workers=workers, working=working, claimable=claimable, queued=queued, paused=paused, failed=failed)
        ).state
        for workers, working, claimable, queued, paused, failed in itertools.product(numbers, repeat=6)
    }
    assert said == set(words.FLEET)


def test_a_fragment_is_rendered_once_for_all_until_something_changes() -> None:
    async def main() -> None:
        hub, fragments, made = Hub(), Fragments(), []

        async def make() -> tuple[str, str]:
            made.append(1)
            await asyncio.sleep(0.01)
            return "title", f"text {len(made)}"

        many = await asyncio.gather(*(fragments.get(hub, "k", ("fleet",), make) for _ in range(50)))
        assert set(many) == {("title", "text 1")}
        hub.publish(frozenset({"run:other"}))
        assert (await fragments.get(hub, "k", ("fleet",), make))[1] == "text 1"
        hub.publish(frozenset({"fleet"}))
        assert (await fragments.get(hub, "k", ("fleet",), make))[1] == "text 2"
        for number in range(600):
            await fragments.get(hub, str(number), ("fleet",), make)
        assert len(fragments._texts) <= 256

    asyncio.run(main())


def test_a_fragment_is_rendered_four_times_a_second_at_most_however_many_look_and_nobody_is_left_behind() -> None:
    async def main() -> None:
        hub, fragments, made = Hub(), Fragments(), []
        state = 0

        async def make() -> tuple[str, str]:
            made.append(time.monotonic())
            return "title", str(state)

        async def viewer(seen: list[str]) -> None:
            # Told of every change, as if each were an event that reached it at once.
            while time.monotonic() < ends:
                seen.append((await fragments.get(hub, "k", ("fleet",), make))[1])
                await asyncio.sleep(0.01)
            seen.append((await fragments.get(hub, "k", ("fleet",), make))[1])

        ends = time.monotonic() + 1.2
        views: list[list[str]] = [[] for _ in range(40)]
        viewers = [asyncio.create_task(viewer(seen)) for seen in views]
        while time.monotonic() < ends - 0.1:
            state += 1
            hub.publish(frozenset({"fleet"}))
            await asyncio.sleep(0.005)
        await asyncio.gather(*viewers)
        pauses = [later - earlier for earlier, later in itertools.pairwise(made)]
        assert min(pauses) >= 0.24
        assert len(made) >= 4
        assert {seen[-1] for seen in views} == {str(state)}

    asyncio.run(main())

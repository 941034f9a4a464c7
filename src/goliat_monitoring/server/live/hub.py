"""Who waits for which change. Fed by the database writer after each commit, read by the event streams of live pages.

A commit bumps one counter and stamps it on each topic that changed. A stream therefore needs no queue: it remembers
which of its few topics changed since it last spoke, however slow its client is. A client that was away tells the stamp
it saw last, and the counter says whether it missed anything.
"""

import asyncio
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import suppress

import msgspec

# A topic older than the newest this many is forgotten; whoever asks about it is told to refresh.
REMEMBERED = 20_000
# The smallest time between two events of one stream, seconds.
PACE = 0.25
MOST_TOPICS = 24
MOST_STREAMS = 2_000


class Change(msgspec.Struct, frozen=True):
    """Topics of one kind that changed. `kind` is the part of a topic before its colon, or `refresh` for "anything"."""

    kind: str
    topics: tuple[str, ...]
    stamp: str


class Crowded(Exception):
    """Too many streams are open."""


class Hub:
    """One per server process. `publish` may be called from any thread; the rest belongs to the event loop."""

    def __init__(self) -> None:
        self._boot = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._count = 0
        self._floor = 0
        self._stamps: OrderedDict[str, int] = OrderedDict()
        self._fresh: set[str] = set()
        # All changes up to this one have reached their streams.
        self._delivered = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._streams: dict[str, set[_Stream]] = {}
        self._open = 0
        self._closed = False

    def publish(self, topics: frozenset[str]) -> None:
        """Note that `topics` changed and wake whoever waits for one of them. Never waits for a stream."""
        if not topics:
            return
        with self._lock:
            self._count += 1
            for topic in topics:
                self._stamps[topic] = self._count
                self._stamps.move_to_end(topic)
            while len(self._stamps) > REMEMBERED:
                self._floor = max(self._floor, self._stamps.popitem(last=False)[1])
            # Before the first stream there is nobody to wake; stamps alone tell later ones what they missed.
            loop = self._loop
            first = loop is not None and not self._fresh
            if loop is not None:
                self._fresh.update(topics)
        if first and loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def stamp(self) -> str:
        """The present point in time, as a client may hand it back to `subscribe`."""
        with self._lock:
            return f"{self._boot}-{self._count}"

    def mark(self, topics: Iterable[str]) -> int:
        """The newest change of any of `topics`: what was rendered at the same mark is still true."""
        with self._lock:
            return self._mark(topics)

    def _mark(self, topics: Iterable[str]) -> int:
        return max((self._stamps.get(topic, self._floor) for topic in topics), default=0)

    def missed(self, topics: Iterable[str], since: str) -> bool:
        """Whether one of `topics` changed after the stamp `since`; true where nobody can tell."""
        boot, _, count = since.partition("-")
        if boot != self._boot or not count.isascii() or not count.isdigit():
            return True
        with self._lock:
            return self._mark(topics) > int(count)

    async def subscribe(
        self,
        topics: Collection[str],
        since: str | None = None,
        pause: float = 15.0,
        turn: Callable[[str], float] = lambda _: 0.0,
    ) -> AsyncGenerator[list[Change], None]:
        """Changes of `topics` from now on, gathered by kind; an empty list after `pause` seconds of silence.

        `turn`: how many seconds a change of a kind waits for its turn; what changes meanwhile comes with it.
        With `since`, starts with one `refresh` if the client missed something. Ends when the hub closes.
        """
        stream = _Stream(frozenset(topics), turn)
        self._join(stream)
        try:
            if since is not None and self.missed(stream.topics, since):
                yield [Change("refresh", (), self.stamp())]
            while not self._closed:
                changed = await stream.wait(pause)
                yield self._gather(changed, stream)
        finally:
            self._leave(stream)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for streams in list(self._streams.values()):
            for stream in streams:
                stream.end()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._open

    @property
    def crowded(self) -> bool:
        """Whether another stream would be refused."""
        return self._open >= MOST_STREAMS

    def _gather(self, changed: Iterable[str], stream: "_Stream") -> list[Change]:
        kinds: dict[str, list[str]] = {}
        for topic in sorted(changed):
            kinds.setdefault(_kind(topic), []).append(topic)
        # Not the newest stamp: a change that is still on its way to this stream must not count as seen.
        stamp = f"{self._boot}-{min([self._delivered, *stream.changed.values()])}"
        return [Change(kind, tuple(of_kind), stamp) for kind, of_kind in kinds.items()]

    def _join(self, stream: "_Stream") -> None:
        if self.crowded or self._closed:
            raise Crowded
        with self._lock:
            self._loop = asyncio.get_running_loop()
        self._open += 1
        for topic in stream.topics:
            self._streams.setdefault(topic, set()).add(stream)

    def _leave(self, stream: "_Stream") -> None:
        self._open -= 1
        for topic in stream.topics:
            streams = self._streams.get(topic)
            if streams is not None:
                streams.discard(stream)
                if not streams:
                    del self._streams[topic]

    def _wake(self) -> None:
        with self._lock:
            fresh, self._fresh = self._fresh, set()
            before, self._delivered = self._delivered, self._count
        for topic in fresh:
            for stream in self._streams.get(topic, ()):
                stream.tell(topic, before)


class _Stream:
    """One open page: its topics and those of them that changed and were not told yet, each with the newest stamp that
    is older than its change."""

    __slots__ = ("_due", "_ended", "_signal", "_spoke", "_turn", "_wakes", "changed", "topics")

    def __init__(self, topics: frozenset[str], turn: Callable[[str], float]) -> None:
        self.topics = topics
        self.changed: dict[str, int] = {}
        self._turn = turn
        self._signal = asyncio.Event()
        self._ended = False
        self._spoke = 0.0
        # When it is the turn of each kind that changed, and when somebody who waits looks again without being told.
        self._due: dict[str, float] = {}
        self._wakes = 0.0

    def tell(self, topic: str, before: int) -> None:
        """Note that `topic` changed after the stamp `before`."""
        self.changed.setdefault(topic, before)
        kind = _kind(topic)
        if kind not in self._due:
            self._due[kind] = max(time.monotonic() + self._turn(kind), self._spoke + PACE)
            # A busy fleet tells hundreds of times a second: nobody wakes for what is not due before.
            if self._due[kind] < self._wakes:
                self._signal.set()

    def end(self) -> None:
        """Let whoever waits go."""
        self._ended = True
        self._signal.set()

    async def wait(self, pause: float) -> list[str]:
        """What changed and is due, no longer among `changed`; nothing after `pause` seconds of silence."""
        ends = time.monotonic() + pause
        while not self._ended:
            now = time.monotonic()
            kinds = {kind for kind, at in self._due.items() if at <= now}
            if kinds and now >= self._spoke + PACE:
                return self._take(kinds, now)
            if now >= ends:
                break
            self._signal.clear()
            self._wakes = min([ends, *(max(at, self._spoke + PACE) for at in self._due.values())])
            with suppress(TimeoutError):
                await asyncio.wait_for(self._signal.wait(), self._wakes - now)
        return []

    def _take(self, kinds: set[str], now: float) -> list[str]:
        self._spoke = now
        for kind in kinds:
            del self._due[kind]
        taken = [topic for topic in self.changed if _kind(topic) in kinds]
        for topic in taken:
            del self.changed[topic]
        return taken


def _kind(topic: str) -> str:
    return topic.partition(":")[0]

"""The writer as a process of its own, so that writing and answering do not share Python's lock.

A call is a function of a module and its arguments, pickled. What waits travels as one frame, is committed as one group
by `store.writer_child`, and is answered by one frame. While one group is being committed the next may lie in the pipe
already, so that the writer never waits for the server's turn.

A writer that ends by itself is started again. Whoever waits for an answer from it is refused with 503, since nobody
knows whether it was committed: the same as a connection that broke after the request. What was not sent yet waits.
"""

import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import structlog

from goliat_monitoring.store import calls as limits
from goliat_monitoring.store import frames
from goliat_monitoring.store.calls import (
    GROUP_LIMIT,
    TROUBLE_TOPIC,
    Call,
    Trouble,
    answer_all,
    shutting_down,
    too_many,
)
from goliat_monitoring.store.tally import Tally
from goliat_monitoring.wire.errors import Refused

log = structlog.get_logger()

# Groups on their way or being committed. The second lies ready when the first is done.
AHEAD = 2
# Calls that make it worth while to send a second group before the first is answered: a group costs about a millisecond
# whatever is in it.
WORTH = 32
# Bytes of payloads in one group: a few large bodies must not become one huge frame.
FRAME_LIMIT = 8 * 2**20
# Seconds before a writer that ended is started again; longer each time that the new one answers nothing.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
# Linux holds 64 KiB in a pipe otherwise, which is a third of a group.
PIPE_BYTES = 2**20


class WriterProcess:
    """Between `open` and `end`. Everything happens on the event loop that opened it."""

    def __init__(self, url: str, on_commit: Callable[[frozenset[str]], None]) -> None:
        """`on_commit` is called on the event loop after each commit, before its callers are answered."""
        self._url = url
        self._on_commit = on_commit
        self._waiting: deque[Call[Any]] = deque()
        self._flying: deque[list[Call[Any]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._link: _Link | None = None
        self._scheduled = False
        self._closed = False
        self._idle: asyncio.Future[None] | None = None
        self._pause = FIRST_PAUSE_S
        self._restart: asyncio.Task[None] | None = None
        self.trouble: Trouble | None = None
        self.tally = Tally()

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._waiting)

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        return None if self._link is None else self._link.pid

    async def open(self) -> None:
        """Start the process. The schema must be up to date."""
        self._loop = asyncio.get_running_loop()
        await self._start()

    async def end(self) -> None:
        """Commit what waits, then let the process end."""
        self._closed = True
        if self._loop is None:
            return
        while self._waiting or self._flying:
            self._idle = self._loop.create_future()
            await self._idle
        if self._restart is not None:
            self._restart.cancel()
        if self._link is not None:
            await self._link.end()

    def close(self) -> None:
        """Take nothing more; `end` does the rest."""
        self._closed = True

    def queue(self, call: Call[Any]) -> None:
        """Let `call` wait for its turn. Raises `Refused` 503 when too many wait or the writer has ended."""
        if self._closed:
            raise shutting_down()
        if len(self._waiting) >= limits.QUEUE_LIMIT:
            raise too_many()
        loop = self._loop
        if loop is None or call.loop is loop:
            self._waiting.append(call)
            if not self._scheduled and loop is not None:
                # At the end of this turn of the loop: all requests that arrived in it go together.
                self._scheduled = True
                loop.call_soon(self._send)
        else:
            loop.call_soon_threadsafe(self._queue_from_thread, call)

    def _queue_from_thread(self, call: Call[Any]) -> None:
        self._waiting.append(call)
        self._send()

    def _send(self) -> None:
        self._scheduled = False
        while (
            self._link is not None
            and self._waiting
            and (not self._flying or (len(self._flying) < AHEAD and len(self._waiting) >= WORTH))
        ):
            frame, group = frames.pack_group(chosen := self._next())
            if group:
                self._flying.append(group)
                self._link.send(frame)
            if len(group) < len(chosen):
                answer_all(call for call in chosen if call.failure is not None)
        self._look_if_idle()

    def _next(self) -> list[Call[Any]]:
        group: list[Call[Any]] = []
        size = 0
        while self._waiting and len(group) < GROUP_LIMIT and size < FRAME_LIMIT:
            call = self._waiting.popleft()
            size += getattr(call.payload, "size", 0)
            group.append(call)
        return group

    def answered(self, answers: frames.Answers) -> None:
        """One group is committed."""
        group = self._flying.popleft()
        # The process must not wait for us.
        self._send()
        self._pause = FIRST_PAUSE_S
        self.tally.count(len(group), answers.seconds)
        was = self.trouble
        self.trouble = None
        if answers.trouble is not None:
            self.trouble = Trouble(answers.trouble[1])
            self.trouble.since = answers.trouble[0]
        topics = answers.topics
        if (was is None) != (self.trouble is None):
            topics |= {TROUBLE_TOPIC}
        # First: whoever is answered may look for what its own change told.
        self._on_commit(topics)
        for call, (done, value) in zip(group, answers.outcomes, strict=True):
            if done:
                call.result = value
            else:
                call.failure = value
        answer_all(group)
        self._look_if_idle()

    def gone(self, code: int | None) -> None:
        """The process ended."""
        self._link = None
        lost, self._flying = [call for group in self._flying for call in group], deque()
        if self._closed and not lost and not self._waiting:
            return  # as it was told to
        assert self._loop is not None  # noqa: S101 - it was opened
        self.tally.restarts += 1
        text = f"the process that writes ended ({code}); another one is started"
        log.error(text, calls_lost=len(lost), next_start_s=self._pause)
        if self.trouble is None:
            self.trouble = Trouble(text)
        self._restart = self._loop.create_task(self._start_again())
        self._on_commit(frozenset({TROUBLE_TOPIC}))
        for call in lost:
            call.failure = Refused(
                503, "the server's writer ended", "nobody knows whether this was kept; try again in a few seconds"
            )
        answer_all(lost)
        self._look_if_idle()

    async def _start_again(self) -> None:
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE_S)
        await asyncio.sleep(pause)
        try:
            await self._start()
        except OSError as problem:
            log.error("the process that writes cannot be started", problem=str(problem))
            assert self._loop is not None  # noqa: S101 - it was opened
            self._restart = self._loop.create_task(self._start_again())

    async def _start(self) -> None:
        assert self._loop is not None  # noqa: S101 - it was opened
        try:
            link = await self._start_process(PIPE_BYTES)
        except PermissionError:
            # Somebody who holds many pipes may not have such large ones.
            link = await self._start_process(-1)
        link.send(frames.pack(frames.Hello(self._url, sys.path)))
        if not link.over:
            self._link = link
            self._send()

    async def _start_process(self, pipe_bytes: int) -> "_Link":
        assert self._loop is not None  # noqa: S101 - it was opened
        _, link = await self._loop.subprocess_exec(
            lambda: _Link(self),
            *(sys.executable, "-P", "-m", "goliat_monitoring.store.writer_child"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            pipesize=pipe_bytes,
        )
        return link

    def _look_if_idle(self) -> None:
        if self._idle is not None and not self._waiting and not self._flying and not self._idle.done():
            self._idle.set_result(None)


class _Link(asyncio.SubprocessProtocol):
    """One process and its pipes."""

    def __init__(self, owner: WriterProcess) -> None:
        self._owner = owner
        self._inbox = frames.Inbox()
        self._transport: asyncio.SubprocessTransport | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def pid(self) -> int | None:
        return None if self._transport is None else self._transport.get_pid()

    @property
    def over(self) -> bool:
        """Whether it ended."""
        return self._gone.done()

    def send(self, frame: bytes) -> None:
        pipe = self._pipe
        if pipe is not None:  # else it is gone, which is told by itself
            cast("asyncio.WriteTransport", pipe).write(frame)

    async def end(self) -> None:
        """End its input, and wait until it has ended too."""
        if self._pipe is not None:
            self._pipe.close()
        await self._gone

    @property
    def _pipe(self) -> asyncio.BaseTransport | None:
        return None if self._transport is None else self._transport.get_pipe_transport(0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, _fd: int, data: bytes) -> None:
        for answers in self._inbox.feed(data):
            self._owner.answered(answers)

    def connection_lost(self, _problem: Exception | None) -> None:
        """After the process ended and all that it said was heard."""
        assert self._transport is not None  # noqa: S101 - it was made
        code = self._transport.get_returncode()
        self._transport.close()
        if not self._gone.done():
            self._gone.set_result(None)
        self._owner.gone(code)

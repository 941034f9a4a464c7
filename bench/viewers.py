"""Open pages of runs, as browsers keep them: one event stream each, and what the page fetches when an event says so.

The log's newest lines are fetched after each `log` event, the two live parts of the page at most once a second.
"""

import asyncio
import re
import time
from collections.abc import Sequence

import msgspec

from bench.http import Connection

# Set by the sender just before it sends.
SENT_AT = re.compile(r"@(\d{16})$")
NEWEST = 64
# It looks again at so many that it knows: they may have come again.
FOLDING = 8
PACE_S = 1.0


class _Line(msgspec.Struct):
    n: int | None
    text: str


class _Page(msgspec.Struct):
    lines: list[_Line]


class Viewer:
    """One page. `delays`: seconds from a line's sending until its text was here, for lines that came while open."""

    def __init__(self, port: int, run_id: str) -> None:
        self._run_id = run_id
        self._stream, self._log, self._parts = Connection(port), Connection(port), Connection(port)
        self._last = 0
        self._told = asyncio.Event()
        self._redraw = asyncio.Event()
        self.delays: list[float] = []

    async def look(self) -> None:
        """Until it is cancelled."""
        await self._fetch(counting=False)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._follow())
                tasks.create_task(self._draw())
        finally:
            for connection in (self._stream, self._log, self._parts):
                await connection.close()

    async def _listen(self) -> None:
        topics = f"run:{self._run_id},log:{self._run_id}"
        while True:
            async for event in self._stream.events(f"/live?topics={topics}"):
                if event in ("log", "refresh"):
                    self._told.set()
                if event in ("run", "refresh"):
                    self._redraw.set()
            await self._stream.close()

    async def _follow(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            await self._fetch(counting=True)

    async def _fetch(self, *, counting: bool) -> None:
        """The newest lines, as the log viewer asks for them."""
        after = max(self._last - FOLDING, 0)
        path = f"/api/runs/{self._run_id}/log?tail=true&after={after}&limit={NEWEST}&raw=true&clip=2000&count=true"
        status, body = await self._log.call("GET", path)
        if status != 200:
            raise ConnectionError(f"{path} was answered {status}")
        now = time.time()
        last = self._last
        for line in msgspec.json.decode(body, type=_Page).lines:
            if line.n is None or line.n <= last:
                continue
            self._last = line.n
            sent = SENT_AT.search(line.text)
            if counting and sent is not None:
                self.delays.append(now - int(sent[1]) / 1e6)

    async def _draw(self) -> None:
        while True:
            await self._redraw.wait()
            self._redraw.clear()
            for part in ("", "/more"):
                await self._parts.call("GET", f"/fragments/runs/{self._run_id}{part}")
            await asyncio.sleep(PACE_S)


async def viewers(port: int, run_ids: Sequence[str]) -> tuple[list[Viewer], list[asyncio.Task[None]]]:
    """One page for each run, opened one after the other; the tasks are the caller's to cancel."""
    pages, tasks = [], []
    for run_id in run_ids:
        page = Viewer(port, run_id)
        pages.append(page)
        tasks.append(asyncio.create_task(page.look()))
        await asyncio.sleep(0.01)
    return pages, tasks

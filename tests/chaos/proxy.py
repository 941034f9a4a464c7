"""A TCP proxy on loopback that cuts connections: between agents and server, like a network that fails."""

import asyncio
import random
import threading
from contextlib import suppress


class CuttingProxy:
    """Listens on a port of its own, in a thread of its own. `target` is a port on this machine."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.cuts = 0
        self._target = target
        self._down = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def cut(self, share: float, dice: random.Random) -> None:
        """Reset so large a part of what is open now, in whatever it is doing."""
        self._loop.call_soon_threadsafe(self._cut, share, dice)

    def down(self, seconds: float) -> None:
        """Reset everything, and let nothing through for a while."""
        self._loop.call_soon_threadsafe(self._go_down, seconds)

    def close(self) -> None:
        """Cut everything and stop."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
            with suppress(BaseException):
                self._loop.run_until_complete(task)
        self._loop.close()

    def _cut(self, share: float, dice: random.Random) -> None:
        for writer in [writer for writer in self._open if dice.random() < share]:
            writer.transport.abort()
            self.cuts += 1

    def _go_down(self, seconds: float) -> None:
        self._down = True
        self._cut(1.0, random.Random(0))
        self._loop.call_later(seconds, self._come_up)

    def _come_up(self) -> None:
        self._down = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        try:
            await asyncio.wait(
                {asyncio.create_task(_pump(reader, there)), asyncio.create_task(_pump(there_reader, writer))},
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._open.discard(writer)
            for end in (writer, there):
                # What is on its way still arrives, unless it was cut.
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()

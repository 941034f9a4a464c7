"""The server's event loop: other threads wake it once for all they call, not once a call.

The web server's threads hand over each request. asyncio writes a byte to a socket for each, and lets go of Python's
lock to do so, which a busy loop takes at once: the thread that wanted to hand over the next request waits for it.
"""

import asyncio
import sys


class _WokenOnce(asyncio.SelectorEventLoop):
    """Nothing is missed: who finds the mark has called already, and the loop looks at all calls after it took the mark
    away. It goes after the bytes, or one of them could go without it.
    """

    def __init__(self) -> None:
        self._woken = False
        super().__init__()

    def _write_to_self(self) -> None:
        if not self._woken:
            self._woken = True
            super()._write_to_self()  # type: ignore[misc]

    def _read_from_self(self) -> None:
        super()._read_from_self()  # type: ignore[misc]
        self._woken = False


def new_loop() -> asyncio.AbstractEventLoop:
    """The loop for a server. On Windows asyncio's own: the one above cannot start processes there."""
    return asyncio.new_event_loop() if sys.platform == "win32" else _WokenOnce()

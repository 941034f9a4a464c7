"""What the server and its processes for the database say to each other: frames of pickled tuples, length first.

Only these talk here, over pipes that nobody else holds: what a sender said travels as bytes or plain values inside.
"""

import os
import pickle
import select
import struct
import sys
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

from goliat_monitoring.store.calls import Call

_LENGTH = struct.Struct("<Q")


class Hello(NamedTuple):
    """The first frame to a process. `search_path`: where modules are looked for."""

    url: str
    search_path: list[str]


class Answers(NamedTuple):
    """What follows from one group. `outcomes`: (True, result) or (False, failure) by call; `trouble`: since, text."""

    outcomes: list[tuple[bool, Any]]
    topics: frozenset[str]
    seconds: float
    trouble: tuple[float, str] | None


class Seen(NamedTuple):
    """What a look found, and how many seconds of a processor it took, without the start of its process."""

    found: Any
    seconds: float


def pack(message: Any) -> bytes:
    """The frame that holds `message`. Raises what pickle raises for what cannot travel."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def pack_group(group: Sequence[Call[Any]]) -> tuple[bytes, list[Call[Any]]]:
    """The frame for a group, and those of it that travel; the others have their failure, which names the function."""
    try:
        return pack([_order(call) for call in group]), list(group)
    except Exception:  # noqa: BLE001 - found out below whose fault it is
        fit = []
        for call in group:
            try:
                pack([_order(call)])
            except RecursionError as problem:
                # Nested deeper than pickle goes: the sender's doing.
                call.failure = problem
            except Exception as problem:  # noqa: BLE001 - pickle raises anything
                what = call.unit if call.together is None else call.together
                call.failure = TypeError(
                    f"{_name(getattr(what, 'func', what))} cannot travel to the writer's process: a write is a "
                    f"function of a module or functools.partial of one, and its arguments can be pickled ({problem})"
                )
            else:
                fit.append(call)
        return (pack([_order(call) for call in fit]) if fit else b""), fit


def pack_answers(answers: Answers) -> bytes:
    """The frame for the answers. What cannot travel becomes a failure that says so."""
    try:
        return pack(answers)
    except Exception:  # noqa: BLE001 - found out below whose fault it is
        outcomes = [
            (done, value) if _travels(answers, value) else (False, _stand_in(value)) for done, value in answers.outcomes
        ]
        return pack(answers._replace(outcomes=outcomes))


class Source:
    """The end of a pipe at which messages are waited for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> Any:
        """The next message; None at the end, also where it ends within a frame."""
        head = self._bytes(_LENGTH.size)
        body = head and self._bytes(*_LENGTH.unpack(head))
        return pickle.loads(body) if body else None  # noqa: S301 - from the other half of this program

    def waits(self) -> bool:
        """Whether the next message, or the end, is there or about to be. Windows cannot tell."""
        return sys.platform != "win32" and bool(select.select([self._fd], [], [], 0)[0])

    def _bytes(self, size: int) -> bytearray | None:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            piece = os.read(self._fd, len(view))
            if not piece:
                return None
            view[: len(piece)] = piece
            view = view[len(piece) :]
        return data


def greeted() -> tuple[Source, BinaryIO, Hello | None]:
    """For a process of the server: where it is told, where it answers, and the greeting; None if nobody is there.

    Modules are looked for where the server looks from then on. Whatever prints goes to standard error, as it must not
    come between two frames.
    """
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    source = Source(sys.stdin.fileno())
    hello: Hello | None = source.read()
    if hello is not None:
        sys.path[:] = hello.search_path
    return source, sink, hello


class Inbox:
    """Bytes as they arrive, messages as they are whole."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take `data`; yields each message that it completes."""
        self._bytes += data
        while len(self._bytes) >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._bytes)
            end = _LENGTH.size + size
            if len(self._bytes) < end:
                return
            body = bytes(memoryview(self._bytes)[_LENGTH.size : end])
            del self._bytes[:end]
            yield pickle.loads(body)  # noqa: S301 - from the other half of this program


def _order(call: Call[Any]) -> tuple[Any, Any]:
    """(None, unit) or (function, payload)."""
    return (None, call.unit) if call.together is None else (call.together, call.payload)


def _name(what: Any) -> str:
    return f"{getattr(what, '__module__', '')}.{getattr(what, '__qualname__', repr(what))}"


def _travels(answers: Answers, value: Any) -> bool:
    """As deep as it will lie: what is nested too deeply there may travel alone."""
    try:
        pickle.loads(pickle.dumps(answers._replace(outcomes=[(True, value)]), pickle.HIGHEST_PROTOCOL))  # noqa: S301
    except Exception:  # noqa: BLE001 - pickle raises anything
        return False
    return True


def _stand_in(value: Any) -> Exception:
    if isinstance(value, BaseException):
        return RuntimeError("".join(traceback.format_exception(value)))
    return TypeError(f"the result of a write cannot be pickled: {type(value).__qualname__}")

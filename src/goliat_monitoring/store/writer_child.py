"""The writer's process: reads a group of calls, commits it, answers it, and again, until its input ends.

Started by `store.writer_process` as `python -m`. It ends only by the end of its input, never by a signal to stop: a
terminal or a service manager tells all processes at once, and what the server accepted is to be committed first. When
the server is killed, the pipe ends with it.
"""

import signal
from contextlib import suppress
from typing import Any, BinaryIO

from goliat_monitoring.store import frames
from goliat_monitoring.store.calls import Call, Readied
from goliat_monitoring.store.checkpoint import Checkpointer
from goliat_monitoring.store.collector import spare_the_collector
from goliat_monitoring.store.engine import make_engine
from goliat_monitoring.store.groups import Groups


class Orders:
    """Groups of calls as they arrive. While one is being committed the next is taken out and made ready."""

    def __init__(self, source: frames.Source) -> None:
        self._source = source
        self._ahead: list[list[Call[Any]] | None] = []

    def next(self) -> list[Call[Any]] | None:
        """The next group; None at the end."""
        return self._ahead.pop() if self._ahead else self._take()

    def waits(self) -> bool:
        """Whether `look_ahead` has something to do."""
        return not self._ahead and self._source.waits()

    def look_ahead(self) -> None:
        """Make the next group ready, which does not touch the database."""
        self._ahead.append(self._take())

    def _take(self) -> list[Call[Any]] | None:
        orders = self._source.read()
        return None if orders is None else [_call(*order) for order in orders]


def work(source: frames.Source, sink: BinaryIO, url: str) -> None:
    """Serve groups of calls from `source` until it ends. The schema must be up to date."""
    engine = make_engine(url)
    orders = Orders(source)
    groups = Groups(engine, orders)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    checkpointer = Checkpointer(file) if file else None
    if checkpointer is not None:
        checkpointer.start()
    spare_the_collector()
    while (calls := orders.next()) is not None:
        committed = groups.commit(calls)
        trouble = groups.trouble
        sink.write(
            frames.pack_answers(
                frames.Answers(
                    [_outcome(call) for call in calls],
                    committed.topics,
                    committed.seconds,
                    None if trouble is None else (trouble.since, trouble.text),
                )
            )
        )
        sink.flush()
        if checkpointer is not None:
            checkpointer.look()
    groups.close()
    if checkpointer is not None:
        checkpointer.close()
    engine.dispose()


def _call(together: Any, what: Any) -> Call[Any]:
    if together is None:
        return Call(what)
    if isinstance(what, Readied):
        # Else its function finds the same out, at its turn and for this call alone.
        with suppress(Exception):
            what = what.ready()
    return Call(None, together, what)


def _outcome(call: Call[Any]) -> tuple[bool, Any]:
    return (True, call.result) if call.failure is None else (False, call.failure)


def main() -> None:
    """Speak with the server over standard input and output."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        with suppress(AttributeError, ValueError):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    source, sink, hello = frames.greeted()
    with suppress(BrokenPipeError):
        if hello is not None:
            work(source, sink, hello.url)


if __name__ == "__main__":
    main()

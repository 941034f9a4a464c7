"""The writer's process: reads a group of calls, commits it, answers it, and again, until its input ends.

Started by `store.writer_process` as `python -m`. It ends only by the end of its input, never by a signal to stop: a
terminal or a service manager tells all processes at once, and what the server accepted is to be committed first. When
the server is killed, the pipe ends with it.
"""

import os
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO

from goliat_monitoring.store import frames
from goliat_monitoring.store.calls import Call
from goliat_monitoring.store.checkpoint import Checkpointer
from goliat_monitoring.store.collector import spare_the_collector
from goliat_monitoring.store.engine import make_engine
from goliat_monitoring.store.groups import Groups


def work(source: BinaryIO, sink: BinaryIO, url: str) -> None:
    """Serve groups of calls from `source` until it ends. The schema must be up to date."""
    engine = make_engine(url)
    groups = Groups(engine)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    checkpointer = Checkpointer(file) if file else None
    if checkpointer is not None:
        checkpointer.start()
    spare_the_collector()
    while (orders := frames.read(source)) is not None:
        calls = [_call(*order) for order in orders]
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
    if checkpointer is not None:
        checkpointer.close()
    engine.dispose()


def _call(together: Any, what: Any) -> Call[Any]:
    return Call(what) if together is None else Call(None, together, what)


def _outcome(call: Call[Any]) -> tuple[bool, Any]:
    return (True, call.result) if call.failure is None else (False, call.failure)


def main() -> None:
    """Speak with the server over standard input and output."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        with suppress(AttributeError, ValueError):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Whatever prints must not come between two frames.
    sink = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    source = sys.stdin.buffer
    with suppress(BrokenPipeError):
        hello = frames.read(source)
        if hello is not None:
            sys.path[:] = hello.search_path
            work(source, sink, hello.url)


if __name__ == "__main__":
    main()

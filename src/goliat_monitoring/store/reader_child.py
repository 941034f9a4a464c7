"""One long look at the database by a process that ends with it: `python -m goliat_monitoring.store.reader_child`."""

import os
import signal
import time
from contextlib import suppress

from goliat_monitoring.store import frames
from goliat_monitoring.store.engine import make_engine

# What people and machines wait for goes first. Windows has no such number, and does without.
NICENESS = 10


def main() -> None:
    """Take a unit of work from standard input, and put what it saw on standard output."""
    # Ctrl-C in a terminal is for the server, which ends this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    source, sink, hello = frames.greeted()
    if hello is None:
        return
    unit = source.read()
    began = time.thread_time()
    engine = make_engine(hello.url, read_only=True)
    with engine.connect() as connection:
        seen = unit(connection)
    engine.dispose()
    with suppress(BrokenPipeError), sink:
        sink.write(frames.pack(frames.Seen(seen, time.thread_time() - began)))


if __name__ == "__main__":
    main()

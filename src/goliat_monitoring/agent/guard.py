"""Threads that must not end before their work does: a week of results may wait behind one odd exception."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)
AGAIN_S = 1.0


def keep_going(work: Callable[[], None], stop: threading.Event) -> None:
    """Do `work` until it returns by itself or `stop` is set; what it raises is logged, and it begins again."""
    while not stop.is_set():
        try:
            work()
        except Exception:
            log.exception("a thread failed and goes on")
            stop.wait(AGAIN_S)
        else:
            return

"""GOLIAT's fixed wait for the solver's results, which here are complete when the solver ends."""

import time
from typing import Any

from . import switches


def apply(module: Any) -> None:
    """Shortens the wait where `FAKE_WAIT_S` is set; it is most of what a stand-in simulation takes."""
    seconds = switches.wait_s()
    if seconds is not None:
        module.non_blocking_sleep = lambda _seconds: time.sleep(seconds)
